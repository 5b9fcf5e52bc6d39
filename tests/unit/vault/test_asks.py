from __future__ import annotations

from typing import get_args

import pytest

from wirken.domain.ids import RoleName
from wirken.ipc.calls import vault as calls
from wirken.vault.asks import ASKS, NotYours, check, may_have

QUESTIONS: dict[str, calls.VaultQuestion] = {
    type(question).__name__: question
    for question in (
        calls.Identity(),
        calls.PeerKey("web"),
        calls.AgentKey("default"),
        calls.SignHead("default", "default/webchat/a", 0, "0" * 64),
        calls.LastHead("default/webchat/a"),
        calls.CredentialFor("openai"),
        calls.AddCredential("openai", b"x"),
        calls.RotateCredential("openai", b"x"),
        calls.RemoveCredential("openai"),
        calls.SetAside("openai"),
        calls.ListCredentials(),
        calls.VaultStatus(),
        calls.Unlock(b"x"),
        calls.OfferKey(),
        calls.Protect("keyfile"),
    )
}

CHILD = {"Identity", "VaultStatus"}
MAY: dict[str, set[str]] = {
    "runner": CHILD,
    "runner-2": CHILD,
    "web": CHILD,
    "someone": CHILD,
    "channel-telegram": CHILD | {"CredentialFor"},
    "channels": CHILD,
    "gateway": CHILD | {"PeerKey", "AgentKey", "SignHead", "LastHead"},
    "outbound": CHILD | {"CredentialFor"},
    "operator": {
        *("VaultStatus", "AgentKey", "LastHead", "AddCredential", "RotateCredential"),
        *("RemoveCredential", "SetAside", "ListCredentials", "Unlock", "OfferKey", "Protect"),
    },
}


def test_this_table_knows_every_question() -> None:
    assert {cls.__name__ for cls in get_args(calls.VaultQuestion)} == set(QUESTIONS)
    assert set(ASKS) <= {RoleName(role) for role in MAY}


@pytest.mark.parametrize("role", MAY)
@pytest.mark.parametrize("name", QUESTIONS)
def test_a_role_is_answered_its_own_questions_only(role: str, name: str) -> None:
    if name in MAY[role]:
        check(RoleName(role), QUESTIONS[name])
    else:
        with pytest.raises(NotYours):
            check(RoleName(role), QUESTIONS[name])


def test_nobody_but_outbound_and_adapters_is_given_a_value() -> None:
    assert [role for role, may in MAY.items() if "CredentialFor" in may] == ["channel-telegram", "outbound"]


@pytest.mark.parametrize(
    ("role", "name", "good"),
    [
        ("channel-telegram", "channel.telegram.token", True),
        ("channel-telegram", "channel.telegramx.token", False),
        ("channel-telegram", "channel.discord.token", False),
        ("channel-telegram", "channel.telegram", False),
        ("channel-telegram", "openai", False),
        ("channel-telegram", "xchannel.telegram.token", False),
        ("channel-", "channel..token", False),
        ("channel-discord", "channel.telegram.token", False),
        ("outbound", "openai", True),
        ("outbound", "mail", False),
        ("outbound", "channel.telegram.token", False),
        ("operator", "openai", False),
        ("web", "openai", False),
    ],
)
def test_a_channels_secrets_are_its_adapters_and_nobody_elses(role: str, name: str, good: bool) -> None:
    bound = frozenset({"openai", "channel.telegram.token"})
    assert may_have(RoleName(role), name, bound) is good
