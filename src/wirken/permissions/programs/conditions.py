"""Verbs that destroy, write or run others only with certain arguments.

Each function takes a command's words, the verb first, and returns why a person must be asked; empty if not.
"""

from __future__ import annotations

from typing import Final

from wirken.permissions import paths
from wirken.permissions.programs import find
from wirken.permissions.programs.options import Condition
from wirken.permissions.rules import EXEC_OPTIONS, INTERPRETERS, ONLY_READS, TAKES_PATTERN
from wirken.permissions.shell.words import UNKNOWN, Word, Words


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


def takes_script_from_input(name: str, words: Words) -> bool:
    """Does sed, awk or jq read what it is to do from its standard input?"""
    scripted = name in TAKES_PATTERN & INTERPRETERS and has_option(words, "f", ("file", "from-file"))
    return scripted and any(word.text.endswith(("-", "/stdin", "/fd/0", UNKNOWN)) for word in words[1:])


def only_reads(name: str, words: Words) -> bool:
    """Does a verb write nothing of what it is given? find does, where it runs something or removes."""
    acts = name == "find" and any(word.text.lstrip("-") in find.RUNS | {"delete"} or word.splits for word in words)
    return name in ONLY_READS and not acts


def _recursive(words: Words) -> str:
    return "It changes access to a whole tree." if has_option(words, "R", ("recursive",)) else ""


def _find(words: Words) -> str:
    if any(word.text == "-delete" for word in words):
        return "It removes what it finds."
    writes = any(word.text[1:] in find.WRITES for word in words if word.text.startswith("-"))
    return "It overwrites a file." if writes else ""


def _move(words: Words) -> str:
    if all(_stays(word) for word in _named_in(words)) and not _backs_up(words):
        return ""
    return "It moves files out of the workspace or over others, where that is not certain."


def _stays(word: Word) -> bool:
    """Is this a path in the workspace, as far as its beginning tells?"""
    return not word.splits and paths.in_workspace(word.text.replace(UNKNOWN, "") if word.globs else word.text)


def _tee(words: Words) -> str:
    return _overwrites(words[1:])


def _copy(words: Words) -> str:
    """The last operand is written to, or with `-t` any."""
    if _backs_up(words):
        return _BACKS_UP
    named = _named_in(words)
    anywhere = has_option(_before_dashes(words), "t", ("target-directory",))
    return _overwrites(named if anywhere else named[-1:] if len(named) > 1 else ())


def _link(words: Words) -> str:
    """A link whose target is not certain may be another way to anything."""
    if any(not word.certain or word.several for word in words[1:]):
        return "What it links to is not certain."
    return _copy(words)


def _backs_up(words: Words) -> bool:
    """Does it rename what it overwrites, so that a file gets a name that nobody sees?"""
    return has_option(_before_dashes(words), "S", ("suffix",))


_BACKS_UP: Final = "It may leave a file under another name, which is not certain."


def _before_dashes(words: Words) -> Words:
    """Return the words in which options may stand. `*.txt` may become one, but none that matters here."""
    free = words[: next((at for at, word in enumerate(words) if word.text == "--"), len(words))]
    return tuple(word for word in free if word.splits or not _ends_harmlessly(word))


def _ends_harmlessly(word: Word) -> bool:
    tail = word.text.rpartition(UNKNOWN)[2]
    return word.globs and len(tail) > 1 and not paths.may_end_a_steering_name(tail)


def _named_in(words: Words) -> Words:
    """Return the operands, and the values that are glued to options."""
    free = next((at for at, word in enumerate(words) if word.text == "--"), len(words))
    named: list[Word] = []
    for at, word in enumerate(words[1:], start=1):
        if at >= free or not word.text.startswith("-") or word.several or word.text == "-":
            named += [] if at == free else [word]
        elif "=" in word.text:
            named.append(Word(word.text.partition("=")[2]))
        elif "t" in word.text[:-1] and not word.text.startswith("--"):
            named.append(Word(word.text.partition("t")[2]))
    return tuple(named)


def _overwrites(targets: Words) -> str:
    for word in targets:
        if word.several or not word.certain:
            return "It writes to a place that is not certain."
        if not word.text.startswith("-") and paths.outside(word.text) is not None:
            return "It writes outside the workspace."
    return ""


def _changes(words: Words) -> str:
    """Making, marking: what is named outside is changed there."""
    return "It writes outside the workspace." if any(_leaves(word) for word in words[1:]) else ""


def _changes_access(words: Words) -> str:
    return _recursive(words) or _changes(words)


def _unique(words: Words) -> str:
    """A second operand is written to."""
    operands = [word for word in words[1:] if not word.text.startswith("-") or word.splits]
    return _overwrites(tuple(operands)) if len(operands) > 1 or any(word.several for word in operands) else ""


def _script(words: Words) -> str:
    return _overwrites(_named_in(words))


def _output(words: Words) -> str:
    """`-o` and `--output` name what is written."""
    for at, word in enumerate(words[1:], start=1):
        name, glued, value = word.text.partition("=")
        if name.startswith("--") and len(name) > len("--") and "--output".startswith(name):
            target = (Word(value),) if glued else words[at + 1 : at + 2]
        elif word.text.startswith("-") and not name.startswith("--") and "o" in word.text:
            rest = word.text.partition("o")[2]
            target = (Word(rest),) if rest else words[at + 1 : at + 2]
        else:
            continue
        if why := _overwrites(target):
            return why
    return ""


def _tree(words: Words) -> str:
    unsure = any(word.may_be_option and not word.certain for word in words[1:])
    return "An argument may be an option that writes." if unsure else _output(words)


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
    **dict.fromkeys(("chmod", "chown", "chgrp"), _changes_access),
    **dict.fromkeys(("touch", "mkdir", "mkfifo", "mknod", "link"), _changes),
    **dict.fromkeys(("sort", "time"), _output),
    "tree": _tree,
    "uniq": _unique,
    "script": _script,
    "find": _find,
    "mv": _move,
    "tee": _tee,
    "cp": _copy,
    "ln": _link,
    "sed": _sed,
    "tar": _removes_sources,
    "rsync": _removes_sources,
}
"""Destructive, or writing where nobody sees it, with certain arguments only."""
