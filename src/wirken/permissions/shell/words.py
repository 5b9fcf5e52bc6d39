"""The words of a command: what is known of each before it runs, and which characters may stand in one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final

from wirken.domain.text import shown

UNKNOWN: Final = "\0"
"""Stands in a word's text for any stretch that only running decides: an expansion, a wildcard, an output. NUL,
because no argument of a program can hold it."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word after quotes and backslashes are taken off."""

    text: str
    quoted: bool = False
    """Some of it was quoted or escaped."""
    splits: bool = False
    """An expansion in it may make several words of it, or none, and any of them may begin in any way."""
    globs: bool = False
    """A wildcard in it may make several words of it; all begin as it does."""
    counts: bool = False
    """It is a whole number for certain, known or not."""
    variable: str = ""
    """The variable that it consists of, if it is one and nothing else."""

    @property
    def certain(self) -> bool:
        """Is its text exactly what a program gets?"""
        return UNKNOWN not in self.text

    @property
    def several(self) -> bool:
        return self.splits or self.globs

    @property
    def may_be_option(self) -> bool:
        """Could it be read as an option, as far as that is known?"""
        return self.splits or self.text.startswith(("-", UNKNOWN))

    def replaced(self, mark: str) -> Word:
        """Return the word with `mark` become unknown: what xargs or find puts in its place."""
        return replace(self, text=self.text.replace(mark, UNKNOWN)) if mark in self.text else self


SOMETHING: Final = Word(UNKNOWN, splits=True)
"""Any number of words of which nothing is known."""

Words = tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Assigned:
    """A variable that gets a value."""

    name: str
    value: Word


@dataclass(frozen=True, slots=True)
class Redirect:
    """A redirection that names a file."""

    target: Word
    writes: bool


@dataclass(frozen=True, slots=True)
class Command:
    """One simple command. `at` is the offset of its first word in the text that was read."""

    words: Words
    assigned: tuple[Assigned, ...] = ()
    redirects: tuple[Redirect, ...] = ()
    piped: bool = False
    """Its standard input is what another command wrote."""
    at: int = 0


def literal(texts: tuple[str, ...]) -> Words:
    """Return the words of an argv array, to which no shell does anything."""
    return tuple(map(Word, texts))


def hides(text: str) -> bool:
    """Does `text` hold a character that cannot be seen: control (but tab and line feed), bidirectional, zero-width?"""
    if text.isascii() and text.translate(_PLAIN_CONTROLS).isprintable():
        return False
    return shown(text, keep_newlines=True) != text or _SELECTOR in text


_PLAIN_CONTROLS: Final = {ord("\t"): " ", ord("\n"): " "}
_SELECTOR: Final = "\ufe0f"  # running text may keep it for its emoji; in a command it is a second spelling


def could_be(pattern: str, name: str) -> bool:
    """Can a word of which `pattern` is known come out as `name`, or for a name `*.x` as something that ends in `.x`?

    A pattern of which less than two letters are known, and no dot in front, says nothing.
    """
    return could_be_one(pattern, (name,))


def could_be_one(pattern: str, names: Collection[str]) -> bool:
    """As `could_be`, for any of `names`; the pattern is taken apart once."""
    if UNKNOWN not in pattern:
        return any(pattern.endswith(name[1:]) if name.startswith("*") else pattern == name for name in names)
    if len(pattern.replace(UNKNOWN, "")) < 2 and not pattern.startswith("."):
        return False
    pieces = pattern.split(UNKNOWN)
    head, tail = pieces[0], pieces[-1]
    for name in names:  # the quick looks come first: this is done for every name of a table
        if name.startswith("*"):
            if _ends_so(tail, name[1:]):
                return True
        elif name.startswith(head) and name.endswith(tail) and _in_order(pieces, name):
            return True
    return False


def _ends_so(tail: str, ending: str) -> bool:
    return tail.endswith(ending) or (len(tail) > 1 and ending.endswith(tail))


def _in_order(pieces: list[str], name: str) -> bool:
    """Does `name` start with the first piece, end in the last, and hold the others between, in order?"""
    first, *middle, last = pieces
    if len(name) < len(first) + len(last) or not (name.startswith(first) and name.endswith(last)):
        return False
    at, end = len(first), len(name) - len(last)
    for piece in middle:
        found = name.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True
