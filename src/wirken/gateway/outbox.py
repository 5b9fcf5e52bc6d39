"""What must reach a platform's conversation, read off its session's rows. Pure.

An answer, and a sentence where a turn ended without one, wait here until a row says that they were delivered, or never
will be.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from wirken.domain.events import (
    AssistantMessageFact,
    DeliveryConfirmed,
    DeliveryFailed,
    Fact,
    TurnEnded,
    UserMessageFact,
)
from wirken.domain.people import Role
from wirken.domain.text import brief

STOPPED: Final = "This was stopped before it was finished."
INTERRUPTED: Final = "This was interrupted and is not finished. Please ask again."
FAILED: Final = "Something went wrong, so there is no answer to this. The owner can find out why."


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What row `seq` says, on record since `ts` (ms), to whoever wrote `message`."""

    seq: int
    ts: int
    text: str
    message: UserMessageFact


@dataclass(slots=True)
class Outbox:
    """Feed it the rows of a session in order, each with the message that its turn is about."""

    waiting: dict[int, Outgoing] = field(default_factory=dict)
    """What is neither confirmed nor given up, by row, in order."""

    def follow(self, seq: int, ts: int, fact: Fact, message: UserMessageFact | None) -> None:
        """Take the next row."""
        match fact:
            case DeliveryConfirmed(about_seq=about) | DeliveryFailed(about_seq=about):
                self.waiting.pop(about, None)
            case _ if message is not None and (text := _said(fact, message)):
                self.waiting[seq] = Outgoing(seq, ts, text, message)
            case _:
                pass

    @property
    def first(self) -> Outgoing | None:
        """What is to be delivered next: nothing overtakes it."""
        return next(iter(self.waiting.values()), None)


def _said(fact: Fact, message: UserMessageFact) -> str:
    """Return what a row says to whoever wrote `message`; nothing for most rows."""
    match fact:
        case AssistantMessageFact(text=text):
            return text
        case TurnEnded(outcome="stopped"):
            return STOPPED
        case TurnEnded(outcome="interrupted"):
            return INTERRUPTED
        case TurnEnded(outcome="failed", reason=reason):
            # Reasons speak of providers, budgets and files: they are for those who may decide about them.
            return f"There is no answer to this. {brief(reason)}" if Role(message.role).may_answer else FAILED
        case _:
            return ""
