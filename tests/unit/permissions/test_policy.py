from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirken.permissions.policy import Objection, ToolRules, matches, objection

names = st.text("abcEX_.*", min_size=1, max_size=6)
patterns = st.text("abcEX_.", max_size=5).flatmap(lambda text: st.sampled_from([f"{text}*", text or "a"]))
rules = st.builds(
    ToolRules,
    source=st.just("somewhere"),
    allowed=st.none() | st.lists(patterns, max_size=3).map(tuple),
    blocked=st.lists(patterns, max_size=3).map(tuple),
    trouble=st.sampled_from(["", "", "", "It is gone."]),
)


def rule(tool: str, *sources: ToolRules) -> str:
    found = objection(tool, sources)
    return found.rule if found else ""


def test_without_lists_every_tool_may_be_used() -> None:
    assert objection("exec", [ToolRules("here")]) is None


def test_an_empty_list_of_allowed_tools_allows_none_and_an_absent_one_all() -> None:
    assert rule("exec", ToolRules("here", allowed=())) == "policy:allowed_tools"
    assert rule("exec", ToolRules("here", allowed=None)) == ""


def test_a_block_wins_over_an_allowance() -> None:
    assert rule("exec", ToolRules("here", allowed=("exec",), blocked=("exec",))) == "policy:blocked_tools"
    assert rule("exec", ToolRules("a", allowed=("*",)), ToolRules("b", blocked=("ex*",))) == "policy:blocked_tools"


def test_a_tool_must_be_allowed_by_every_source() -> None:
    both = ToolRules("a", allowed=("read_file", "exec")), ToolRules("b", allowed=("read_*",))
    assert (rule("read_file", *both), rule("exec", *both)) == ("", "policy:allowed_tools")


def test_an_unreadable_policy_refuses_everything_and_says_so_first() -> None:
    sources = ToolRules("a", allowed=(), blocked=("*",)), ToolRules("/etc/p", trouble="It is gone.")
    found = objection("read_file", sources)
    assert isinstance(found, Objection) and found.rule == "policy:unreadable"
    assert "/etc/p" in found.said and "It is gone." in found.said and "/etc/p" in found.remedy


@pytest.mark.parametrize(
    ("tool", "pattern", "expected"),
    [
        ("exec", "exec", True),
        ("exec", "*", True),
        ("exec", "ex*", True),
        ("exec", "exec*", True),
        ("exec", "xec", False),
        ("exec2", "exec", False),
        ("Exec", "exec", False),
    ],
)
def test_patterns_are_names_or_beginnings(tool: str, pattern: str, expected: bool) -> None:
    assert matches(tool, pattern) is expected


def test_a_block_in_other_letters_holds_and_an_allowance_does_not() -> None:
    for tool, pattern in (("exec", "EXEC"), ("Exec", "exec"), ("MCP_mail", "mcp_*")):
        assert rule(tool, ToolRules("here", blocked=(pattern,))) == "policy:blocked_tools"
    assert rule("exec", ToolRules("here", allowed=("EXEC",))) == "policy:allowed_tools"


@given(names, st.lists(rules, max_size=3), rules)
def test_a_further_source_never_allows_what_was_refused(tool: str, sources: list[ToolRules], more: ToolRules) -> None:
    if objection(tool, sources) is not None:
        assert objection(tool, [*sources, more]) is not None


@given(names, rules)
def test_whatever_is_used_is_not_blocked_and_is_allowed(tool: str, source: ToolRules) -> None:
    if objection(tool, [source]) is None:
        assert not source.trouble and tool not in source.blocked
        assert source.allowed is None or any(matches(tool, one) for one in source.allowed)
