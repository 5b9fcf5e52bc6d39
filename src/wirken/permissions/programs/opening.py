"""How a wrapper takes its command, and what it turns out to run when one level of it is opened."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

from wirken.permissions.programs.options import Known
from wirken.permissions.shell.words import Assigned, Words


@dataclass(frozen=True, slots=True)
class Wrapper:
    """How one program takes the command that it runs."""

    known: Known
    operands: int = 0
    """Words between the options and the command."""
    assigns: bool = False
    """`NAME=value` may stand before the command."""
    alone: Literal["nothing", "shell"] = "nothing"
    """What runs where no command follows."""
    elsewhere: bool = False
    """Programs are looked up in another root, so that a name tells nothing."""


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
