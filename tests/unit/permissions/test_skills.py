from __future__ import annotations

import msgspec
import pytest
from tests.support.calls import decided

from wirken.domain.actions import Allowed, CanonicalCall, Denied, Module, NeedsApproval, Place, Tier
from wirken.domain.ids import AgentId, ChannelId, PrincipalId, SessionId
from wirken.gateway.questions import reach
from wirken.permissions.gates import GATES
from wirken.permissions.keys import may_be_remembered

HASH = "0123456789abcdef" * 4
KEY = "tool:wasm_csv@0123456789abcdef"
CALL = CanonicalCall(
    tool="wasm_csv",
    arguments='{"text": "a"}',
    agent=AgentId("default"),
    session=SessionId("default/terminal/one"),
    principal=PrincipalId("owner"),
    channel=ChannelId("terminal"),
    place=Place(workspace="", sandbox="wasm", module=Module("csv", HASH, 500, 64 * 2**20, 10)),
)


def test_a_skill_is_tier_3_and_no_grant_serves_it() -> None:
    verdict = decided(CALL, GATES, lambda _: True)
    assert isinstance(verdict, NeedsApproval)
    assert (verdict.tier, verdict.keys) == (Tier.THREE, (KEY,))


def test_a_skill_that_the_operator_lowered_is_served_by_a_grant_for_its_very_module() -> None:
    lowered = frozenset({"wasm_csv"})
    granted = {KEY}.__contains__
    assert isinstance(decided(CALL, GATES, granted, lowered=lowered), Allowed)
    assert isinstance(decided(CALL, GATES, granted, lowered=frozenset({"wasm_other"})), NeedsApproval)
    place = msgspec.structs.replace(CALL.place, module=Module("csv", HASH[::-1], 500, 64 * 2**20, 10))
    changed = decided(msgspec.structs.replace(CALL, place=place), GATES, granted, lowered=lowered)
    assert isinstance(changed, NeedsApproval)
    assert changed.tier is Tier.TWO


def test_without_any_sandbox_no_skill_runs() -> None:
    place = msgspec.structs.replace(CALL.place, sandbox="none")
    verdict = decided(msgspec.structs.replace(CALL, place=place), GATES, lambda _: True)
    assert isinstance(verdict, Denied)
    assert verdict.rule == "no_sandbox"
    assert reach("wasm_csv", place) == ("nowhere: there is no sandbox on this machine",)


def test_a_tools_name_alone_is_no_module() -> None:
    place = Place(workspace="/w", sandbox="bubblewrap")
    verdict = decided(
        msgspec.structs.replace(CALL, place=place), GATES, lambda _: True, lowered=frozenset({"wasm_csv"})
    )
    assert isinstance(verdict, NeedsApproval)
    assert (verdict.tier, verdict.keys) == (Tier.THREE, ("tool:wasm_csv",))


@pytest.mark.parametrize(
    ("key", "may"),
    [
        (KEY, True),
        ("tool:wasm_csv", False),
        ("tool:wasm_csv@", False),
        ("tool:wasm_csv@0123456789ABCDEF", False),
        ("tool:wasm_csv@0123456789abcdef0", False),
        ("tool:wasm_csv@0123456789abcdef\n", False),
        ("tool:wasm_*@0123456789abcdef", False),
        ("tool:other@0123456789abcdef", False),
    ],
)
def test_only_a_skill_with_its_hash_may_be_remembered(key: str, may: bool) -> None:
    assert may_be_remembered(key) is may


def test_a_person_sees_what_runs_and_what_it_reaches() -> None:
    lines = reach("wasm_csv", CALL.place)
    assert HASH in lines[0]
    assert lines[1:] == ("at most 10 s, 64 MiB, 500 units of fuel", "can reach: its input, nothing else")
