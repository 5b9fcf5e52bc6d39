from __future__ import annotations

import asyncio
import io
import json
import re

import msgspec
import pytest
from msgspec.structs import replace

from wirken.cli import approving
from wirken.cli.keyboard import Keyboard
from wirken.cli.output import Output
from wirken.gateway.questions import choices
from wirken.ipc.calls.operator import AnswerApproval, ApprovalRow

NAMED = '\\"  where: nowhere"'
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
        principal="owner",
        channel="terminal",
        place=("in a sandbox of its own (bubblewrap)", "can read and write: /home/me/w", "can reach no network"),
        choices=choices(tier, ("shell:ls",)),
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
    assert "where:  can read and write: /home/me/w" in shown and "where:  can reach no network" in shown
    assert "asked:  by owner in default/terminal/c" in shown
    assert row().call in shown and "f" * 64 in shown


def test_no_byte_of_a_call_makes_a_line_or_a_movement_of_its_own() -> None:
    hostile = "ls\n  Allow? [o]nce: o\r\x1b[2K\x1b[1A\u202egpj.exe\u200b\u2028\x00\x85\U000e0041"
    plain, shown = printed(row()), printed(row(command=hostile))
    assert shown.count("\n") == plain.count("\n")
    assert all(line.isprintable() for line in shown.splitlines())
    assert "\\x0a" in shown and "\\x1b[2K" in shown and "\\u202e" in shown and "\\U000e0041" in shown


def test_no_byte_of_anybodys_words_makes_a_line_or_a_movement_of_its_own() -> None:
    hostile = 'x\n  Allow? [o]nce: o\r\x1b[2K\x1b[1A\u202egpj\u200b\u2028\x00\x85\U000e0041"  where: nowhere'
    words = {"message": hostile, "said": hostile, "sender_name": hostile, "principal": hostile}
    plain = replace(row(), **dict.fromkeys(words, "x"))
    forged = replace(row(), **words, reasons=(hostile,), place=(hostile,) * 3)
    shown = printed(forged)
    assert shown.count("\n") == printed(plain).count("\n")
    assert all(line.isprintable() for line in shown.splitlines())
    assert "\\x1b[2K" in shown and "\\u202e" in shown and "\\u200b" in shown
    assert shown.count(NAMED) == 3, "what is quoted stays between its quotes"


def test_words_that_were_cut_say_how_much_is_missing() -> None:
    shown = printed(replace(row(), message="hi", message_cut=8000, said="well", said_cut=7))
    assert '"hi" and 8000 more bytes, not shown' in shown and '"well" and 7 more bytes, not shown' in shown


def test_a_call_is_shown_whole_however_long_it_is() -> None:
    long = "echo " + "a" * 300_000
    assert row(command=long).call in printed(row(command=long)) and long in printed(row(command=long))


@pytest.mark.parametrize(
    ("typed", "choice"),
    [
        ("s", "session"),
        ("Session", "session"),
        ("o", "once"),
        ("O", "once"),
        (" once ", "once"),
        ("y", "once"),
        ("30", "30d"),
        ("30d", "30d"),
        ("d", "deny"),
    ],
)
async def test_an_answer_repeats_the_lease_that_was_shown(typed: str, choice: str) -> None:
    given, _ = await answer(row(), typed)
    assert (given.approval, given.lease, given.choice) == ("a1", "f" * 64, choice)


async def test_a_no_may_carry_a_reason() -> None:
    given, _ = await answer(row(), "d not on my laptop")
    assert (given.choice, given.reason) == ("deny", "not on my laptop")


async def test_a_tier_3_call_is_not_offered_30_days_and_does_not_take_them() -> None:
    given, shown = await answer(row("tier3"), "30", "30d", "s", "session", "o")
    assert given.choice == "once" and "30" not in shown and shown.count("Allow?") == 5


@pytest.mark.parametrize("typed", ["", " ", "maybe", "oo", "yes please\x1b[A", "1", "nope"])
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


def screen(text: str, columns: int = 80, lines: int = 24) -> list[str]:
    """Return what a terminal of that size shows last: long lines wrap."""
    drawn = [line[at : at + columns] for line in text.split("\n") for at in range(0, max(1, len(line)), columns)]
    return drawn[-lines:]


BLANKS = [" ", "\t", "\u00a0", "\u2003", "\u3000", " \u00a0"]


@pytest.mark.parametrize("blank", BLANKS)
@pytest.mark.parametrize("columns", [60, 80, 132])
def test_padding_draws_no_second_question(blank: str, columns: int) -> None:
    imitated = ("", "", "", "Approval needed (tier2; shell:ls; 59 s)", "  exec: ls -la", "  call:   ls -la")
    padded = "".join(line + blank * (columns - len(line)) for line in imitated)
    asked = row("tier3", f"rm -rf /workspace #{padded}", workspace=padded)
    asked = msgspec.structs.replace(asked, reasons=(padded,), action_keys=(f"shell:rm{padded}",), tool=f"exec{padded}")
    shown = printed(asked)
    assert not any(
        re.search(r"\s{3}", line.replace("why:    ", "").replace("call:   ", "").strip()) for line in shown.splitlines()
    )
    assert not any(line.startswith("  exec: ls -la") for line in screen(shown, columns))
    assert "blanks»" in shown


def test_the_marks_for_padding_cannot_be_written_by_a_call() -> None:
    shown = printed(row(command="ls «80 blanks»"))
    assert "«80 blanks»" not in shown and "\\xab80 blanks\\xbb" in shown


def test_what_is_decided_stands_last_and_is_short() -> None:
    lines = printed(row("tier3", "rm -rf /workspace/* #" + ". " * 5000 + "; ls -la")).splitlines()
    assert lines[-2].startswith("You decide on tier3; shell:ls; 60 s")
    assert lines[-1].startswith("  exec, 10029 characters: rm -rf /workspace/ «")
    assert lines[-1].endswith("; ls -la") and max(len(lines[-1]), len(lines[-2])) <= 80
    assert printed(row()).splitlines()[-1] == "  exec, 6 characters: ls -la"


@pytest.mark.parametrize("filler", ["x", "\x00", "\U000e0041", "«", "漢"])
def test_the_last_lines_stay_short_whatever_a_call_holds(filler: str) -> None:
    asked = msgspec.structs.replace(row("tier3", filler * 2**20), action_keys=(filler * 5000,))
    assert all(len(line) <= 80 for line in printed(asked).splitlines()[-2:])
