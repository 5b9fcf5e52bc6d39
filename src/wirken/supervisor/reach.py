"""Which single path outside the workspaces one call may be given: judged here, whatever the gateway says.

The operator names the roots (`[sandbox] reach`). Below them, the same places are closed as for workspaces: the system,
Wirken's own data, sockets and program, whole home directories, and everything hidden.
"""

# Strings and os.path, because pathlib would cost the supervisor a megabyte.
# ruff: noqa: PTH117

from __future__ import annotations

import os
import stat
from typing import Final

from wirken.domain.errors import UsageError
from wirken.domain.nesting import lies_in
from wirken.supervisor import tree, workspaces
from wirken.supervisor.workspaces import Folder, Land

_OPEN: Final = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


class BadReach(UsageError):
    """A path cannot be given to a call; the sentence is one for the model and for the operator."""


def checked(path: str, here: Land, roots: tuple[str, ...], *, write: bool) -> Folder:
    """Return `path`, a regular file or a directory, held open (O_PATH) by its caller.

    A file that is missing is made empty where `write` says so, if the children's uid could have made it.
    Raises `BadReach`, `workspaces.BadWorkspace`, `workspaces.Moved`.
    """
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
    if write and not os.path.lexists(path):
        _make(path, here.uid)
    return _held(path, here.uid, write=write)


def _held(path: str, uid: int, *, write: bool) -> Folder:
    try:
        descriptor = os.open(path, _OPEN)
    except OSError as error:
        raise BadReach(f"{path} cannot be used: {error.strerror}.") from None
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
