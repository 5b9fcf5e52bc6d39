"""Which of its operands a verb writes outside the workspace, and what for: only what is certain before it runs.

Whatever is not found here is given for reading, so that a write of it fails. Nothing here lowers what is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from wirken.domain.actions import Entry, Outside
from wirken.permissions import paths
from wirken.permissions.programs import find
from wirken.permissions.programs import writing_tables as tables
from wirken.permissions.programs.options import Known, Line, permuted
from wirken.permissions.shell.words import Word, Words

_Writes: TypeAlias = Iterator[tuple[Word, Entry]]
_Reader: TypeAlias = Callable[[Words], _Writes]


def written(name: str, words: Words) -> tuple[Outside, ...]:
    """Return the paths outside the workspace that the program `name` writes when it is given `words`, itself first."""
    reader = WRITES.get(name)
    if reader is None:
        return ()
    plain = ((word, entry) for word, entry in reader(words) if word.certain and not word.several and word.text)
    found = ((paths.outside(word.text), entry) for word, entry in plain)
    return tuple(Outside(path, writable=True, entry=entry) for path, entry in found if path is not None)


def _read(known: Known, effect: Callable[[Line], _Writes]) -> _Reader:
    """Return a reader of words with these options; of what cannot be read for certain it finds nothing."""

    def reader(words: Words) -> _Writes:
        line = permuted(words[1:], known)
        return iter(()) if line is None else effect(line)

    return reader


def _each(operands: Words, entry: Entry) -> _Writes:
    return ((word, entry) for word in operands)


def _all(entry: Entry) -> Callable[[Line], _Writes]:
    """Every operand is written."""
    return lambda line: _each(line.operands, entry)


# --- what is in a file ----------------------------------------------------------------------------------


def _filled(line: Line) -> _Writes:
    return _each(line.operands, "there" if line.has("c", "no-create") else "")


def _shred(line: Line) -> _Writes:
    return _each(line.operands, "named" if line.has("u", "remove") else "there")


def _marked(line: Line) -> _Writes:
    """The first operand says how, unless an option does."""
    given = line.has("reference", *tables.MODE)
    return _each(line.operands if given else line.operands[1:], "there")


def _owned(line: Line) -> _Writes:
    return _each(line.operands if line.has("reference") else line.operands[1:], "there")


def _sort(line: Line) -> _Writes:
    return _each(line.values("o", "output")[-1:], "")


def _uniq(line: Line) -> _Writes:
    return _each(line.operands[1:2], "")


def _dd(words: Words) -> _Writes:
    if any(word.several or not word.certain for word in words[1:]):
        return
    given = {word.text.partition("=")[0]: word.text.partition("=")[2] for word in words[1:]}
    if "of" in given:
        yield Word(given["of"]), "there" if "nocreat" in given.get("conv", "").split(",") else ""


# --- names: made, removed, moved ------------------------------------------------------------------------


def _target(line: Line, into: Entry) -> _Writes:
    """What the last operand or `-t` names; `into` is what a single file asks of a name that may be a folder's."""
    folders = line.values("t", "target-directory")
    if folders:
        yield from _each(folders[-1:] if len(folders) == 1 else (), "there")
        return
    *sources, last = line.operands or (Word(""),)
    if not sources:
        return
    if line.has("T", "no-target-directory"):
        yield last, "named"
    elif len(sources) > 1 or sources[0].globs:
        yield last, "there"
    else:
        yield last, "there" if into == "" and last.text.endswith("/") else into


def _copy(line: Line) -> _Writes:
    return _target(line, "" if {name for name, _ in line.options} <= _OPENS else "into")


_OPENS: Final = frozenset({"f", "force", "v", "verbose", "p", "L", "dereference", "H", "debug", "preserve"})
"""Options with which cp opens a file that is there, and neither makes another in its place nor leaves it alone."""


def _move(line: Line) -> _Writes:
    folders = line.has("t", "target-directory")
    yield from _each(line.operands if folders else line.operands[:-1], "named")
    yield from _target(line, "into")


def _link(line: Line) -> _Writes:
    return _target(line, "into")


def _install(line: Line) -> _Writes:
    return _each(line.operands, "named") if line.has("d", "directory") else _target(line, "into")


def _hard_link(line: Line) -> _Writes:
    return _each(line.operands[1:2], "named")


def _first(line: Line) -> _Writes:
    return _each(line.operands[:1], "named")


def _sed(line: Line) -> _Writes:
    """It writes beside the file, and then gives that the file's name."""
    if not line.has("i", "in-place"):
        return iter(())
    scripted = line.has("e", "f", "expression", "file")
    return _each(line.operands if scripted else line.operands[1:], "named")


def _patch(line: Line) -> _Writes:
    if line.has("dry-run"):
        return
    folders, outputs = line.values("d", "directory"), line.values("o", "output")
    if folders or outputs:
        yield from _each(folders if len(folders) == 1 else (), "there")
        yield from _each(outputs if len(outputs) == 1 else (), "into")
    else:
        yield from _first(line)


# --- archives -------------------------------------------------------------------------------------------


