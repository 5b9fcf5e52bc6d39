"""Options in front of a command: a getopt that stops at the first operand, and says when it does not know one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

from wirken.permissions.shell.words import UNKNOWN, Word, Words

Condition: TypeAlias = Callable[[Words], str]
"""Why a person must be asked about a command with these words, the verb first; empty if not."""


@dataclass(frozen=True, slots=True)
class Known:
    """The options of one program. Long names stand without their dashes."""

    flags: str = ""
    takes: str = ""
    """Letters that take a value, glued on or in the next word."""
    maybe: str = ""
    """Letters that take a value only if it is glued on."""
    long: frozenset[str] = frozenset()
    """May also stand with `=value`."""
    long_takes: frozenset[str] = frozenset()
    last: frozenset[str] = frozenset()
    """Options behind which no further ones are read."""


@dataclass(slots=True)
class Parsed:
    """What an option parser found: `rest` begins with the first operand."""

    rest: Words = ()
    given: dict[str, Word] = field(default_factory=dict)
    """Options by letter or long name; one without a value has an empty word."""
    doubt: str = ""


NO_VALUE: Final = Word("")


def parse(words: Words, known: Known) -> Parsed:
    """Return the options at the start of `words`. Where one is not known, `rest` is a guess and `doubt` says so."""
    parsed = Parsed()
    at = 0
    while at < len(words) and not parsed.doubt and not parsed.given.keys() & known.last:
        word = words[at]
        if word.several or word.text.startswith(UNKNOWN):
            parsed.doubt = "An option before a command is not certain."
            break
        if word.text == "--" or word.text == "-" or not word.text.startswith("-"):
            at += word.text == "--"
            break
        following = words[at + 1] if at + 1 < len(words) else None
        used = (
            _long(word, following, known, parsed)
            if word.text.startswith("--")
            else _short(word, following, known, parsed)
        )
        at += 1 + used
    parsed.rest = words[at:]
    return parsed


class Line(NamedTuple):
    """All options of a command, in their order, and its operands."""

    options: tuple[tuple[str, Word], ...] = ()
    """By letter or long name; one without a value has an empty word."""
    operands: Words = ()

    def has(self, *names: str) -> bool:
        """Is one of these options given?"""
        return any(name in names for name, _ in self.options)

    def values(self, *names: str) -> Words:
        """Return what these options were given, each time."""
        return tuple(value for name, value in self.options if name in names)


def permuted(words: Words, known: Known) -> Line | None:
    """Return the options and operands of `words`, wherever they stand, as GNU's getopt does; None where it is not
    certain which is which, or an option is not known. Shortened names of long options are not."""
    options: list[tuple[str, Word]] = []
    operands: list[Word] = []
    at = 0
    while at < len(words):
        word, at = words[at], at + 1
        if word.splits or word.text.startswith(UNKNOWN) or (word.globs and word.text.startswith("-")):
            return None
        if word.text == "--":
            if any(word.splits for word in words[at:]):
                return None
            return Line(tuple(options), (*operands, *words[at:]))
        if word.text == "-" or not word.text.startswith("-"):
            operands.append(word)
            continue
        parsed = Parsed()
        read = _long if word.text.startswith("--") else _short
        at += read(word, words[at] if at < len(words) else None, known, parsed)
        if parsed.doubt:
            return None
        options += parsed.given.items()
    return Line(tuple(options), tuple(operands))


def _long(word: Word, following: Word | None, known: Known, parsed: Parsed) -> int:
    """Note a long option; return how many further words it takes."""
    name, glued, value = word.text[2:].partition("=")
    if name in known.long:
        parsed.given[name] = Word(value, word.quoted)
        return 0
    if name not in known.long_takes:
        parsed.doubt = f"The option `--{name.replace(UNKNOWN, '…')}` is not known."
        return 0
    return _value(name, Word(value, word.quoted) if glued else None, following, parsed)


def _short(word: Word, following: Word | None, known: Known, parsed: Parsed) -> int:
    """Note a cluster of letters; return how many further words it takes."""
    for at, letter in enumerate(word.text[1:], start=2):
        glued = Word(word.text[at:], word.quoted) if word.text[at:] else None
        if letter in known.flags:
            parsed.given[letter] = NO_VALUE
        elif letter in known.maybe:
            parsed.given[letter] = glued or NO_VALUE
            return 0
        elif letter in known.takes:
            return _value(letter, glued, following, parsed)
        else:
            parsed.doubt = f"The option `-{letter.replace(UNKNOWN, '…')}` is not known."
            return 0
    return 0


def _value(name: str, glued: Word | None, following: Word | None, parsed: Parsed) -> int:
    value = glued or following
    if value is None or value.several:
        parsed.doubt = "The value of an option before a command is not certain."
        return 0
    parsed.given[name] = value
    return 0 if glued else 1
