"""The supervisor's side of cgroups: find what may be written here, make a place for the runner, take it away.

Three ways, tried in this order:

- cgroup v2, our own group, where root or the user's service manager gave it to us (`scope_prefix`). The
  supervisor moves into `<group>/wirken-<pid>/members`, because a group that hands controllers down may hold
  no process itself; its children start there, and commands get groups beside it. So this comes before the
  children, and no view may make a cgroup namespace.
- cgroup v1: a directory `wirken-<pid>` below our own group of the memory and of the pids controller.
- nothing: the runner watches the trees itself.

Only the directories named in `binds`, and in them only what moves processes, belong to the runner's uid.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias

Kind: TypeAlias = Literal["cgroup-v2", "cgroup-v1", "watchdog"]

CONTROLLERS: Final = ("memory", "pids")
ROOT: Final = Path("/")
_PREFIX: Final = "wirken-"
_HANDED_OVER: Final = ("cgroup.procs", "cgroup.threads", "cgroup.subtree_control", "tasks")
_MEMBERS: Final = "members"


class Mounted(NamedTuple):
    """A hierarchy and our own group's directory in it. `controller` is `v2` or a v1 controller's name."""

    controller: str
    own: Path


class Delegation(NamedTuple):
    """What the runner was given. `directories` pairs `v2`, `v1:memory` or `v1:pids` with a directory."""

    kind: Kind
    directories: tuple[tuple[str, str], ...] = ()

    @property
    def options(self) -> tuple[tuple[str, str], ...]:
        """The runner's options: `("--cgroup", "v1:memory=/sys/fs/cgroup/memory/wirken-17")` and so on."""
        return tuple(("--cgroup", f"{name}={place}") for name, place in self.directories)

    @property
    def binds(self) -> tuple[str, ...]:
        """Directories that the runner's view shows writable, at their own path."""
        return tuple(place for _, place in self.directories)


NOTHING: Final = Delegation("watchdog")


def delegate(pid: int, uid: int, gid: int, root: Path = ROOT) -> Delegation:
    """Make the runner's cgroup directories for the supervisor `pid` and hand them to `uid`:`gid`.

    Returns `NOTHING` where no hierarchy can be written; what was made halfway is removed. On cgroup v2 the
    supervisor itself is moved. `root` is the machine's root directory.
    """
    # The first mount is the machine's own; a later one (a chroot's, a container's) may go away while we run.
    found = {mounted.controller: mounted.own for mounted in reversed(hierarchies(root))}
    name = f"{_PREFIX}{pid}"
    with contextlib.suppress(OSError):
        if "v2" in found:
            return _delegate_v2(found["v2"] / name, pid, uid, gid)
    with contextlib.suppress(OSError):
        if all(controller in found for controller in CONTROLLERS):
            return _delegate_v1({f"v1:{each}": found[each] / name for each in CONTROLLERS}, uid, gid)
    return NOTHING


def remove(delegation: Delegation, pid: int) -> None:
    """Take everything away at the end; `pid` is the supervisor. What is busy stays for the next `sweep`."""
    for name, place in delegation.directories:
        if name == "v2":
            with contextlib.suppress(OSError):
                _retract_v2(Path(place), pid)
        _remove_tree(Path(place), kill=False)


def sweep(root: Path = ROOT) -> int:
    """Kill and remove what supervisors that are dead left behind. Returns how many directories went."""
    gone = 0
    for mounted in hierarchies(root):
        with contextlib.suppress(OSError):
            for place in sorted(mounted.own.glob(f"{_PREFIX}*")):
                owner = place.name.removeprefix(_PREFIX)
                if owner.isdigit() and not (root / "proc" / owner).exists():
                    gone += _remove_tree(place, kill=True)
    return gone


def scope_prefix(pid: int, uid: int, runtime_dir: str, root: Path = ROOT) -> list[str]:
    """Return the words to put before the supervisor's command so that systemd gives it a group of its own.

    `runtime_dir` is the user's XDG_RUNTIME_DIR, empty if unknown. Without a service manager to ask: nothing.
    """
    manager = Path("/run" if uid == 0 else runtime_dir, "systemd/private")
    tool = Path("/usr/bin/systemd-run")
    if not manager.is_absolute() or not all((root / path.relative_to("/")).exists() for path in (manager, tool)):
        return []
    whose = [] if uid == 0 else ["--user"]
    unit = f"--unit={_PREFIX}{pid}"
    return [str(tool), *whose, "--scope", "--quiet", "--collect", unit, "-p", "Delegate=yes", "--"]


