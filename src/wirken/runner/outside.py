"""Single paths outside the workspace: what this runner was given, and for the file tools found and written by name."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, NamedTuple

from wirken.domain.actions import Outside
from wirken.domain.errors import UsageError
from wirken.domain.nesting import lies_in
from wirken.domain.text import brief
from wirken.runner.beneath import open_beneath
from wirken.runner.files import Answer, content_of, failures, regular
from wirken.runner.locate import FileFailure, Located
from wirken.runner.sandbox import Opened

_KINDS: Final = ("ro-bind", "bind", "entry")


class BadOutside(UsageError):
    """The supervisor named a path in a way that is not known."""

    hint = "Start Wirken with `wirken run`."


class Bound(NamedTuple):
    """What a command is shown of the paths outside."""

    mounts: tuple[Outside, ...] = ()
    """Outermost first, each place once."""
    opened: tuple[Opened, ...] = ()


def given(options: tuple[str, ...]) -> dict[str, str]:
    """Return how each path was given, of `--outside KIND:/path`: `ro-bind`; `bind`, for writing; `entry`, for its name,
    which the folder around it is mounted for. Raises `BadOutside`."""
    found = {}
    for option in options:
        kind, _, path = option.partition(":")
        if kind not in _KINDS or not path.startswith("/"):
            raise BadOutside("The runner was given a path outside in a way that is not known.")
        found[path] = kind
    return found


def is_given(one: Outside, ground: Mapping[str, str]) -> bool:
    """Was this path given as it was decided about?"""
    kind = ground.get(one.path)
    if not one.writable:
        return kind == "ro-bind"
    return kind in {"named": ("entry",), "into": ("entry", "bind")}.get(one.entry, ("bind",))


def bound(outside: tuple[Outside, ...], ground: Mapping[str, str]) -> Bound:
    """Return what a command is shown of paths that were given."""
    mounts: dict[str, bool] = {}
    names: dict[str, set[str]] = {}
    for one in outside:
        if ground[one.path] == "entry":
            names.setdefault(one.above, set()).add(one.path.rpartition("/")[2])
        place = one.above if ground[one.path] == "entry" else one.path
        mounts[place] = mounts.get(place, False) or one.writable
    seen = [one.path for one in outside if not one.writable]
    return Bound(
        tuple(Outside(place, mounts[place]) for place in sorted(mounts)),
        tuple(
            Opened(folder, frozenset(free), any(lies_in(folder, path) for path in seen))
            for folder, free in sorted(names.items())
        ),
    )


def denied(shown: Bound) -> str:
    """Return what the model reads of a command that could not write outside; empty where all could be written."""
    read = [one.path for one in shown.mounts if not one.writable]
    if not read:
        return ""
    return (
        f"[given for reading only: {', '.join(map(brief, read))}. A path outside the workspace is given for writing"
        " where the command itself plainly says that it writes it, as in `touch`, `mkdir`, `rm`, `mv`, `cp`, `sed -i`,"
        " `tar -x -C`, `>`, with the whole path and without variables, wildcards or options that are not common]"
    )


def located(path: str, outside: tuple[Outside, ...]) -> Located | None:
    """Return where `path` lies if it is one of these, else None. Its folder holds nothing else in the view."""
    for one in outside:
        if one.path == path:
            above, name = os.path.split(os.fsencode(path))
            return Located(os.fsdecode(above) or "/", name, path, one.writable)
    return None


def write(where: Located, content: str) -> Answer:
    """Overwrite a file where it lies: the file alone is mounted, so that none can be renamed over it.

    Not atomic: whoever reads meanwhile, or after a crash, may see old and new content together. Raises `FileFailure`.
    """
    data = content_of(content)
    if not where.writable:
        raise FileFailure(f"Cannot write {where.named}. It was not allowed for writing.", "denied")
    with failures(where, "write"), _opened(where) as handle:
        regular(os.fstat(handle), where)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(handle, rest) :]
        os.ftruncate(handle, len(data))
        os.fsync(handle)
    return Answer(f"Replaced {where.named} ({len(data)} bytes).")


@contextmanager
def _opened(where: Located) -> Iterator[int]:
    root = os.open(where.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # O_NONBLOCK: opening a FIFO must not wait for its other end.
        handle = open_beneath(root, where.inside, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY)
    finally:
        os.close(root)
    try:
        yield handle
    finally:
        os.close(handle)
