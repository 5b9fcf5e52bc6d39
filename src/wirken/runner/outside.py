"""Single paths outside the workspace, for the file tools: found by name, and written where they lie."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from wirken.domain.actions import Outside
from wirken.domain.errors import UsageError
from wirken.runner.beneath import open_beneath
from wirken.runner.files import Answer, content_of, failures, regular
from wirken.runner.locate import FileFailure, Located

_MODES: Final = {"bind": True, "ro-bind": False}


class BadOutside(UsageError):
    """The supervisor named a path in a way that is not known."""

    hint = "Start Wirken with `wirken run`."


def given(options: tuple[str, ...]) -> frozenset[Outside]:
    """Return the paths of `--outside bind:/path` and `ro-bind:/path`. Raises `BadOutside`."""
    found = set()
    for option in options:
        mode, _, path = option.partition(":")
        if mode not in _MODES or not path.startswith("/"):
            raise BadOutside("The runner was given a path outside in a way that is not known.")
        found.add(Outside(path, _MODES[mode]))
    return frozenset(found)


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
