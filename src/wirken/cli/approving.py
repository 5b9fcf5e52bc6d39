"""An approval at the terminal: show the exact call, take one answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from wirken.cli.keyboard import Keyboard
from wirken.cli.output import Line, Output, Styled
from wirken.ipc.calls.operator import AnswerApproval, ApprovalRow, Choice
from wirken.ipc.prompt import lines

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
    "n": "deny",
    "no": "deny",
}


def described(row: ApprovalRow, now: int) -> Iterator[Line]:
    """Yield the question as lines for a terminal."""
    for head, text, kind in lines(row, now):
        match kind:
            case "title":
                yield (Styled(head, "yellow"), text)
            case "matter":
                yield (head, Styled(text, "bold"))
            case "plain":
                yield f"{head}{text}"


def prompt(row: ApprovalRow) -> Line:
    """Return the line that asks."""
    return f"  Allow? {', '.join(_OFFERED[choice] for choice in row.choices)}: "


def elsewhere(row: ApprovalRow) -> Iterator[Line]:
    """Yield who may answer a question that whoever sits here may not."""
    yield "  You asked this, and four eyes are wanted: another owner or approver answers, in a conversation or on the"
    yield f"  page of their own. It waits here; Ctrl+C ends the turn, and so does `wirken stop {row.session}`."


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
