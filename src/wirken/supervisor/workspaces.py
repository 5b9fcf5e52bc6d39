"""Which folders of the machine an agent may be given."""

# Strings and os.path, because pathlib would cost the supervisor a megabyte.
# ruff: noqa: PTH112, PTH117

from __future__ import annotations

import os
from typing import Final

from wirken.domain.errors import UsageError
from wirken.supervisor import tree

_SYSTEM: Final = (
    "/usr",
    "/etc",
    "/proc",
    "/sys",
    "/dev",
    "/boot",
    "/run",
    "/var/run",
    "/bin",
    "/sbin",
    "/lib",
)
_SHARED: Final = ("/", "/tmp", "/var", "/var/tmp", "/home", "/root/.ssh")  # noqa: S108  # refused, not used


class BadWorkspace(UsageError):
    """A folder cannot be given to an agent."""


def checked(path: str, data: str, program: tuple[str, ...], uid: int, *, write: bool) -> str:
    """Return `path`, links resolved, if an agent may have it; `uid` as in `tree.usable`.

    Raises `BadWorkspace`.

    Wirken's own data stays out of every workspace, but for `<data>/agents`; so do the system and the program.
    """
    what = "The workspace" if write else "The read-only folder"
    if not os.path.isabs(path):
        raise BadWorkspace(f"{what} must be an absolute path.")
    real = os.path.realpath(path)
    if not os.path.isdir(real):
        raise BadWorkspace(f"{what} {path} is not a directory.", hint="Make it, or name another one.")
    if real in _SHARED or _below(real, _SYSTEM):
        raise BadWorkspace(f"{what} {path} belongs to the system.", hint="Give the agent a folder of its own.")
    if _below(data, (real,)) or (_below(real, (data,)) and not real.startswith(f"{data}/agents/")):
        raise BadWorkspace(f"{what} {path} holds Wirken's own data.", hint="Choose a folder beside it, not around it.")
    if _below(real, program) and write:
        raise BadWorkspace(f"{what} {path} holds Wirken's own program.", hint="Choose another folder.")
    if not tree.usable(real, uid, write=write):
        raise BadWorkspace(f"{what} {path} cannot be {'written' if write else 'read'}.", hint=_fix(real, uid, write))
    return real


def _below(path: str, places: tuple[str, ...]) -> bool:
    return any(path == place or path.startswith(place.rstrip("/") + "/") for place in places)


def _fix(path: str, uid: int, write: bool) -> str:
    if uid == -1:
        return "Change its owner or mode, or name another folder."
    mode = "rwX" if write else "rX"
    return f"Started as root, Wirken works as uid {uid}: `setfacl -R -m u:{uid}:{mode} {path}`, or chown it."
