"""The commands of shell text: lists, pipelines, compound commands, functions (POSIX.1-2024, XCU 2.9 and 2.10)."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Final

from wirken.permissions.shell import odd, quoting
from wirken.permissions.shell.reading import NotPlain, Reading
from wirken.permissions.shell.redirecting import DIVERGENT, WORD_ENDS, redirects
from wirken.permissions.shell.words import Assigned, Command, Redirect, Word

RESERVED: Final = frozenset(
    "if then else elif fi do done case esac while until for in { } ! function select [[ ]]".split()
)
"""Words that are no commands where a command may begin. `time` and `coproc` are such words to bash alone; as verbs
they are judged by the tables."""

_RESERVED_NEXT: Final = re.compile(r"[a-z]+(?=[ \t\n;&|()<>]|\Z)|[{}!](?=[ \t\n;&|()<>]|\Z)|\[\[|\]\]")
_SEPARATOR: Final = re.compile(r";(?!;)|&(?!&)")
_JOINS: Final = re.compile(r"&&|\|\|")
_PIPE: Final = re.compile(r"\|(?!\|)")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ASSIGNS: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=")
_ASSIGNS_OTHERWISE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\+=|\[)")
_FUNCTION: Final = re.compile(r"[ \t]*\([ \t]*\)")


def read(text: str) -> tuple[Reading, str]:
    """Return what `text` runs, and why that may not be all; empty where it is."""
    reading = Reading(text, len(text))
    try:
        _all(reading)
    except NotPlain as error:
        return reading, str(error)
    return reading, ""


def _all(reading: Reading) -> None:
    statements(reading, frozenset())
    if reading.waiting:
        raise NotPlain("A here-document does not begin.")
    reading.piped = "|" in reading.text
    while reading.bodies:
        with reading.within(*reading.bodies.pop()):
            quoting.here_document(reading, statements)


def statements(reading: Reading, ends: frozenset[str]) -> str:
    """Read commands up to one of `ends`, step over it and return it; empty at the end of the text."""
    while True:
        reading.lines()
        if reading.at >= reading.end:
            return ""
        for operator in (";;", ")"):
            if operator in ends and reading.takes(operator):
                return operator
        found = reading.match(_RESERVED_NEXT)
        if found is not None and found[0] in ends:
            reading.at = found.end()
            return found[0]
        _and_or(reading)
        reading.blanks()
        _separated(reading)


def _separated(reading: Reading) -> None:
    if reading.match(DIVERGENT):
        raise NotPlain("It holds an operator that shells read differently.")
    found = reading.match(_SEPARATOR)
    if found is not None:
        reading.at = found.end()
    elif reading.peek() not in ("", "\n", ")") and reading.peek(2) != ";;":
        raise NotPlain("Commands stand next to one another without a separator.")


def _and_or(reading: Reading) -> None:
    _pipeline(reading)
    reading.blanks()
    while (found := reading.match(_JOINS)) is not None:
        reading.at = found.end()
        reading.lines()
        _pipeline(reading)
        reading.blanks()


def _pipeline(reading: Reading) -> None:
    outer = reading.piped
    found = reading.match(_RESERVED_NEXT)
    if found is not None and found[0] == "!":
        reading.at = found.end()
        reading.blanks()
    _command(reading)
    reading.blanks()
    while (found := reading.match(_PIPE)) is not None and not reading.match(DIVERGENT):
        reading.at = found.end()
        reading.lines()
        reading.piped = True
        _command(reading)
        reading.blanks()
    reading.piped = outer


def _command(reading: Reading) -> None:
    if not _compound(reading):
        _simple(reading)


def _compound(reading: Reading) -> bool:
    """Read a compound command with its redirections, if one begins here."""
    if reading.match(DIVERGENT):
        raise NotPlain("It holds an operator that shells read differently.")
    found = reading.match(_RESERVED_NEXT)
    name = "(" if reading.peek() == "(" else found[0] if found is not None else ""
    if name != "(" and name not in RESERVED:
        return False
    reader = _COMPOUNDS.get(name)
    if reader is None:
        raise NotPlain(f"`{name}` stands where a command begins.")
    reading.at += len(name)
    with reading.deeper():
        reader(reading)
    behind = tuple(redirects(reading, statements))
    if behind:
        reading.add(Command((), (), behind, at=reading.at))
    return True


def _until(reading: Reading, *ends: str) -> str:
    found = statements(reading, frozenset(ends))
    if not found:
        raise NotPlain("Something that is opened does not close.")
    return found


def _if(reading: Reading) -> None:
    _until(reading, "then")
    while _until(reading, "elif", "else", "fi") == "elif":
        _until(reading, "then")
    if reading.text[reading.at - 4 : reading.at] == "else":
        _until(reading, "fi")


def _loop(reading: Reading) -> None:
    _until(reading, "do")
    _until(reading, "done")


def _for(reading: Reading) -> None:
    reading.blanks()
    name = reading.match(_NAME)
    if name is None:
        raise NotPlain("A loop has no plain variable.")
    reading.at = name.end()
    reading.lines()
    values = [Word("\0")]
    found = reading.match(_RESERVED_NEXT)
    if found is not None and found[0] == "in":
        reading.at = found.end()
        values = list(_words(reading))
    for value in values:
        reading.assign(Assigned(name[0], value))
    reading.blanks()
    _separated(reading)
    reading.lines()
    if _until_at_once(reading) != "do":
        raise NotPlain("A loop has no body.")
    _until(reading, "done")


def _until_at_once(reading: Reading) -> str:
    found = reading.match(_RESERVED_NEXT)
    if found is None:
        return ""
    reading.at = found.end()
    return found[0]


def _words(reading: Reading) -> Iterator[Word]:
    reading.blanks()
    while reading.at < reading.end and reading.peek() not in WORD_ENDS:
        yield quoting.word(reading, statements)
        reading.blanks()


def _case(reading: Reading) -> None:
    reading.blanks()
    subject = quoting.word(reading, statements)
    reading.assign(Assigned("", subject))
    reading.lines()
    if _until_at_once(reading) != "in":
        raise NotPlain("A case has no branches.")
    while True:
        reading.lines()
        found = reading.match(_RESERVED_NEXT)
        if found is not None and found[0] == "esac":
            reading.at = found.end()
            return
        _patterns(reading)
        if _until(reading, ";;", "esac") == "esac":
            return


def _patterns(reading: Reading) -> None:
    reading.takes("(")
    while True:
        if not list(_words(reading)):
            raise NotPlain("A branch has no pattern.")
        if reading.takes(")"):
            return
        if not reading.takes("|"):
            raise NotPlain("A branch's pattern is uncertain.")


def _simple(reading: Reading) -> None:
    words: list[Word] = []
    assigned: list[Assigned] = []
    files: list[Redirect] = []
    at = start = reading.at
    while True:
        files += redirects(reading, statements)
        if reading.at >= reading.end or reading.peek() in WORD_ENDS:
            break
        if not words:
            at = reading.at
            if _assignment(reading, assigned):
                continue
        words.append(quoting.word(reading, statements))
        if len(words) == 1 and reading.at > at and _function(reading, words[0], plain=not (assigned or files)):
            return
    if reading.peek() == "(" or reading.at == start:
        raise NotPlain("A bracket or an operator stands where a command begins or goes on.")
    if words:
        odd.refuse(reading.text[start : reading.at], at - start, words)
    reading.add(Command(tuple(words), tuple(assigned), tuple(files), reading.piped, at))


def _assignment(reading: Reading, assigned: list[Assigned]) -> bool:
    """Read an assignment before a verb, if one comes next."""
    if reading.match(_ASSIGNS_OTHERWISE):
        raise NotPlain("An assignment has a form that shells read differently.")
    found = reading.match(_ASSIGNS)
    if found is None:
        return False
    reading.at = found.end()
    assigned.append(Assigned(found[1], quoting.word(reading, statements)))
    return True


def _function(reading: Reading, name: Word, *, plain: bool) -> bool:
    """Read the body of a function, if `name` begins one. A reserved word is no name of anything."""
    if not name.quoted and name.text in RESERVED:
        raise NotPlain(f"`{name.text}` stands where a command begins.")
    found = reading.match(_FUNCTION)
    if found is None:
        return False
    if not plain or name.quoted or _NAME.fullmatch(name.text) is None:
        raise NotPlain("A function has no plain name.")
    reading.at = found.end()
    reading.functions.add(name.text)
    reading.lines()
    with _maybe_piped(reading):
        if not _compound(reading):
            raise NotPlain("A function has no body.")
    return True


@contextlib.contextmanager
def _maybe_piped(reading: Reading) -> Iterator[None]:
    """A function may be called behind a pipe wherever there is one."""
    outer, reading.piped = reading.piped, reading.piped or "|" in reading.text
    yield
    reading.piped = outer


_COMPOUNDS: Final = {
    "(": lambda reading: _until(reading, ")"),
    "{": lambda reading: _until(reading, "}"),
    "if": _if,
    "while": _loop,
    "until": _loop,
    "for": _for,
    "case": _case,
}
