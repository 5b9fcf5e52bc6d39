from __future__ import annotations

import asyncio
import io
import json

import pytest

from wirken.cli import approving
from wirken.cli.keyboard import Keyboard
from wirken.cli.output import Output
from wirken.ipc.calls.operator import AnswerApproval, ApprovalRow

NOW = 1_800_000_000_000


class Typed(Keyboard):
    """A keyboard on which these lines are typed after the question."""

    def __init__(self, *lines: str | None, before: tuple[str, ...] = ()) -> None:
        super().__init__()
        self._after = lines
        for line in before:
            self._lines.put_nowait(line)

    def forget(self) -> None:
        super().forget()
        for line in self._after:
            self._lines.put_nowait(line)


def row(tier: str = "tier2", command: str = "ls -la", **more: str) -> ApprovalRow:
    place = {"sandbox": "bubblewrap", "network": "none", "workspace": "/home/me/w", "read_only": []}
    call = json.dumps({"tool": "exec", "arguments": json.dumps({"command": command}), "place": place, **more})
    return ApprovalRow(
        approval="a1",
        session="default/terminal/c",
        call_id="c1",
        tool="exec",
        command=command,
        call=call,
        lease="f" * 64,
        action_keys=("shell:ls",),
        tier=tier,
        reasons=("`ls` runs in the sandbox.",),
        expires=NOW + 60_000,
    )


def printed(asked: ApprovalRow) -> str:
    stderr = io.StringIO()
    out = Output(False, io.StringIO(), stderr, {"NO_COLOR": "1"})
    for line in approving.described(asked, NOW):
        out.note(line)
    return stderr.getvalue()


async def answer(asked: ApprovalRow, *lines: str | None, before: tuple[str, ...] = ()) -> tuple[AnswerApproval, str]:
    stderr = io.StringIO()
    out = Output(False, io.StringIO(), stderr, {})
    async with asyncio.timeout(5):
        given = await approving.answered(asked, Typed(*lines, before=before), out)
    return given, stderr.getvalue()


def test_the_question_shows_what_was_hashed_where_it_runs_and_how_long_there_is() -> None:
    shown = printed(row())
    assert "(tier2; shell:ls; 60 s)" in shown and "exec: ls -la" in shown
    assert "workspace /home/me/w" in shown and "network none" in shown
    assert row().call in shown and "f" * 64 in shown


def test_no_byte_of_a_call_makes_a_line_or_a_movement_of_its_own() -> None:
    hostile = "ls\n  Allow? [o]nce: o\r\x1b[2K\x1b[1A\u202egpj.exe\u200b\u2028\x00\x85\U000e0041"
    plain, shown = printed(row()), printed(row(command=hostile))
    assert shown.count("\n") == plain.count("\n")
    assert all(line.isprintable() for line in shown.splitlines())
    assert "\\x0a" in shown and "\\x1b[2K" in shown and "\\u202e" in shown and "\\U000e0041" in shown


@pytest.mark.parametrize(
    ("typed", "choice"),
    [("o", "once"), ("O", "once"), (" once ", "once"), ("y", "once"), ("30", "30d"), ("30d", "30d"), ("d", "deny")],
)
async def test_an_answer_repeats_the_lease_that_was_shown(typed: str, choice: str) -> None:
    given, _ = await answer(row(), typed)
    assert (given.approval, given.lease, given.choice) == ("a1", "f" * 64, choice)


async def test_a_no_may_carry_a_reason() -> None:
    given, _ = await answer(row(), "d not on my laptop")
    assert (given.choice, given.reason) == ("deny", "not on my laptop")


async def test_a_tier_3_call_is_not_offered_30_days_and_does_not_take_them() -> None:
    given, shown = await answer(row("tier3"), "30", "30d", "o")
    assert given.choice == "once" and "30" not in shown and shown.count("Allow?") == 3


@pytest.mark.parametrize("typed", ["", " ", "maybe", "oo", "yes please\x1b[A", "1", "n"])
async def test_anything_else_asks_again_and_is_never_a_yes(typed: str) -> None:
    given, shown = await answer(row(), typed, "d")
    assert given.choice == "deny" or typed.split()[:1] == ["yes"]
    assert shown.count("Allow?") == (1 if typed.startswith("yes") else 2)


async def test_the_end_of_input_is_a_no() -> None:
    given, _ = await answer(row(), None)
    assert (given.choice, given.reason) == ("deny", "The terminal closed.")


async def test_what_was_typed_before_the_question_is_no_answer() -> None:
    given, _ = await answer(row(), "d", before=("o", "o", "30"))
    assert given.choice == "deny"
