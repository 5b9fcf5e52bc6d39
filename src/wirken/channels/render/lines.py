"""A message as lines of runs: what every dialect writes, and what may be split without understanding it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, Flag, auto
from itertools import groupby


class Style(Flag):
    """How a run looks. Code stands alone; a link is never code, for not every platform can show both."""

    PLAIN = 0
    STRONG = auto()
    EMPHASIS = auto()
    STRIKE = auto()
    CODE = auto()


class Kind(Enum):
    """What a line is a part of."""

    PROSE = auto()
    HEADING = auto()
    CODE = auto()


@dataclass(frozen=True, slots=True)
class Run:
    """Characters that look alike and, with a `target`, lead to one place."""

    text: str
    style: Style = Style.PLAIN
    target: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One line. Code lines with the same `block` are one code block.

    With `keep`, the next line belongs into the same message; a `continued` line goes on where the one before was cut.
    """

    runs: tuple[Run, ...] = ()
    kind: Kind = Kind.PROSE
    quoted: bool = False
    level: int = 0
    block: int = 0
    language: str = ""
    keep: bool = False
    continued: bool = False

    @property
    def text(self) -> str:
        return "".join(run.text for run in self.runs)


def shown_text(lines: Iterable[Line]) -> str:
    """Return what a reader sees of `lines`, without any markup."""
    return "".join(f"{'' if line.continued else chr(10)}{line.text}" for line in lines).removeprefix("\n")


def plain_text(lines: Sequence[Line]) -> str:
    """Return `lines` for a reader without any markup: as `shown_text`, with `> ` before quoted ones."""
    return "\n".join(f"> {line.text}" if line.quoted else line.text for line in lines)


def joined(runs: Iterable[Run]) -> tuple[Run, ...]:
    """Return `runs` without empty ones, neighbours that look alike made one; a link stays by itself."""
    runs = (run for run in runs if run.text)
    found: list[Run] = []
    for (style, target, _), alike in groupby(enumerate(runs), key=_look):
        found.append(Run("".join(run.text for _, run in alike), style, target))
    return tuple(found)


def _look(numbered: tuple[int, Run]) -> tuple[Style, str, int]:
    """What neighbours share that are made one; a link has its number in it."""
    number, run = numbered
    return run.style, run.target, number if run.target else -1
