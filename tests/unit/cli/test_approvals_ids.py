from __future__ import annotations

import re

import pytest
from msgspec.structs import replace

from wirken.cli.approvals import NotWaiting, _clipped, _left, _named
from wirken.cli.output import Styled, plain
from wirken.ipc.calls.operator import ApprovalRow


def row(approval: str) -> ApprovalRow:
    return ApprovalRow(
        approval=approval,
        session="default/terminal/x",
        call_id="c",
        tool="exec",
        command="ls",
        call="{}",
        lease="00",
        action_keys=("shell:ls",),
        tier="tier2",
        reasons=(),
        expires=0,
    )


def test_the_list_says_until_when_a_question_is_held_and_then_how_long_it_waits() -> None:
    held = replace(row("a"), held_until=60_000, expires=120_000)
    assert re.fullmatch(r"held until \d\d:\d\d", _left(held, 59_999))
    assert (_left(held, 60_000), _left(held, 119_000), _left(held, 500_000)) == ("60 s", "1 s", "0 s")


def test_an_id_is_found_by_its_beginning_if_only_one_begins_so() -> None:
    rows = [row("ab12"), row("ab34"), row("cd56")]
    assert _named(rows, "c").approval == "cd56"
    assert _named(rows, "ab12").approval == "ab12"
    for text in ("ab", "", "ef", "ab123"):
        with pytest.raises(NotWaiting):
            _named(rows, text)


def test_the_list_says_where_it_leaves_something_out() -> None:
    assert _clipped("x" * 100) == "x" * 100
    assert _clipped("x" * 101) == "x" * 100 + " «1 more»"
    assert _clipped("ls «3 more»") == "ls \\xab3 more\\xbb"


def test_a_line_without_its_styles() -> None:
    assert plain(("a ", Styled("b", "red"), " c")) == "a b c"
    assert plain(Styled("b", "red")) == plain("b") == "b"
