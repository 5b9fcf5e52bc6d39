from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirken.domain import limits
from wirken.domain.ids import OPERATIONS, TERMINAL, WEBCHAT, BadIdentifier, ChannelId, PrincipalId, channel_id
from wirken.domain.people import (
    THE_OWNER,
    NotThatRole,
    Person,
    Role,
    has_senders,
    name_for,
    person,
    platform,
    role_named,
    sender_id,
)

CHANNELS = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,63}", fullmatch=True).map(ChannelId)
SENDERS = st.text(min_size=1, max_size=limits.SENDER_ID)


@pytest.mark.parametrize(
    ("role", "converses", "tools", "answers"),
    [
        (Role.OWNER, True, True, True),
        (Role.APPROVER, True, True, True),
        (Role.USER, True, True, False),
        (Role.GUEST, True, False, False),
    ],
)
def test_what_each_role_may_do(role: Role, converses: bool, tools: bool, answers: bool) -> None:
    assert (role.may_converse, role.may_use_tools, role.may_answer) == (converses, tools, answers)


def test_a_role_is_named_exactly_as_it_is_written() -> None:
    assert {role_named(role.value) for role in Role} == set(Role)
    for text in ("", "Owner", "root", "owner ", "admin"):
        with pytest.raises(NotThatRole):
            role_named(text)


def test_the_owners_name_is_for_owners_only() -> None:
    assert person("owner", "owner") == THE_OWNER
    assert person("alice", "owner") == Person(PrincipalId("alice"), Role.OWNER)
    for role in ("approver", "user", "guest"):
        with pytest.raises(NotThatRole):
            person("owner", role)


@pytest.mark.parametrize("name", ["", "Alice", "a b", "-a", "a/b", "a\n", "a" * 65, "ａlice", "a\u200b"])
def test_a_name_that_could_be_mistaken_is_refused(name: str) -> None:
    with pytest.raises(BadIdentifier):
        person(name, "user")


@pytest.mark.parametrize("channel", [TERMINAL, WEBCHAT, channel_id(OPERATIONS.split("/")[1])])
def test_our_own_channels_have_no_senders(channel: ChannelId) -> None:
    assert not has_senders(channel) and has_senders(ChannelId("telegram"))
    with pytest.raises(BadIdentifier):
        platform(channel)


@pytest.mark.parametrize("sender", ["", "a b", "a\n", "a\u202eb", "a\u2800", "\ufe0f", "a" * (limits.SENDER_ID + 1)])
def test_a_sender_that_cannot_be_shown_as_it_is_is_refused(sender: str) -> None:
    with pytest.raises(BadIdentifier):
        sender_id(sender)


@pytest.mark.parametrize("sender", ["12345", "+4915112345", "@anna:example.org", "Ä", "a" * limits.SENDER_ID])
def test_a_platforms_id_is_kept_to_the_letter(sender: str) -> None:
    assert sender_id(sender) == sender


@given(CHANNELS, SENDERS, CHANNELS, SENDERS)
def test_two_accounts_that_nobody_named_never_share_a_name(
    one: ChannelId, sender: str, other: ChannelId, another: str
) -> None:
    assert (name_for(one, sender) == name_for(other, another)) == ((one, sender) == (other, another))


@given(CHANNELS, SENDERS)
def test_a_name_that_was_made_up_is_a_usable_one(channel: ChannelId, sender: str) -> None:
    assert person(name_for(channel, sender), "user").principal == name_for(channel, sender)


def test_accounts_that_differ_in_case_only_are_two_people() -> None:
    assert name_for(ChannelId("x"), "Anna") != name_for(ChannelId("x"), "anna")
