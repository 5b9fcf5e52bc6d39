"""Which single path outside the workspaces one call may be given: judged here, whatever the gateway says.

The operator names the roots (`[sandbox] reach`). Below them, the same places are closed as for workspaces: the system,
Wirken's own data, sockets and program, whole home directories, and everything hidden.
"""

# Strings and os.path, because pathlib would cost the supervisor a megabyte.
# ruff: noqa: PTH112, PTH114, PTH117, PTH120

from __future__ import annotations

import os
import stat
from typing import Final, NamedTuple

from wirken.domain.errors import UsageError
from wirken.domain.nesting import lies_in
from wirken.supervisor import tree, workspaces
from wirken.supervisor.workspaces import Folder, Land

_OPEN: Final = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


class BadReach(UsageError):
    """A path cannot be given to a call; the sentence is one for the model and for the operator."""


class Wanted(NamedTuple):
    """A path as the gateway asks for it; `entry` as in `domain.actions.Outside`."""

    path: str
    write: bool = False
    entry: str = ""


class Given(NamedTuple):
    """What is mounted for a path, held open, and how: `ro-bind`, `bind`, or for its name `entry`: the folder around it
    is mounted for writing, and the runner hides what else lies there."""

    kind: str
    folder: Folder


def given(wanted: Wanted, here: Land, roots: tuple[str, ...]) -> Given:
    """Return what a call gets for one path. Raises as `checked`."""
    path, write, entry = wanted
    if not write:
        return Given("ro-bind", checked(path, here, roots, write=False))
    if entry == "named" or (entry == "into" and not _is_folder(path)):
        return Given("entry", around(path, here, roots))
    return Given("bind", checked(path, here, roots, write=True, make=entry == ""))


def checked(path: str, here: Land, roots: tuple[str, ...], *, write: bool, make: bool = True) -> Folder:
    """Return `path`, a regular file or a directory, held open (O_PATH) by its caller.

    A file that is missing is made empty where `write` and `make` say so, if the children's uid could have made it.
    Raises `BadReach`, `workspaces.BadWorkspace`, `workspaces.Moved`.
    """
    _judge(path, here, roots, write=write)
    if write and make and not os.path.lexists(path):
        _make(path, here.uid)
    return _held(path, here.uid, write=write)


def around(path: str, here: Land, roots: tuple[str, ...]) -> Folder:
    """Return the folder in which `path`, which need not be there, may be made, moved and removed; held open (O_PATH).

    Raises as `checked`, also for a folder that a call may not have: a home directory, say.
    """
    _judge(path, here, roots, write=True)
    if os.path.lexists(path):
        os.close(_held(path, here.uid, write=False).descriptor)
    above = os.path.dirname(path)
    if not any(lies_in(above, root) for root in roots):
        raise BadReach(f"{path} is what the operator opened, and can be neither made nor moved nor removed.")
    if not _is_folder(above):
        raise BadReach(f"{above} is no folder, so that nothing can be made in there.", hint="Make it in an own step.")
    what = f"{path} cannot be made, moved or removed: that takes writing in {above}, which"
    workspaces.judge(above, here, what, write=True)
    return _held(above, here.uid, write=True)


def _is_folder(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)


def _judge(path: str, here: Land, roots: tuple[str, ...], *, write: bool) -> None:
    if os.path.normpath(path) != path or not os.path.isabs(path):
        raise BadReach(f"{path} is no plain absolute path.")
    if not any(lies_in(path, root) for root in roots):
        raise BadReach(
            f"{path} lies outside of what the operator opened.",
            hint=f"Opened is: {', '.join(roots) or 'nothing'} (`reach` in [sandbox] of config.toml).",
        )
    if os.path.realpath(path) != path:
        raise BadReach(f"{path} lies behind a link.", hint="Ask for the place itself.")
    workspaces.judge(path, here, f"The path {path}", write=write)


def _held(path: str, uid: int, *, write: bool) -> Folder:
    try:
        descriptor = os.open(path, _OPEN)
    except OSError as error:
        hint = (
            None if write else "A command is given a path for writing only where it plainly makes or changes that one."
        )
        raise BadReach(f"{path} cannot be used: {error.strerror}.", hint=hint) from None
    try:
        held = Folder(path, descriptor)
        workspaces.unmoved((held,))
        mode = os.fstat(descriptor).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise BadReach(f"{path} is neither a file nor a folder.")
        asked = os.R_OK | (os.W_OK if write else 0) | (os.X_OK if stat.S_ISDIR(mode) else 0)
        if not tree.permits(descriptor, uid, asked):
            raise BadReach(
                f"{path} cannot be {'written' if write else 'read'}"
                + ("." if uid == -1 else f" by uid {uid}, which Wirken works as."),
                hint="Change its owner or mode.",
            )
    except BaseException:
        os.close(descriptor)
        raise
    return held


def _make(path: str, uid: int) -> None:
    """Make an empty file, as `uid` would have."""
    above, name = os.path.split(path)
    try:
        folder = os.open(above, _OPEN | os.O_DIRECTORY)
    except OSError as error:
        raise BadReach(f"{above} cannot be used: {error.strerror}.") from None
    try:
        workspaces.unmoved((Folder(above, folder),))
        if not tree.permits(folder, uid, os.W_OK | os.X_OK):
            raise BadReach(f"No file can be made in {above}.", hint="Change its owner or mode.")
        made = os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder)
        try:
            if uid != -1:
                os.fchown(made, uid, uid)
        finally:
            os.close(made)
    except OSError as error:
        raise BadReach(f"{path} cannot be made: {error.strerror}.") from None
    finally:
        os.close(folder)