def _tar(words: Words) -> _Writes:
    line = permuted(_dashed(words[1:]), tables.TAR)
    if line is None:
        return
    folders, archives = line.values("C", "directory"), line.values("f", "file")
    if line.has("x", "extract", "get"):
        yield from _each(folders if len(folders) == 1 else (), "there")
    elif line.has("c", "create"):
        yield from _each(archives if len(archives) == 1 else (), "")
    elif line.has("r", "append", "u", "update", "A", "concatenate", "catenate", "delete"):
        yield from _each(archives if len(archives) == 1 else (), "there")


def _dashed(words: Words) -> Words:
    """Return tar's words with its first one, which needs no dash, taken apart: its letters take the next words."""
    if not words or words[0].text.startswith("-") or words[0].several or not words[0].certain:
        return words
    rest = list(words[1:])
    apart: list[Word] = []
    for letter in words[0].text:
        apart.append(Word(f"-{letter}"))
        if letter in tables.TAR_TAKES and rest:
            apart.append(rest.pop(0))
    return (*apart, *rest)


def _unzip(line: Line) -> _Writes:
    """Without these it writes nothing: list, test, print, comment."""
    folders = line.values("d")
    shows = line.has("l", "p", "t", "v", "z", "c")
    return _each(() if shows or len(folders) != 1 else folders, "into")


def _compressed(line: Line) -> _Writes:
    """The file goes and another comes in its place, with another ending."""
    if line.has("c", "stdout", "to-stdout", "l", "list", "t", "test"):
        return iter(())
    return _each(line.operands, "there" if line.has("r", "recursive") else "named")


def _rsync(line: Line) -> _Writes:
    """It writes beside each file, and then gives that the file's name. `host:path` is elsewhere."""
    local = not any(":" in word.text for word in line.operands)
    return _each(line.operands[-1:] if local and len(line.operands) > 1 else (), "into")


# --- what has a language of its own ---------------------------------------------------------------------


def _find(words: Words) -> _Writes:
    """`-delete` empties the places where it starts, `-fprint` and its like fill a file."""
    if any(word.splits or (word.may_be_option and not word.certain) for word in words):
        return
    for at, word in enumerate(words):
        if word.text == "-delete":
            yield from _each(_starts(words), "there")
        elif word.text.startswith("-") and word.text[1:] in find.WRITES:
            yield from _each(words[at + 1 : at + 2], "")


def _starts(words: Words) -> Words:
    options = next((at for at in range(1, len(words)) if words[at].text not in ("-H", "-L", "-P")), len(words))
    end = next((at for at in range(options, len(words)) if words[at].text[:1] in ("-", "(", "!")), len(words))
    return words[options:end]


def _git(words: Words) -> _Writes:
    """`git -C FOLDER` with a subcommand that writes, and the folders that `init` and `clone` make."""
    folder = words[2:3] if len(words) > 1 and words[1].text == "-C" else ()
    rest = words[3 if folder else 1 :]
    if not rest or any(word.splits for word in words):
        return
    if rest[0].text in tables.GIT_WRITES:
        yield from _each(folder, "there")
    if rest[0].text in ("init", "clone") and not folder and not any(word.text.startswith("-") for word in rest):
        yield from _each(rest[2 if rest[0].text == "clone" else 1 :][:1], "into")


WRITES: Final[dict[str, _Reader]] = {
    "touch": _read(tables.TOUCH, _filled),
    "truncate": _read(tables.TRUNCATE, _filled),
    "tee": _read(tables.TEE, _all("")),
    "shred": _read(tables.SHRED, _shred),
    "chmod": _read(tables.CHMOD, _marked),
    **dict.fromkeys(("chown", "chgrp"), _read(tables.CHOWN, _owned)),
    "sort": _read(tables.SORT, _sort),
    "uniq": _read(tables.UNIQ, _uniq),
    "dd": _dd,
    "mkdir": _read(tables.MKDIR, _all("named")),
    "rmdir": _read(tables.RMDIR, _all("named")),
    "rm": _read(tables.RM, _all("named")),
    "unlink": _read(tables.NO_OPTIONS, _first),
    "mkfifo": _read(tables.MKNOD, _all("named")),
    "mknod": _read(tables.MKNOD, _first),
    "link": _read(tables.NO_OPTIONS, _hard_link),
    "ln": _read(tables.LN, _link),
    "mv": _read(tables.MV, _move),
    "cp": _read(tables.CP, _copy),
    "install": _read(tables.INSTALL, _install),
    "sed": _read(tables.SED, _sed),
    "patch": _read(tables.PATCH, _patch),
    "tar": _tar,
    "unzip": _read(tables.UNZIP, _unzip),
    "zip": _read(tables.ZIP, _first),
    **dict.fromkeys(("gzip", "gunzip", "bzip2", "bunzip2"), _read(tables.GZIP, _compressed)),
    **dict.fromkeys(("xz", "unxz"), _read(tables.XZ, _compressed)),
    "rsync": _read(tables.RSYNC, _rsync),
    "find": _find,
    "git": _git,
}
"""Verbs of which it is known what they write."""
