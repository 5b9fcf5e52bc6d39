"""An approval at the terminal: show the exact call, take one answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from wirken.cli.keyboard import Keyboard
from wirken.cli.output import Line, Output, Styled
from wirken.domain.clock import Clock
from wirken.domain.text import quoted, shown, unpadded
from wirken.ipc.calls.operator import AnswerApproval, ApprovalRow, Choice

_HEAD, _TAIL, _MARK = 18, 10, 17
"""Characters of a long text that stand above the question, and of the mark between: with all else, a line of 80."""
_OFFERED: Final[dict[Choice, str]] = {
    "once": "[o]nce",
    "session": "this [s]ession",
    "30d": "[30] days",
    "deny": "[d]eny",
}
_CHOICES: Final[dict[str, Choice]] = {
    "o": "once",
    "once": "once",
    "y": "once",
    "yes": "once",
    "30": "30d",
    "30d": "30d",
    "s": "session",
    "session": "session",
    "d": "deny",
    "deny": "deny",
}


def described(row: ApprovalRow, now: int) -> Iterator[Line]:
    """Yield the question as lines. Every byte of the call is shown; nothing in it can make a line of its own.

    A long call wraps into lines that may look like ours. So its padding is counted instead of drawn, and the last
    two lines, short whatever the call is, say again what is decided about.
    """
    left = max(0, (row.expires - now) // 1000)
    keys = unpadded(", ".join(row.action_keys))
    yield (Styled("Approval needed ", "yellow"), f"({row.tier}; {keys}; {left} s)")
    called = f", who is called {unpadded(quoted(row.sender_name))} there" if row.sender_name else ""
    yield f"  asked:  by {row.principal or 'somebody'} in {row.session}{called}"
    if row.message:
        yield f"  wrote:  {unpadded(quoted(row.message))}{_left_out(row.message_cut)}"
    if row.said:
        yield f"  model:  {unpadded(quoted(row.said))}{_left_out(row.said_cut)}"
    yield (f"  {unpadded(row.tool)}: ", Styled(unpadded(row.command), "bold"))
    for reason in row.reasons:
        yield f"  why:    {unpadded(reason)}"
    for place in row.place:
        yield f"  where:  {unpadded(place)}"
    yield f"  call:   {unpadded(row.call)}"
    yield f"  sha256: {row.lease}"
    yield (Styled("You decide on ", "yellow"), f"{row.tier}; {_ends(keys)}; {left} s")
    command = unpadded(row.command)
    yield (f"  {unpadded(row.tool)}, {len(row.command)} characters: ", Styled(_ends(command), "bold"))


def prompt(row: ApprovalRow) -> Line:
    """Return the line that asks."""
    return f"  Allow? {', '.join(_OFFERED[choice] for choice in row.choices)}: "


def choice_of(row: ApprovalRow, line: str) -> AnswerApproval | None:
    """Return the answer that a typed line is; None where it is none that fits the question."""
    word, _, reason = line.strip().partition(" ")
    choice = _CHOICES.get(word.casefold())
    if choice is None or choice not in row.choices:
        return None
    why = reason if choice == "deny" else ""
    return AnswerApproval(approval=row.approval, lease=row.lease, choice=choice, reason=why)


async def answered(row: ApprovalRow, keyboard: Keyboard, out: Output) -> AnswerApproval:
    """Ask until there is an answer that fits; the end of input is a no."""
    keyboard.forget()
    while True:
        out.ask(prompt(row))
        line = await keyboard.line()
        if line is None:
            return AnswerApproval(approval=row.approval, lease=row.lease, choice="deny", reason="The terminal closed.")
        given = choice_of(row, line)
        if given is not None:
            return given
        out.note("  Please answer with one of these.")


def _left_out(count: int) -> str:
    return f" and {count} more bytes, not shown" if count else ""


def seconds_left(row: ApprovalRow, clock: Clock) -> float:
    """Return how long the question stays open, in seconds."""
    return max(0.0, (row.expires - clock.now()) / 1000)


def _ends(text: str) -> str:
    """Return the beginning and the end of a long text, with what is between them counted."""
    plain = shown(text)  # first, because an escape is up to ten characters long
    between = len(plain) - _HEAD - _TAIL
    return plain if between <= _MARK else f"{plain[:_HEAD]} «{between} more» {plain[-_TAIL:]}"
