"""Where a reader of shell text stands, and what it has found so far."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from wirken.domain import limits
from wirken.domain.errors import WirkenError
from wirken.permissions.shell.words import Assigned, Command


class NotPlain(WirkenError):
    """The text leaves the part of the language that every shell reads alike; the message says where."""


@dataclass(slots=True)
class Here:
    """A here-document whose body has not begun yet."""

    delimiter: str
    expands: bool
    tabs: bool
    """Tabs at the start of its lines do not count."""


@dataclass(slots=True)
class Reading:
    """A position in `text`, and all that was found before it."""

    text: str
    end: int
    at: int = 0
    depth: int = 0
    piped: bool = False
    commands: list[Command] = field(default_factory=list)
    functions: set[str] = field(default_factory=set)
    counted: set[str] = field(default_factory=set)
    """Variables that arithmetic reads."""
    doubts: list[str] = field(default_factory=list)
    """What is uncertain although the text could be read, as sentences."""
    waiting: list[Here] = field(default_factory=list)
    bodies: list[tuple[int, int]] = field(default_factory=list)
    """Here-documents in which expansions are made, by their offsets; to be read when all else is."""
    data: list[tuple[int, int]] = field(default_factory=list)
    """Here-documents in which none are made."""

    def peek(self, length: int = 1) -> str:
        """Return the next characters, fewer at the end."""
        return self.text[self.at : min(self.at + length, self.end)]

    def takes(self, expected: str) -> bool:
        """Step over `expected` if it comes next."""
        if not self.text.startswith(expected, self.at, self.end):
            return False
        self.at += len(expected)
        return True

    def match(self, form: re.Pattern[str]) -> re.Match[str] | None:
        """Return the match that begins here, without stepping over it."""
        return form.match(self.text, self.at, self.end)

    def blanks(self) -> None:
        """Step over blanks, line continuations and a comment: what may stand between two tokens."""
        found = self.match(_BLANKS)
        if found is not None:
            self.at = found.end()

    def newline(self) -> bool:
        """Step over a line feed and the here-documents that begin after it, if one comes next.

        Raises `NotPlain` where a here-document does not end.
        """
        if self.peek() != "\n":
            return False
        self.at += 1
        for here in self.waiting:
            self._body(here)
        self.waiting.clear()
        return True

    def lines(self) -> None:
        """Step over any number of blanks, comments and line feeds."""
        self.blanks()
        while self.newline():
            self.blanks()

    def add(self, command: Command) -> None:
        """Note a command. Raises `NotPlain` where there are more than a person could judge."""
        if len(self.commands) >= limits.COMMANDS:
            raise NotPlain("It runs too many commands.")
        self.commands.append(command)

    def assign(self, assigned: Assigned) -> None:
        """Note a variable that gets its value outside of a simple command."""
        self.add(Command((), (assigned,), piped=self.piped, at=self.at))

    @contextlib.contextmanager
    def deeper(self) -> Iterator[None]:
        """Hold the next level of nesting. Raises `NotPlain` where the text nests too deeply."""
        if self.depth >= limits.COMMAND_NESTING:
            raise NotPlain("It nests too deeply.")
        self.depth += 1
        yield
        self.depth -= 1

    @contextlib.contextmanager
    def within(self, start: int, end: int) -> Iterator[None]:
        """Read the part from `start` to `end` by itself, then go on behind it."""
        outer, self.at, self.end = self.end, start, end
        with self.deeper():
            yield
        self.at, self.end = end, outer

    def _body(self, here: Here) -> None:
        start = self.at
        while self.at < self.end:
            line_at = self.at
            stop = self.text.find("\n", line_at, self.end)
            self.at = self.end if stop < 0 else stop + 1
            line = self.text[line_at : self.end if stop < 0 else stop]
            if (line.lstrip("\t") if here.tabs else line) == here.delimiter:
                (self.bodies if here.expands else self.data).append((start, line_at))
                return
        raise NotPlain("A here-document does not end.")


_BLANKS: Final = re.compile(r"(?:[ \t]|\\\n)*(?:#[^\n]*)?")
