"""A question to a person as the messages of a platform, and what is left of it once it is settled. Pure."""

from __future__ import annotations

from typing import Final

from wirken.channels.contract import CHOICES, Choice
from wirken.domain.text import shown
from wirken.ipc.calls.operator import ApprovalRow
from wirken.ipc.prompt import ends, lines

_DECIDED: Final = {
    "once": "Allowed once",
    "session": "Allowed for this session",
    "30d": "Allowed for 30 days",
    "deny": "Denied",
    "lapsed": "Nobody answered in time: denied",
    "withdrawn": "Not needed any more",
}
COUNTS: Final[dict[Choice, str]] = {
    "once": "Allowed, this once.",
    "session": "Allowed, for this session.",
    "30d": "Allowed, for 30 days.",
    "deny": "Denied.",
}
"""What whoever pressed a button is told when it counts."""


def asked(row: ApprovalRow, now: int, *, buttons: bool = True) -> str:
    """Return the question at `now` (ms) in full, and how it is answered where no button can be pressed."""
    return "\n".join((*(f"{line.head}{line.text}" for line in lines(row, now)), _words(row, buttons=buttons)))


def too_long(row: ApprovalRow) -> str:
    """Return what is shown of a question that no chat can hold: what it is about, and where it is decided."""
    return (
        f"Approval needed ({row.tier}): {shown(row.tool)}: {ends(shown(row.command))}\n"
        "This call is too long to be shown here, so it cannot be allowed here. Decide at the page or at a terminal "
        f"(wirken approvals show {shown(row.approval)}), or deny it here."
    )


def settled(row: ApprovalRow, decision: str, by: str) -> str:
    """Return what the question's message says afterwards: what was decided about what, and by whom if known."""
    who = f" by {shown(by)}" if by else ""
    return f"{_DECIDED.get(decision, 'Settled')}{who}: {shown(row.tool)}: {ends(shown(row.command))}"


def _words(row: ApprovalRow, *, buttons: bool) -> str:
    allow = [choice for choice in row.choices if choice in CHOICES and choice != "deny"]
    ways = f"!approve {row.approval}" + (f" [{'|'.join(allow)}]" if len(allow) > 1 else "")
    first = "Press a button" if buttons else "React with a sign"
    return f"{first}, or write: {ways}, or: !deny {row.approval} and why"
