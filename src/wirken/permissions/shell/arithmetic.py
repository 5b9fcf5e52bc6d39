"""What is between `$((` and `))`: which variables it reads, and which it changes (POSIX.1-2024, XCU 2.6.4)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from wirken.permissions.shell.reading import NotPlain, Reading
from wirken.permissions.shell.words import UNKNOWN, Assigned, Word

BRACED: Final = re.compile(r"\$\{(#?)([A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-])(\}|:?[-=?+]|##?|%%?)")
"""The beginning of an expansion in braces."""

_BETWEEN: Final = re.compile(r"[ \t\n0-9+*/%<>=!&|^~?:,-]+")
_NAMED: Final = re.compile(r"\$?([A-Za-z_][A-Za-z0-9_]*)")
_CHANGES: Final = re.compile(r"[ \t\n]*(?:=(?!=)|(?:<<|>>|[-+*/%&|^])=|\+\+|--)")
_CHANGED: Final = re.compile(r"(?:\+\+|--)[ \t\n]*\Z")
_NUMBER: Final = Word(UNKNOWN, counts=True)


def read(reading: Reading, expand: Callable[[], None]) -> None:
    """Read up to and over `))`; `expand` reads an expansion in it. Raises `NotPlain`."""
    depth, before = 0, ""
    while not (depth == 0 and reading.takes("))")):
        if (found := reading.match(_BETWEEN)) is not None:
            reading.at = found.end()
            before = found[0]
            continue
        if (found := reading.match(_NAMED)) is not None:
            reading.at = found.end()
            reading.counted.add(found[1])
            if reading.match(_CHANGES) or _CHANGED.search(before):
                reading.assign(Assigned(found[1], _NUMBER))
        elif reading.peek() in ("(", ")") and depth >= (reading.peek() == ")"):
            depth += 1 if reading.peek() == "(" else -1
            reading.at += 1
            continue
        else:
            _expansion(reading, expand)
        before = ""


def _expansion(reading: Reading, expand: Callable[[], None]) -> None:
    if reading.peek() not in ("$", "`"):
        raise NotPlain("Arithmetic holds something that shells read differently.")
    braced = reading.match(BRACED)
    if braced is not None and braced[3] == "}":
        reading.counted.update(() if braced[1] else (braced[2],))
        plain = bool(braced[1]) or braced[2].isidentifier()
    else:
        plain = reading.peek(2) in ("$#", "$?") or reading.peek(3) == "$(("
    if not plain:
        reading.doubts.append("Arithmetic counts with what another command writes, or with an argument.")
    with reading.deeper():
        expand()
