"""Follow what a session's rows say was delivered, and name what does not follow from the rows before. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from wirken.domain.events import AssistantMessageFact, DeliveryConfirmed, DeliveryFailed, Fact, TurnEnded


@dataclass(slots=True)
class Deliverable:
    """Feed it the rows of a session in order. That nothing was delivered is no contradiction: it may wait."""

    _open: set[int] = field(default_factory=set)
    """Rows that say something to a person, and of which no delivery is on record."""

    def follow(self, seq: int, fact: Fact, *, blind: bool) -> Iterator[str]:
        """Yield one sentence for each thing that is wrong with this row. `blind`: a row before could not be read."""
        match fact:
            case AssistantMessageFact() | TurnEnded():
                self._open.add(seq)
            case DeliveryConfirmed(about_seq=about) | DeliveryFailed(about_seq=about):
                if about not in self._open and not blind:
                    yield "a delivery of a row that says nothing to anybody, or a second one"
                self._open.discard(about)
            case _:
                pass
