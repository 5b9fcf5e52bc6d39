"""The redirections of a command: files, descriptors, here-documents (POSIX.1-2024, XCU 2.7)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from wirken.permissions.shell import quoting
from wirken.permissions.shell.quoting import Statements
from wirken.permissions.shell.reading import Here, NotPlain, Reading
from wirken.permissions.shell.words import Redirect, Word

DIVERGENT: Final = re.compile(r"&>|\|&|<<<|;;?&|[<>]\(|\(\(|[({]\\\n")
"""Operators that not every shell has, or has with the same meaning."""

WORD_ENDS: Final = "|&;<>()\n"
"""Characters that end a word besides blanks."""

_BEGINS: Final = "0123456789<>{"
_REDIRECT: Final = re.compile(r"([0-9]*)(<<-|<<|<&|<>|>>|>&|>\||<|>)")
_NAMED: Final = re.compile(r"\{[A-Za-z_][A-Za-z0-9_\[\]]*\}[<>]")
"""bash opens a descriptor of its own choice and gives the variable its number; others see a word."""

_DUPLICATE: Final = re.compile(r"[ \t]*(?:[0-9]|-)(?=[ \t\n;&|()<>]|\Z)")
_DELIMITER: Final = re.compile(
    r"[ \t]*(?:'([A-Za-z0-9_. -]+)'|\"([A-Za-z0-9_. -]+)\"|\\?([A-Za-z0-9_.-]+))(?=[ \t\n;&|()<>])"
)


def redirects(reading: Reading, statements: Statements) -> Iterator[Redirect]:
    """Read the redirections that come next; those that name no file are read and not returned."""
    reading.blanks()
    if reading.peek() not in _BEGINS:
        return
    while (found := reading.match(_REDIRECT)) is not None or reading.match(_NAMED):
        if found is None or reading.match(DIVERGENT) or len(found[1]) > 1:
            raise NotPlain("It holds a redirection that shells read differently.")
        reading.at = found.end()
        if found[2] in (">&", "<&"):
            _duplicate(reading)
        elif found[2] in ("<<", "<<-"):
            _here(reading, tabs=found[2] == "<<-")
        else:
            yield Redirect(_target(reading, statements), writes=found[2] != "<")
        reading.blanks()


def _target(reading: Reading, statements: Statements) -> Word:
    reading.blanks()
    if reading.at >= reading.end or reading.peek() in WORD_ENDS:
        raise NotPlain("A redirection names no file.")
    return quoting.word(reading, statements)


def _duplicate(reading: Reading) -> None:
    found = reading.match(_DUPLICATE)
    if found is None:
        raise NotPlain("A redirection names no plain descriptor.")
    reading.at = found.end()


def _here(reading: Reading, *, tabs: bool) -> None:
    found = reading.match(_DELIMITER)
    if found is None:
        raise NotPlain("A here-document has no plain end.")
    reading.at = found.end()
    raw = found[0].lstrip(" \t")
    reading.waiting.append(Here(found[1] or found[2] or found[3], raw[0] not in "'\"\\", tabs))
