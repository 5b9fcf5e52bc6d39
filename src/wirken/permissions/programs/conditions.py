"""Verbs that destroy only with certain arguments, and verbs of the shell whose arguments change what it runs.

Each function takes a command's words, the verb first, and returns why a person must be asked; empty if not.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import Final, TypeAlias

from wirken.permissions import paths
from wirken.permissions.programs import find
from wirken.permissions.rules import EXEC_OPTIONS, LOOKUP, LOOKUP_PREFIXES, NAMING
from wirken.permissions.shell.words import UNKNOWN, Word, Words

Condition: TypeAlias = Callable[[Words], str]

_FORMULA: Final = re.compile(r"[A-Za-z0-9_ +*/%=<>()!&|^~?:,-]*")


def has_option(words: Words, letters: str, long: tuple[str, ...]) -> bool:
    """May one of these options stand among the words? Long ones may be shortened, as GNU's getopt allows."""
    for word in words[1:]:
        if word.splits or word.text.startswith(UNKNOWN):
            return True
        name = word.text.partition("=")[0]
        if name.startswith("--"):
            if len(name) > 2 and any(option.startswith(name[2:].rstrip(UNKNOWN)) for option in long):
                return True
        elif name.startswith("-") and any(letter in word.text for letter in letters + UNKNOWN):
            return True
    return False


def runs_others(name: str, words: Words) -> bool:
    """Does a verb of EXEC_OPTIONS stand with one of them? tar takes its first word without a dash, too."""
    if name not in EXEC_OPTIONS:
        return False
    letters, long = EXEC_OPTIONS[name]
    bundled = name == "tar" and len(words) > 1 and any(letter in words[1].text for letter in letters)
    return bundled or has_option(words, letters, long)


# --- destroying ---------------------------------------------------------------------------------------


def _recursive(words: Words) -> str:
    return "It changes access to a whole tree." if has_option(words, "R", ("recursive",)) else ""


def _find(words: Words) -> str:
    if any(word.text == "-delete" for word in words):
        return "It removes what it finds."
    writes = any(word.text[1:] in find.WRITES for word in words if word.text.startswith("-"))
    return "It overwrites a file." if writes else ""


def _move(words: Words) -> str:
    operands = [word for word in words[1:] if not word.text.startswith("-") or word.several]
    if all(_stays(word) for word in operands):
        return ""
    return "It moves files out of the workspace or over others, where that is not certain."


def _stays(word: Word) -> bool:
    """Is this a path in the workspace, as far as its beginning tells?"""
    return not word.splits and paths.in_workspace(word.text.replace(UNKNOWN, "") if word.globs else word.text)


def _tee(words: Words) -> str:
    return _overwrites(words[1:])


def _copy(words: Words) -> str:
    return _overwrites(words[-1:] if len(words) > 2 else ())


def _overwrites(targets: Words) -> str:
    for word in targets:
        if word.several or not word.certain:
            return "It writes to a place that is not certain."
        if not word.text.startswith("-") and paths.outside(word.text) is not None:
            return "It writes outside the workspace."
    return ""


def written(name: str, words: Words) -> tuple[str, ...]:
    """Return the paths outside the workspace that a verb's arguments certainly say are written."""
    targets = words[1:] if name == "tee" else words[-1:] if name == "cp" and len(words) > 2 else ()
    plain = (word.text for word in targets if word.certain and not word.several and not word.text.startswith("-"))
    return tuple(path for text in plain if (path := paths.outside(text)) is not None)


def _sed(words: Words) -> str:
    in_place = has_option(words, "i", ("in-place",))
    return "It overwrites files outside the workspace." if in_place and any(_leaves(word) for word in words[2:]) else ""


def _leaves(word: Word) -> bool:
    return paths.outside(word.text) is not None


def _removes_sources(words: Words) -> str:
    found = has_option(
        words, "", ("remove-files", "remove-source-files", "delete", "del", "delete-after", "unlink-first")
    )
    return "It removes files." if found else ""


DESTROYS: Final[dict[str, Condition]] = {
    "chmod": _recursive,
    "chown": _recursive,
    "chgrp": _recursive,
    "find": _find,
    "mv": _move,
    "tee": _tee,
    "cp": _copy,
    "ln": _copy,
    "sed": _sed,
    "tar": _removes_sources,
    "rsync": _removes_sources,
}
"""Destructive with certain arguments only."""


# --- the shell's own verbs ----------------------------------------------------------------------------


def changes_lookup(name: str) -> bool:
    """Does this variable change how commands are found, loaded or read?"""
    folded = name.upper()
    return folded in LOOKUP or folded.startswith(LOOKUP_PREFIXES)


def named(word: Word) -> str:
    """Return why a word that names a variable is a doubt; empty if it is not. A value may follow after `=`."""
    name = word.text.partition("=")[0]
    if word.several or UNKNOWN in name:
        return "The name of a variable is not certain."
    if "[" in name:
        return "An index is computed, which may run a command."
    return _LOOKUP if changes_lookup(name.rstrip("+")) else ""


def _naming(words: Words) -> str:
    verb = words[0].text
    for word in words[1:]:
        if word.text.startswith("-") and word.certain and verb in ("read", "unset", "export", "readonly"):
            continue
        if word.text.startswith(("-", "+")):
            return "A variable is declared to be computed, which may run a command."
        if why := named(word):
            return why
    return ""


def _let(words: Words) -> str:
    plain = all(word.certain and not word.several and _FORMULA.fullmatch(word.text) for word in words[1:])
    return _naming(words) if plain else "A formula is not certain, and may run a command."


def _printf(words: Words) -> str:
    if len(words) > 1 and (words[1].several or words[1].text.startswith(("-", UNKNOWN))) and words[1].text != "--":
        return "What it prints to may be a variable that is not certain."
    return ""


def _test(words: Words) -> str:
    if any(word.globs or (word.splits and not word.counts) for word in words[1:]):
        return "A test may become another one."
    if any(word.text in ("-v", "-R") for word in words[1:]):
        return "A test of a variable may run a command."
    open_ends = [word.text.startswith(UNKNOWN) and not word.counts for word in words]
    if any(first and second for first, second in itertools.pairwise(open_ends)):
        return "A test may become another one."
    return ""


def _change_folder(words: Words) -> str:
    for word in words[1:]:
        plain = word.certain and not word.several
        if plain and (word.text in ("-", "-P", "-L", "-e", "--") or paths.outside(word.text) is None):
            continue
        return "It leaves the workspace, so that paths no longer tell where they lead."
    return ""


BUILTINS: Final[dict[str, Condition]] = {
    **dict.fromkeys(NAMING, _naming),
    "let": _let,
    "printf": _printf,
    "test": _test,
    "[": _test,
    "cd": _change_folder,
    "chdir": _change_folder,
    "pushd": _change_folder,
}
"""Verbs of the shell with which a text may run what it does not name."""

_LOOKUP: Final = "It changes how commands are found, loaded or read."


def assigning(name: str) -> str:
    """Return why an assignment to `name` is a doubt; empty if it is not."""
    return _LOOKUP if changes_lookup(name) else ""