def hierarchies(root: Path = ROOT) -> list[Mounted]:
    """Return the hierarchies that are mounted and in which our own group is visible (proc(5), cgroups(7))."""
    own = _own_groups(root / "proc/self/cgroup")
    found = []
    for line in _lines(root / "proc/self/mountinfo"):
        before, _, after = line.partition(" - ")
        fields, (kind, _, options) = before.split(), after.split()[:3]
        if kind not in ("cgroup", "cgroup2"):
            continue
        for name in ["v2"] if kind == "cgroup2" else set(options.split(",")) & set(CONTROLLERS):
            place = _below(root / fields[4].lstrip("/"), fields[3], own.get(name, "/"))
            if place.is_dir():
                found.append(Mounted(name, place))
    return found


def _own_groups(listing: Path) -> dict[str, str]:
    """Parse /proc/self/cgroup: `hierarchy:controllers:path` per line; the unified one is `0::path`."""
    own: dict[str, str] = {}
    for line in _lines(listing):
        number, controllers, group = line.split(":", 2)
        for name in ["v2"] if number == "0" and not controllers else controllers.split(","):
            own[name] = group
    return own


def _below(mount: Path, mounted_group: str, own: str) -> Path:
    """Return where the group `own` appears below a mount whose root is `mounted_group`; else the mount."""
    inner = own if mounted_group == "/" else own.removeprefix(mounted_group)
    place = mount / inner.lstrip("/")
    return place if ".." not in place.parts and place.is_dir() else mount


def _delegate_v1(places: dict[str, Path], uid: int, gid: int) -> Delegation:
    made: list[Path] = []
    try:
        for place in places.values():
            place.mkdir(mode=0o755)
            made.append(place)
            _hand_over(place, uid, gid)
    except OSError:
        for place in made:
            _remove_tree(place, kill=False)
        raise
    return Delegation("cgroup-v1", tuple((name, str(place)) for name, place in places.items()))


def _delegate_v2(base: Path, pid: int, uid: int, gid: int) -> Delegation:
    """Raises `OSError` where the group is not ours, lacks a controller, or holds another process than `pid`."""
    above = base.parent
    if not set(CONTROLLERS) <= set(" ".join(_lines(above / "cgroup.controllers")).split()):
        raise FileNotFoundError(errno.ENOENT, "a controller is missing", str(above))
    if set(_lines(above / "cgroup.procs")) - {str(pid)}:
        raise OSError(errno.EBUSY, "the group holds other processes", str(above))
    base.mkdir(mode=0o755)
    try:
        (base / _MEMBERS).mkdir(mode=0o755)
        (base / _MEMBERS / "cgroup.procs").write_text(str(pid))
        (above / "cgroup.subtree_control").write_text("+memory +pids")
        (base / "cgroup.subtree_control").write_text("+memory +pids")
        _hand_over(base, uid, gid)
    except OSError:
        with contextlib.suppress(OSError):
            _retract_v2(base, pid)
        _remove_tree(base, kill=False)
        raise
    return Delegation("cgroup-v2", (("v2", str(base)),))


def _retract_v2(base: Path, pid: int) -> None:
    """Take the controllers back and move the supervisor to where it came from."""
    (base / "cgroup.subtree_control").write_text("-memory -pids")
    (base.parent / "cgroup.subtree_control").write_text("-memory -pids")
    (base.parent / "cgroup.procs").write_text(str(pid))


def _hand_over(place: Path, uid: int, gid: int) -> None:
    """Give a directory, and of its files only those that move processes and hand down controllers."""
    os.chown(place, uid, gid)
    for name in _HANDED_OVER:
        with contextlib.suppress(FileNotFoundError):
            os.chown(place / name, uid, gid)


def _remove_tree(place: Path, *, kill: bool) -> int:
    """Remove a directory of ours and the groups in it. Returns 1 if it is gone, else 0."""
    with contextlib.suppress(OSError):
        for inner in place.iterdir():
            if inner.is_dir():
                _remove_group(inner, kill=kill)
    _remove_group(place, kill=kill)
    return 0 if place.exists() else 1


def _remove_group(place: Path, *, kill: bool) -> None:
    if kill:
        for pid in _lines(place / "cgroup.procs"):
            with contextlib.suppress(OSError):
                os.kill(int(pid), signal.SIGKILL)
    with contextlib.suppress(OSError):
        place.rmdir()


def _lines(path: Path) -> list[str]:
    """Return a file's lines; none where it cannot be read."""
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
