"""One word of shell text: quotes, backslashes, expansions and wildcards (POSIX.1-2024, XCU 2.2 and 2.6).

Whatever shells read differently is `NotPlain`: `$'…'`, arrays, a line continuation inside a word.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeAlias

from wirken.permissions.shell import arithmetic
from wirken.permissions.shell.arithmetic import BRACED
from wirken.permissions.shell.reading import NotPlain, Reading
from wirken.permissions.shell.words import UNKNOWN, Assigned, Word

Statements: TypeAlias = Callable[[Reading, frozenset[str]], str]
"""Reads commands up to one of the given ends, and returns which it was; empty at the end of the text."""

HOME: Final = "/tmp"  # noqa: S108  # the sandbox's own; what `~` becomes

_CLOSED: Final = frozenset({")"})
_TO_THE_END: Final[frozenset[str]] = frozenset()

_WHOLE: Final = re.compile(r"[^~ \t\n|&;<>()$`\"'\\*?\[{][^ \t\n|&;<>()$`\"'\\*?\[{]*(?=[ \t\n|&;<>()]|\Z)")
"""A word without anything that a shell reads otherwise."""
_PLAIN: Final = re.compile(r"[^ \t\n|&;<>()$`\"'\\*?\[{]+")
_CONTINUED: Final = re.compile(r"(?:\\\n)+(?=[ \t\n]|\Z)")
_TILDE: Final = re.compile(r"~(?=[/ \t\n|&;<>()]|\Z)")
_BRACKET: Final = re.compile(r"\[[^ \t\n\]/'\"$`\\|&;<>()]+\]")
_NAMED: Final = re.compile(r"\$(?:([A-Za-z_][A-Za-z0-9_]*)|([0-9@*#?$!-]))")
_FALLBACK: Final = re.compile(r"[^\"'`\\$(){}<>|&;\n]+")
_DOUBLE: Final = re.compile(r"[^\"\\$`]+")
_HERE: Final = re.compile(r"[^\\$`]+")
_BACKTICKED: Final = re.compile(r"`([^`\\]*)`")
_NUMERIC: Final = "#?$"


def word(reading: Reading, statements: Statements) -> Word:
    """Read the word that begins here. Raises `NotPlain`."""
    if (found := reading.match(_WHOLE)) is not None:  # most words are; the rest of this file is for the others
        reading.at = found.end()
        return Word(found[0], counts=found[0].isdecimal())
    pieces = _Pieces(reading, statements)
    start = reading.at
    while reading.at < reading.end and pieces.take_one(start):
        pass
    return pieces.word()


def here_document(reading: Reading, statements: Statements) -> None:
    """Read the expansions of a here-document's body, up to the reading's end. Raises `NotPlain`."""
    pieces = _Pieces(reading, statements)
    while reading.at < reading.end:
        if (found := reading.match(_HERE)) is not None:
            reading.at = found.end()
        elif reading.peek() == "\\":
            if reading.peek(2) == "\\\n":
                raise NotPlain("A here-document continues a line.")
            reading.at += 2
        else:
            pieces.expansion(quoted=True)


class _Pieces:
    """What a word is put together from."""

    def __init__(self, reading: Reading, statements: Statements) -> None:
        self._reading = reading
        self._statements = statements
        self._known: list[str] = []
        self._quoted = False
        self._splits = False
        self._globs = False
        self._swallows = False
        self._counts = True
        self._variables: list[str] = []

    def word(self) -> Word:
        counts = self._counts and bool(self._known)
        alone = self._variables[0] if self._variables and self._known == [UNKNOWN] else ""
        return Word("".join(self._known), self._quoted, self._splits, self._globs, counts, alone)

    def take_one(self, start: int) -> bool:
        """Read the next piece of the word; False where the word ends."""
        reading = self._reading
        letter = reading.peek()
        if reading.at == start and letter == "~":
            self._tilde()
        elif (found := reading.match(_PLAIN)) is not None:
            reading.at = found.end()
            self._know(found[0])
        elif letter in "$`":
            self.expansion(quoted=False)
        elif letter in "\"'\\":
            return self._quotes(letter)
        elif letter in "*?[{":
            self._wildcard(letter, alone=reading.at == start)
        else:
            return False
        return True

    def _know(self, text: str) -> None:
        self._counts = self._counts and text.isdecimal()
        if not self._swallows:
            self._known.append(text)

    def _unknown(self, *, splits: bool, counts: bool = False) -> None:
        self._counts = self._counts and counts
        self._splits = self._splits or splits
        if not self._swallows:
            self._known.append(UNKNOWN)

    def _tilde(self) -> None:
        if self._reading.match(_TILDE) is None:
            raise NotPlain("A tilde stands for a folder that is not known.")
        self._reading.at += 1
        self._know(HOME)

    def _quotes(self, letter: str) -> bool:
        reading = self._reading
        if letter == "\\":
            return self._backslash()
        self._quoted = True
        if letter == '"':
            self._double()
            return True
        close = reading.text.find("'", reading.at + 1, reading.end)
        if close < 0:
            raise NotPlain("A quote does not close.")
        self._inside_quotes(reading.text[reading.at + 1 : close])
        reading.at = close + 1
        return True

    def _backslash(self) -> bool:
        reading = self._reading
        if reading.peek(2) == "\\\n":
            if reading.match(_CONTINUED) is None:
                raise NotPlain("A word goes on in the next line.")
            return False
        if len(reading.peek(2)) < 2:
            raise NotPlain("It ends in a backslash.")
        self._quoted = True
        self._know(reading.peek(2)[1])
        reading.at += 2
        return True

    def _inside_quotes(self, text: str) -> None:
        if "\n" in text and self._reading.waiting:
            raise NotPlain("A line ends inside quotes before a here-document.")
        self._know(text)

    def _double(self) -> None:
        reading = self._reading
        reading.at += 1
        while not reading.takes('"'):
            if (found := reading.match(_DOUBLE)) is not None:
                reading.at = found.end()
                self._inside_quotes(found[0])
            elif reading.peek() == "\\":
                pair = reading.peek(2)
                if pair != "\\\n":
                    self._know(pair[1] if pair[1:] in ("$", "`", '"', "\\") else pair)
                reading.at += 2
            elif reading.at >= reading.end:
                raise NotPlain("A quote does not close.")
            else:
                self.expansion(quoted=True)

    def _wildcard(self, letter: str, *, alone: bool) -> None:
        reading = self._reading
        if reading.peek(2) == "{}":
            reading.at += 2
            self._know("{}")
            return
        if letter in "[{" and alone and (reading.at + 1 >= reading.end or reading.peek(2)[1] in " \t\n;&|<>()"):
            reading.at += 1
            self._know(letter)
            return
        found = reading.match(_BRACKET)
        reading.at += 1 if found is None else len(found[0])
        self._globs = True
        self._unknown(splits=letter == "{")
        self._swallows = self._swallows or (found is None and letter in "[{")

    def expansion(self, *, quoted: bool) -> None:
        """Read what begins with `$` or a backtick; a `$` that expands nothing is plain."""
        reading = self._reading
        pair = reading.peek(2)
        if pair[0] == "`":
            self._backticks(quoted=quoted)
        elif pair == "$(":
            self._dollar_bracket(quoted=quoted)
        elif pair == "${":
            self._braced(quoted=quoted)
        elif (found := reading.match(_NAMED)) is not None:
            reading.at = found.end()
            if found[2] == "$" and reading.peek() in ("(", "{", "["):
                raise NotPlain("What follows `$$` may be read as part of an expansion.")
            counts = (found[2] or "@") in _NUMERIC
            self._variables.append(found[1] or "")
            self._unknown(splits=found[0] == "$@" or not (quoted or counts), counts=counts)
        elif pair in ("$[", "$\\") or (not quoted and pair in ("$'", '$"')):
            raise NotPlain("A dollar sign begins something that shells read differently.")
        else:
            reading.at += 1
            self._know("$")

    def _backticks(self, *, quoted: bool) -> None:
        reading = self._reading
        found = reading.match(_BACKTICKED)
        if found is None or reading.waiting or (quoted and '"' in found[0]):
            raise NotPlain("Something between backticks is uncertain.")
        with reading.within(found.start(1), found.end(1)):
            self._statements(reading, _TO_THE_END)
            _no_waiting(reading)
        reading.at = found.end()
        self._unknown(splits=not quoted)

    def _dollar_bracket(self, *, quoted: bool) -> None:
        reading = self._reading
        if reading.waiting:
            raise NotPlain("A substitution stands before a here-document.")
        if reading.takes("$(("):
            arithmetic.read(reading, lambda: self.expansion(quoted=True))
            self._unknown(splits=False, counts=True)
            return
        reading.takes("$(")
        if reading.peek(2) == "\\\n":
            raise NotPlain("A substitution goes on in the next line.")
        with reading.deeper():
            if self._statements(reading, _CLOSED) != ")":
                raise NotPlain("A substitution does not close.")
            _no_waiting(reading)
        self._unknown(splits=not quoted)

    def _braced(self, *, quoted: bool) -> None:
        reading = self._reading
        found = reading.match(BRACED)
        if found is None or (found[1] and found[3] != "}"):
            raise NotPlain("Braces after a dollar sign hold something that shells read differently.")
        reading.at = found.end()
        if found[3] != "}":
            with reading.deeper():
                fallback = self._fallback(quoted=quoted)
            if found[3].endswith("="):
                reading.assign(Assigned(found[2], fallback))
            if found[3][-1] in "-=+":
                self._judge_fallback(fallback)
        self._unknown(splits=not quoted or found[2] == "@")

    def _fallback(self, *, quoted: bool) -> Word:
        inner = _Pieces(self._reading, self._statements)
        while not self._reading.takes("}"):
            if (found := self._reading.match(_FALLBACK)) is not None:
                self._reading.at = found.end()
                inner._know(found[0])
            elif self._reading.peek() in ("$", "`"):
                inner.expansion(quoted=quoted)
            else:
                raise NotPlain("Braces after a dollar sign hold quotes or something else uncertain.")
        return inner.word()

    def _judge_fallback(self, fallback: Word) -> None:
        """What an expansion may stand for is judged as the value of a variable without a name."""
        if fallback.text.strip(UNKNOWN):
            self._reading.assign(Assigned("", fallback))


def _no_waiting(reading: Reading) -> None:
    if reading.waiting:
        raise NotPlain("A here-document begins inside a substitution and not there.")
