"""What shell text runs: every simple command in it, wherever it stands, and every doubt about that.

Two readers that know nothing of each other read the text: our own (`grammar`), for the part of the language that all
shells read alike, and tree-sitter's grammar of bash (`tree`). What both read the same way is certain.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from wirken.domain import limits
from wirken.permissions.shell import grammar, tree
from wirken.permissions.shell.reading import Reading
from wirken.permissions.shell.words import Command, hides


@dataclass(frozen=True, slots=True)
class Script:
    """All commands of a text. With any doubt there may be others."""

    commands: tuple[Command, ...]
    doubts: tuple[str, ...]


def understand(text: str, *, nested: bool = False) -> Script:
    """Return what `text` runs when a shell reads it. `nested`: another command starts that shell."""
    if len(text) > limits.COMMAND_READ:
        return Script((), ("It is too long to be read.",))
    reading, problem = grammar.read(text)
    numbers = _numbers(reading, nested=nested)
    doubts = list(reading.doubts)
    if _may_compute(reading, numbers, nested=nested):
        doubts.append("Arithmetic counts with a variable that may hold a command.")
    if hides(text):
        doubts.append("It holds characters that cannot be seen.")
    commands = tuple(_numbered(command, numbers) for command in reading.commands)
    if problem:
        doubts.append(problem)
        commands += _guessed(text, reading)
    elif not _agreed(text, reading):
        doubts.append("Two readers of it do not agree on what it runs.")
        commands += _guessed(text, reading)
    return Script(commands[: limits.COMMANDS], tuple(dict.fromkeys(doubts)))


def _agreed(text: str, reading: Reading) -> bool:
    """Does the other reader see the same commands at the same places? Long here-documents are left out."""
    cut = reading.data if len(text) > limits.COMMAND_COMPARED else []
    kept = "".join(text[start:end] for start, end in _around(cut, len(text)))
    if len(kept) > limits.COMMAND_COMPARED:
        return False
    seen = tree.view(kept)
    return seen.sound and seen.starts == {
        at - sum(end - start for start, end in cut if end <= at) for at in _starts(reading)
    }


def _around(cut: list[tuple[int, int]], end: int) -> list[tuple[int, int]]:
    """Return the parts before, between and behind those that are cut out."""
    return list(zip([0, *(stop for _, stop in cut)], [*(start for start, _ in cut), end], strict=True))


def _guessed(text: str, reading: Reading) -> tuple[Command, ...]:
    """Return what the other reader finds besides, so that a person sees what is in the text; not in long ones, for
    which its time is not bounded."""
    if len(text) > limits.COMMAND_GUESSED:
        return ()
    return tree.view(text).besides(_starts(reading))


def _starts(reading: Reading) -> set[int]:
    return {command.at for command in reading.commands if command.words}


# --- numbers ------------------------------------------------------------------------------------------
# bash counts with a variable by reading its text as a formula, which may run commands, and a variable without quotes
# may make another test of a test. Where a variable holds nothing but whole numbers, neither can happen.

_NAMING: Final = frozenset("read export readonly local declare typeset getopts printf mapfile readarray let".split())
_HIDES_ASSIGNMENTS: Final = frozenset("eval . source trap command builtin".split())


def _numbers(reading: Reading, *, nested: bool) -> set[str]:
    """Return the variables that hold nothing but whole numbers."""
    if nested or _verbs(reading) & _HIDES_ASSIGNMENTS:
        return set()
    assigned = [assigned for command in reading.commands for assigned in command.assigned]
    others = {one.name for one in assigned if not one.value.counts}
    return {one.name for one in assigned} - others - _named(reading) - {""}


def _may_compute(reading: Reading, numbers: set[str], *, nested: bool) -> bool:
    """May arithmetic read a variable that holds a formula? What nobody assigns is empty or the sandbox's own."""
    if nested or _verbs(reading) & _HIDES_ASSIGNMENTS:
        return bool(reading.counted)
    assigned = {assigned.name for command in reading.commands for assigned in command.assigned}
    return bool(reading.counted & (assigned | _named(reading)) - numbers)


def _verbs(reading: Reading) -> set[str]:
    return {command.words[0].text for command in reading.commands if command.words}


def _named(reading: Reading) -> set[str]:
    return {
        word.text.partition("=")[0]
        for command in reading.commands
        if command.words and command.words[0].text in _NAMING
        for word in command.words[1:]
    }


def _numbered(command: Command, numbers: set[str]) -> Command:
    if not any(word.variable in numbers for word in command.words):
        return command
    words = (replace(word, counts=True) if word.variable in numbers else word for word in command.words)
    return replace(command, words=tuple(words))
