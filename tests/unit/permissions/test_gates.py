from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from tests.support.calls import decided

from wirken.domain import limits
from wirken.domain.actions import Allowed, CanonicalCall, Denied, Place, Verdict
from wirken.domain.ids import OWNER, TERMINAL, AgentId, SessionId
from wirken.permissions.budget import State, Subject
from wirken.permissions.gates import Snapshot, gates
from wirken.permissions.policy import ToolRules

OPEN = Snapshot(policy=(ToolRules("[policy]"),), too_fast="", spent=None)
READ = CanonicalCall(
    tool="read_file",
    arguments='{"path":"notes.txt"}',
    agent=AgentId("default"),
    session=SessionId("default/terminal/c"),
    principal=OWNER,
    channel=TERMINAL,
    place=Place(workspace="/w", sandbox="bubblewrap"),
)
SPENT = State(Subject("daily", "default", "owner"), "tool_calls", 5, 5, "day", "block", 86_400_000)


def verdict(call: CanonicalCall = READ, **changes: object) -> Verdict:
    return decided(call, gates(replace(OPEN, **changes)), lambda _: True)  # type: ignore[arg-type]  # fields of Snapshot


def test_an_open_snapshot_refuses_nothing() -> None:
    assert isinstance(verdict(), Allowed)


@pytest.mark.parametrize(
    ("changes", "rule", "said"),
    [
        ({"policy": (ToolRules("here", blocked=("read_*",)),)}, "policy:blocked_tools", "take 'read_*' out of"),
        ({"policy": (ToolRules("here", allowed=("exec",)),)}, "policy:allowed_tools", "add 'read_file' to"),
        ({"policy": (ToolRules("/p", trouble="Gone."),)}, "policy:unreadable", "correct /p"),
        ({"too_fast": "More than 3 tool calls."}, "rate_limit", "under [limits]"),
        ({"spent": SPENT}, "budget:daily", "frees up at 1970-01-02 00:00 UTC"),
        ({"depth": limits.SUBAGENT_DEPTH + 1}, "ceiling:depth", "levels below"),
        ({"ceilings": (ToolRules("the agent above", allowed=()),)}, "ceiling:tools", "the agent above"),
    ],
)
def test_each_gate_refuses_with_its_rule_and_says_what_a_person_could_do(
    changes: dict[str, object], rule: str, said: str
) -> None:
    no = verdict(READ, **changes)
    assert isinstance(no, Denied) and no.rule == rule
    assert f"rule '{rule}'" in no.said and said in no.said and "operator" in no.said
    assert no.keys and no.by == ""


def test_a_grant_lifts_none_of_them() -> None:
    listing = msgspec.structs.replace(READ, tool="exec", arguments='{"command":"ls"}')
    assert isinstance(verdict(listing), Allowed)
    assert isinstance(verdict(listing, policy=(ToolRules("here", blocked=("exec",)),)), Denied)


def test_policy_comes_before_everything_else() -> None:
    no = verdict(policy=(ToolRules("/p", trouble="Gone."),), too_fast="Too fast.", spent=SPENT, depth=99)
    assert isinstance(no, Denied) and no.rule == "policy:unreadable"


def test_a_sub_agent_at_the_depth_that_is_allowed_may_act() -> None:
    assert isinstance(verdict(depth=limits.SUBAGENT_DEPTH), Allowed)
