"""What a wrapper runs, as the opening of one level shows it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from wirken.permissions.words import Assigned, Words


@dataclass(frozen=True, slots=True)
class Opened:
    """Commands that are started as they stand, texts that a shell reads, and what is uncertain."""

    commands: tuple[Words, ...] = ()
    scripts: tuple[str, ...] = ()
    assigned: tuple[Assigned, ...] = ()
    doubts: tuple[str, ...] = ()

    def with_doubts(self, doubts: tuple[str, ...]) -> Opened:
        return replace(self, doubts=self.doubts + doubts)


NOTHING: Final = Opened()


def doubtful(why: str) -> Opened:
    """Return that anything may run."""
    return Opened(doubts=(why,))
