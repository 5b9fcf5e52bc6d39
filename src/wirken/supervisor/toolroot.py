"""Which folder of the machine may be the root of the programs that commands get."""

# Strings and os.path, because pathlib would cost the supervisor a megabyte.
# ruff: noqa: PTH114, PTH116, PTH117

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from typing import Final

from wirken.domain.errors import UsageError
from wirken.domain.nesting import lies_in
from wirken.supervisor import tree, workspaces
from wirken.supervisor.workspaces import Folder, Land

_CHANGING: Final = ("/proc", "/sys", "/dev", "/run", "/var/run", "/etc")
_SHOWN: Final = ("usr", "usr/bin", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "etc", "etc/alternatives")
"""What sandboxes show of it, and the first folder of programs: whoever may write there says what commands run."""
_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH


class BadToolRoot(UsageError):
    """A folder cannot be the tool root."""

    hint = "Unpack an image into a folder of its own, such as ~/images/debian, and name that as `tools` in [sandbox]."


def checked(path: str, here: Land, owners: Iterable[int]) -> Folder:
    """Return the folder `path`, held open by its caller. `owners` are the uids that it may belong to.

    Raises `BadToolRoot`, `workspaces.BadWorkspace` for Wirken's own places, `workspaces.Moved`.
    """
    if not os.path.isabs(path) or os.path.normpath(path) != path:
        raise BadToolRoot(f"The tool root {path} is no plain absolute path.")
    if os.path.realpath(path) != path:
        raise BadToolRoot(f"The tool root {path} is a link, or lies behind one.", hint="Name the place itself.")
    try:
        descriptor = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        raise BadToolRoot(f"The tool root {path} is not a directory.") from None
    try:
        folder = Folder(path, descriptor)
        workspaces.unmoved((folder,))
        _judge(path, here)
        _ours(f"/proc/self/fd/{descriptor}", path, frozenset(owners), here.uid)
    except BaseException:
        os.close(descriptor)
        raise
    return folder


def _judge(path: str, here: Land) -> None:
    what = f"The tool root {path}"
    if path in ("/", "/usr") or any(lies_in(path, place) for place in _CHANGING):
        raise BadToolRoot(f"{what} is the machine's own.")
    workspaces.wirkens(path, here, what)
    if any(lies_in(path, place) or lies_in(place, path) for place in here.program):
        raise BadToolRoot(f"{what} holds Wirken's own program, or lies in it.")
    if any(lies_in(home, path) for home in here.homes):
        raise BadToolRoot(f"{what} is a home directory, or lies around one.")


def _ours(held: str, path: str, owners: frozenset[int], uid: int) -> None:
    """Raise `BadToolRoot` unless only `owners` may change what is shown, and the children may read it."""
    if os.path.islink(f"{held}/usr"):
        raise BadToolRoot(f"{path}/usr is a link.", hint="Unpack the image with its own usr.")
    if not any(os.path.lexists(f"{held}/{name}") for name in ("usr/bin", "bin")):
        raise BadToolRoot(f"The tool root {path} has neither usr/bin nor bin.")
    for name in ("", *_SHOWN):
        place = f"{path}/{name}".rstrip("/")
        try:
            found = os.stat(f"{held}/{name}", follow_symlinks=name == "")
        except OSError:
            continue
        if stat.S_ISLNK(found.st_mode):
            continue  # a link is shown as one, and leads nowhere but into what is shown
        if found.st_uid not in owners:
            raise BadToolRoot(f"{place} belongs to uid {found.st_uid}.", hint=f"chown -R {min(owners)} {path}")
        others = found.st_mode & _OTHERS or (uid != -1 and tree.usable(f"{held}/{name}", uid, write=True))
        if stat.S_ISDIR(found.st_mode) and others:
            raise BadToolRoot(f"{place} can be written by others.", hint=f"chmod -R go-w {path}")
        if stat.S_ISDIR(found.st_mode) and not tree.usable(f"{held}/{name}", uid, write=False):
            raise BadToolRoot(f"{place} cannot be read by what works there.", hint=f"chmod -R go+rX {path}")
