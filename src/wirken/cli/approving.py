"""An approval at the terminal: show the exact call, take one answer."""

from __future__ import annotations

import json
from collections.abc import Iterator

from wirken.cli.keyboard import Keyboard
from wirken.cli.output import Line, Output, Styled
from wirken.domain.actions import Tier
from wirken.domain.clock import Clock
from wirken.ipc.calls.operator import AnswerApproval, ApprovalRow

_CHOICES = {
    "o": "once",
    "once": "once",
    "y": "once",
    "yes": "once",
    "30": "30d",
    "30d": "30d",
    "d": "deny",
    "deny": "deny",
}


def described(row: ApprovalRow, now: int) -> Iterator[Line]:
    """Yield the question as lines. Every byte of the call is shown; nothing in it can make a line of its own."""
    left = max(0, (row.expires - now) // 1000)
    yield (Styled("Approval needed ", "yellow"), f"({row.tier}; {', '.join(row.action_keys)}; {left} s)")
    yield (f"  {row.tool}: ", Styled(row.command, "bold"))
    for reason in row.reasons:
        yield f"  why:    {reason}"
    yield f"  where:  {_place(row.call)}"
    yield f"  call:   {row.call}"
    yield f"  sha256: {row.lease}"


def prompt(row: ApprovalRow) -> Line:
    """Return the line that asks."""
    choices = "[o]nce, [30] days, [d]eny" if row.tier == Tier.TWO else "[o]nce, [d]eny"
    return f"  Allow? {choices}: "


async def answered(row: ApprovalRow, keyboard: Keyboard, out: Output) -> AnswerApproval:
    """Ask until there is an answer that fits; the end of input is a no."""
    keyboard.forget()
    while True:
        out.ask(prompt(row))
        line = await keyboard.line()
        if line is None:
            return AnswerApproval(approval=row.approval, lease=row.lease, choice="deny", reason="The terminal closed.")
        word, _, reason = line.strip().partition(" ")
        match _CHOICES.get(word.casefold()):
            case "once":
                return AnswerApproval(approval=row.approval, lease=row.lease, choice="once")
            case "30d" if row.tier == Tier.TWO:
                return AnswerApproval(approval=row.approval, lease=row.lease, choice="30d")
            case "deny":
                return AnswerApproval(approval=row.approval, lease=row.lease, choice="deny", reason=reason)
            case _:
                out.note("  Please answer with one of these.")


def seconds_left(row: ApprovalRow, clock: Clock) -> float:
    """Return how long the question stays open, in seconds."""
    return max(0.0, (row.expires - clock.now()) / 1000)


def _place(call: str) -> str:
    place = json.loads(call)["place"]
    return f"sandbox {place['sandbox']}, network {place['network']}, workspace {place['workspace']}"
