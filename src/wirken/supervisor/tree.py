"""The data directory's folders: made where missing, tightened at each start, given to the children's uid.

Children may write in some of these folders, so nothing here follows a link or trusts a hard link: a captured
process must not get the supervisor to open up a file elsewhere.
"""

# Strings and os.path, because pathlib would cost the supervisor a megabyte.
# ruff: noqa: PTH102, PTH120, PTH208

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable

from wirken.domain.errors import Unavailable

_FOLDERS = ("vault", "gateway", "agents", "skills", "hatches")


class BadDirectory(Unavailable):
    """A directory that must be ours alone is not."""

    hint = "Look at it, then remove it or choose another place with WIRKEN_DATA_DIR."


def prepare(data: str, sockets: str, uid: int, states: Iterable[str] = ()) -> None:
    """Make and tighten the data directory (0700, files 0600) and the socket directory.

    `uid` is who the children run as, or -1 for the caller; `states` are the folders that adapters keep. Raises
    `BadDirectory`.
    """
    _folder(data, uid)
    for name in _FOLDERS:
        _folder(f"{data}/{name}", uid)
        if name in ("vault", "gateway"):
            _files(f"{data}/{name}", uid)
    _emptied(f"{data}/hatches")
    kept(data, uid, states)
    _files(data, uid)
    _folder(sockets, uid)


def kept(data: str, uid: int, states: Iterable[str]) -> None:
    """Make and tighten the folders that adapters keep. Raises `BadDirectory`."""
    for state in states:
        _folder(os.path.dirname(f"{data}/{state}"), uid)
        _folder(f"{data}/{state}", uid)
        _files(f"{data}/{state}", uid)


def workspace(path: str, uid: int) -> None:
    """Make a workspace inside the data directory, with the folders above it."""
    for place in (os.path.dirname(path), path):
        _folder(place, uid)


def usable(path: str, uid: int, *, write: bool) -> bool:
    """Return whether `uid` (-1: the caller) may enter and read, or also write, the existing directory `path`.

    Only the directory itself counts, not the way to it: it is shown in a view of its own.
    """
    try:
        descriptor = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return permits(descriptor, uid, os.R_OK | os.X_OK | (os.W_OK if write else 0))
    finally:
        os.close(descriptor)


def permits(descriptor: int, uid: int, asked: int) -> bool:
    """Return whether `uid` (-1: the caller) may do `asked` (access(2)) with what an O_PATH descriptor stands for.

    As root this forks, so that the kernel answers for the other uid.
    """
    if uid == -1:
        return os.access(f"/proc/self/fd/{descriptor}", asked)
    child = os.fork()
    if child == 0:
        answer = 1
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            answer = 0 if os.access(f"/proc/self/fd/{descriptor}", asked) else 1
        finally:
            os._exit(answer)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _folder(path: str, uid: int) -> None:
    """Make `path` if it is missing; then it is a real directory of the caller or of `uid`, with mode 0700."""
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        pass
    except OSError as error:
        raise BadDirectory(f"{path} cannot be made: {error.strerror}.") from None
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        raise BadDirectory(f"{path} is not a directory that can be opened.") from None
    try:
        if os.fstat(descriptor).st_uid not in (os.getuid(), uid):
            raise BadDirectory(f"{path} belongs to somebody else.")
        os.fchmod(descriptor, 0o700)
        if uid != -1:
            os.fchown(descriptor, uid, uid)
    finally:
        os.close(descriptor)


def _emptied(folder: str) -> None:
    """Remove what killed runners left directly in `folder`; a directory there is none of theirs, and stays."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        for name in os.listdir(descriptor):
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=descriptor)
    finally:
        os.close(descriptor)


def _files(folder: str, uid: int) -> None:
    """Tighten the regular files directly in `folder`."""
    for name in os.listdir(folder):
        path = f"{folder}/{name}"
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            continue  # a link, a socket, or gone: nothing of ours to tighten
        try:
            seen = os.fstat(descriptor)
            if stat.S_ISREG(seen.st_mode) and seen.st_nlink == 1:
                os.fchmod(descriptor, 0o600)
                if uid != -1:
                    os.fchown(descriptor, uid, uid)
        finally:
            os.close(descriptor)
