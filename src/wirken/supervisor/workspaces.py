"""Which folders of the machine an agent may be given, and whether they are still the same ones at each start.

A folder is judged where the kernel says that an open descriptor lies, never by a name that can change its meaning
between the look and the use. The descriptor is kept: a folder that was swapped for a link is not started with.
"""

# Strings and os.path, because pathlib would cost the supervisor a megabyte.
# ruff: noqa: PTH115, PTH116, PTH117, PTH119, PTH120

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from wirken.domain.errors import Unavailable, UsageError
from wirken.domain.nesting import clash, lies_in
from wirken.supervisor import tree
from wirken.supervisor.plan import Plan

_SYSTEM: Final = (
    *("/usr", "/etc", "/proc", "/sys", "/dev", "/boot", "/run", "/var/run", "/var/spool"),
    *("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"),
)
_SHARED: Final = ("/", "/tmp", "/var", "/var/tmp", "/var/lib", "/home", "/root")  # noqa: S108  # refused, not used
_SHORT_SOCKETS: Final = re.compile(r"/tmp/wirken-\d+-[0-9a-f]{16}(/|$)")  # noqa: S108  # refused, not used
"""Socket directories of installations with a long data directory (config/paths.py)."""
_OWN: Final = "Make a folder for the agent, such as ~/projects/one, and name that."


class BadWorkspace(UsageError):
    """A folder cannot be given to an agent."""


class Moved(Unavailable):
    """A folder is no longer the one that was checked."""

    hint = "Put the folder back where it was, or stop Wirken and start it again."


class Land(NamedTuple):
    """What folders are judged against. Absolute paths, links resolved; `uid` as in `tree.usable`."""

    data: str
    sockets: str
    program: tuple[str, ...]
    homes: tuple[str, ...]
    uid: int
    tools: str = ""
    """The tool root, of which nobody is given a part; empty where there is none."""


class Folder(NamedTuple):
    """A folder that was checked: where it lies, and a descriptor (O_PATH) on it that its owner closes."""

    path: str
    descriptor: int


def land(data: str, sockets: str, program: tuple[str, ...], home: str, uid: int) -> Land:
    """Return the land around one installation; `home` is the operator's $HOME, or empty."""
    named = {home, *(entry.pw_dir for entry in pwd.getpwall())}
    homes = {os.path.realpath(name) for name in named if os.path.isabs(name) and "\0" not in name} - {"/"}
    return Land(os.path.realpath(data), os.path.realpath(sockets), program, tuple(sorted(homes)), uid)


def land_of(plan: Plan) -> Land:
    """Return the land of a plan; the keychain's environment is where a plan keeps $HOME."""
    home = plan.keychain_environment.get("HOME", "")
    return land(plan.data, plan.sockets, plan.program, home, plan.service_uid)._replace(tools=plan.tools)


