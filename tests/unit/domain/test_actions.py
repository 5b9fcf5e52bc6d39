from __future__ import annotations

import hashlib
import json

import msgspec
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from tests.support.values import struct_of, texts

from wirken.domain.actions import Allowed, CanonicalCall, Denied, NeedsApproval, Place, Tier, Verdict
from wirken.domain.ids import ActionKey, AgentId, ChannelId, PrincipalId, SessionId

calls: st.SearchStrategy[CanonicalCall] = struct_of(CanonicalCall)
CALL = CanonicalCall(
    tool="exec",
    arguments='{"command":"ls"}',
    agent=AgentId("default"),
    session=SessionId("default/webchat/a"),
    principal=PrincipalId("owner"),
    channel=ChannelId("webchat"),
    place=Place("/home/me/work", "bubblewrap"),
)


@given(calls)
def test_the_bytes_a_person_approves_are_canonical_json_of_every_field(call: CanonicalCall) -> None:
    assert call.canonical() == rfc8785.dumps(msgspec.to_builtins(call))
    assert call.digest() == hashlib.sha256(call.canonical()).hexdigest()
    assert msgspec.json.decode(call.canonical(), type=CanonicalCall) == call


@given(calls, calls)
def test_two_calls_have_the_same_bytes_only_if_they_are_the_same_call(one: CanonicalCall, other: CanonicalCall) -> None:
    assert (one.canonical() == other.canonical()) == (one == other)


@pytest.mark.parametrize(
    "changed",
    [
        {"tool": "read_file"},
        {"arguments": '{"command": "ls"}'},
        {"agent": "other"},
        {"session": "default/webchat/b"},
        {"principal": "guest"},
        {"channel": "terminal"},
        {"place": Place("/home/me/work", "none")},
        {"place": Place("/home/me/other", "bubblewrap")},
        {"place": Place("/home/me/work", "bubblewrap", read_only=("/srv",))},
        {"place": Place("/home/me/work", "bubblewrap", tools="/images/debian")},
        {"place": Place("/home/me/work", "bubblewrap", bounds="64 processes")},
    ],
)
def test_a_change_of_any_field_is_another_digest(changed: dict[str, object]) -> None:
    assert msgspec.structs.replace(CALL, **changed).digest() != CALL.digest()


@given(texts)
def test_the_models_own_text_of_the_arguments_is_kept(arguments: str) -> None:
    call = msgspec.structs.replace(CALL, arguments=arguments)
    assert json.loads(call.canonical())["arguments"] == arguments


def test_tiers_are_ordered_by_rank() -> None:
    assert [tier.rank for tier in (Tier.ONE, Tier.TWO, Tier.THREE)] == [1, 2, 3]
    assert [str(tier) for tier in Tier] == ["tier1", "tier2", "tier3"]


def test_verdicts_tell_their_kind_where_they_travel() -> None:
    keys = (ActionKey("shell:ls"),)
    verdicts: list[Verdict] = [
        Allowed(Tier.ONE, keys, "tier1"),
        Denied(Tier.TWO, keys, "gate", "no"),
        NeedsApproval(Tier.THREE, keys, ("because",)),
    ]
    for verdict in verdicts:
        assert msgspec.json.decode(msgspec.json.encode(verdict), type=Verdict) == verdict
