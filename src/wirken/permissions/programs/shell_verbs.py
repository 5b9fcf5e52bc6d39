"""Verbs of the shell itself whose arguments change what it runs, or how it reads.

Each function takes a command's words, the verb first, and returns why a person must be asked; empty if not.
"""

from __future__ import annotations

import itertools
import re
from typing import Final

from wirken.permissions import paths
from wirken.permissions.programs.options import Condition
from wirken.permissions.rules import LOOKUP, LOOKUP_PREFIXES, NAMING
from wirken.permissions.shell.words import UNKNOWN, Word, Words

_FORMULA: Final = re.compile(r"[A-Za-z0-9_ +*/%=<>()!&|^~?:,-]*")


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


def _wait(words: Words) -> str:
    """bash's `-p` names a variable that gets a number."""
    options = any(word.may_be_option and not word.certain for word in words[1:])
    names = any(word.text.startswith("-") and "p" in word.text for word in words[1:])
    return "It may set a variable." if options or names else ""


def _let(words: Words) -> str:
    plain = all(word.certain and not word.several and _FORMULA.fullmatch(word.text) for word in words[1:])
    return _naming(words) if plain else "A formula is not certain, and may run a command."


def _printf(words: Words) -> str:
    if len(words) > 1 and (words[1].several or words[1].text.startswith(("-", UNKNOWN))) and words[1].text != "--":
        return "What it prints to may be a variable that is not certain."
    return ""


def _test(words: Words) -> str:
    if words[0].text == "[" and words[-1].text != "]":
        return "A test does not close."
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
    "wait": _wait,
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