def checked(path: str, here: Land, *, write: bool) -> Folder:
    """Return the folder `path`, links resolved, if an agent may have it. Raises `BadWorkspace`."""
    what = "The workspace" if write else "The read-only folder"
    if not os.path.isabs(path):
        raise BadWorkspace(f"{what} must be an absolute path.")
    real = os.path.realpath(path)
    try:
        descriptor = os.open(real, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        raise BadWorkspace(f"{what} {path} is not a directory.", hint="Make it, or name another one.") from None
    folder = Folder(real, descriptor)
    try:
        unmoved((folder,))
        judge(real, here, f"{what} {path}", write=write)
        if not tree.usable(f"/proc/self/fd/{descriptor}", here.uid, write=write):
            said = f"{what} {path} cannot be {'written' if write else 'read'}."
            raise BadWorkspace(said, hint=_fix(real, here.uid, write))
    except BaseException:
        os.close(descriptor)
        raise
    return folder


def apart(workspaces: Sequence[str], read_only: Sequence[str]) -> None:
    """Raise `BadWorkspace` where one of these real paths can be replaced from inside another."""
    found = clash(workspaces, read_only)
    if found is not None:
        one, other = found
        raise BadWorkspace(
            f"The folder {one} and the workspace {other} lie inside one another: what can be written in there"
            " could put a link in its place.",
            hint="Choose folders that lie beside one another, or the very same workspace.",
        )


def unmoved(folders: Iterable[Folder]) -> None:
    """Raise `Moved` unless each folder still lies at its path, with no link on the way."""
    for path, descriptor in folders:
        try:
            now, then = os.stat(path), os.fstat(descriptor)
        except OSError:
            raise Moved(f"The folder {path} is gone since it was checked.") from None
        same = (now.st_dev, now.st_ino) == (then.st_dev, then.st_ino)
        if not same or os.readlink(f"/proc/self/fd/{descriptor}") != path:
            raise Moved(f"The folder {path} was replaced by another one, or by a link, since it was checked.")


def shown_to(pid: int, folders: Iterable[Folder]) -> None:
    """Raise `Moved` unless the view below bubblewrap's process `pid` shows these very folders.

    bubblewrap finds its mounts by name, after `unmoved` has looked. What a view shows does not change any more.
    """
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            inner = file.read().split()[0]
    except (OSError, IndexError):
        raise Moved("The view cannot be looked at.") from None
    for path, descriptor in folders:
        try:
            shown, then = os.stat(f"/proc/{inner}/root{path}"), os.fstat(descriptor)
        except OSError:
            raise Moved(f"The folder {path} is not in the view.") from None
        if (shown.st_dev, shown.st_ino) != (then.st_dev, then.st_ino):
            raise Moved(f"The folder {path} was replaced by another one, or by a link, while the view was made.")


def judge(real: str, here: Land, what: str, *, write: bool) -> None:
    """Raise `BadWorkspace` for a place whose files steer the machine, its users, or Wirken itself."""
    if real in _SHARED or any(lies_in(real, place) for place in _SYSTEM):
        raise BadWorkspace(f"{what} belongs to the system.", hint=_OWN)
    if write and _is_default(real, here.data):
        return
    wirkens(real, here, what)
    if any(lies_in(home, real) for home in here.homes):
        raise BadWorkspace(
            f"{what} is a home directory, or lies around one: it holds keys, and files that run at the next login.",
            hint=_OWN,
        )
    if here.tools and (lies_in(real, here.tools) or lies_in(here.tools, real)):
        raise BadWorkspace(f"{what} holds the tool root {here.tools}, or lies in it.", hint=_OWN)
    hidden = next((part for part in real.split("/") if part.startswith(".")), "")
    if hidden:
        raise BadWorkspace(
            f"{what} lies in the hidden folder {hidden}: such folders hold keys, settings and hooks.", hint=_OWN
        )
    if write and any(lies_in(real, place) or _can_move(real, place) for place in here.program):
        raise BadWorkspace(f"{what} holds Wirken's own program.", hint="Choose another folder.")


def wirkens(real: str, here: Land, what: str) -> None:
    """Raise `BadWorkspace` for a place that is in or around Wirken's data, or its sockets."""
    if lies_in(here.data, real) or lies_in(real, here.data):
        raise BadWorkspace(f"{what} holds Wirken's own data.", hint="Choose a folder beside it, not around it.")
    if lies_in(here.sockets, real) or lies_in(real, here.sockets) or _SHORT_SOCKETS.match(real):
        raise BadWorkspace(f"{what} holds the sockets that Wirken is ruled by.", hint=_OWN)


def _is_default(real: str, data: str) -> bool:
    """Return whether this is `<data>/agents/<name>/workspace`: a folder inside of one is not."""
    agents, _, name = os.path.dirname(real).rpartition("/")
    return agents == f"{data}/agents" and name != "" and os.path.basename(real) == "workspace"


def _can_move(real: str, place: str) -> bool:
    """Return whether a folder above `place` can be renamed in `real`; `place` itself is a mount there and cannot."""
    above = os.path.dirname(place)
    return above != real and lies_in(above, real)


def _fix(path: str, uid: int, write: bool) -> str:
    if uid == -1:
        return "Change its owner or mode, or name another folder."
    mode = "rwX" if write else "rX"
    return f"Started as root, Wirken works as uid {uid}: `setfacl -R -m u:{uid}:{mode} {path}`, or chown it."
