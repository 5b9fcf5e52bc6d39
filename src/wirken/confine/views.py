"""Turn a role's row into the bubblewrap view that its process starts in.

The view is built from nothing: /usr, a handful of files of /etc, the program, and what the row names, each
at its own path. Mounts are made from the outside in, so that the program stays read-only even inside a
workspace.
Strings and tuples only, because the supervisor loads this and must stay small.
"""

# Strings and os.path, because pathlib would cost the supervisor a megabyte.
# ruff: noqa: PTH112, PTH114, PTH115, PTH118

from __future__ import annotations

import os
from typing import Final, NamedTuple

from wirken.confine.roles import EVERYBODY, Role

_TOP: Final = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")


class Mount(NamedTuple):
    """One thing in a view. `kind` is bubblewrap's option without dashes; `source` may be empty."""

    kind: str
    target: str
    source: str = ""


class Scene(NamedTuple):
    """What the rows' names stand for in this installation. All paths are absolute."""

    data: str
    sockets: str
    program: tuple[str, ...]
    """`pyenv.program_paths()`."""
    workspaces: tuple[str, ...] = ()
    read_only: tuple[str, ...] = ()
    outside: tuple[Mount, ...] = ()
    """Mounts for the single paths that one call was given, for the runner that is started for it."""
    cgroups: tuple[str, ...] = ()
    """Directories that the runner may write, delegated for it."""
    boxes: tuple[str, ...] = ()
    """What the runner's sandboxes are made with beside the machine's own: a container engine's socket, a root."""
    hatches: str = ""
    """Where runners make sockets that a container engine shows to containers; empty where there is no engine."""
    tools: str = ""
    """The folder whose programs commands get; empty for the machine's own."""
    top: tuple[Mount, ...] = ()
    """`top_level()`: /bin and its like."""
    reaches: tuple[str, ...] = ()
    """The single paths that one call was given, in the runner's words: `ro-bind:/path`, `bind:/path`, `entry:/path`."""


def top_level(root: str = "/") -> tuple[Mount, ...]:
    """Return /bin, /lib and their like as below `root`: links on a merged-usr system, else directories."""
    found = []
    for name in _TOP:
        place = os.path.join(root, name)
        if os.path.islink(place):
            found.append(Mount("symlink", f"/{name}", os.readlink(place)))
        elif os.path.isdir(place):
            found.append(Mount("ro-bind", f"/{name}", f"/{name}"))
    return tuple(found)


def mounts(role: Role, scene: Scene) -> tuple[Mount, ...]:
    """Return everything in this role's view, outermost first."""
    listed = [
        Mount("ro-bind", "/usr", "/usr"),
        *scene.top,
        Mount("proc", "/proc"),
        Mount("dev", "/dev"),
        Mount("tmpfs", "/tmp"),  # noqa: S108  # the view's own
        *(Mount("ro-bind-try", path, path) for path in (*EVERYBODY, *role.system)),
        *(Mount("ro-bind", path, path) for path in scene.program),
        *(Mount("bind", path, path) for path in (f"{scene.data}/{name}" for name in role.writable)),
        *(Mount("ro-bind", path, path) for path in (f"{scene.data}/{name}" for name in role.readable)),
        *(Mount("ro-bind", path, path) for path in (f"{scene.sockets}/{name}" for name in role.sockets)),
    ]
    if role.tools and scene.tools:
        listed.append(Mount("ro-bind", scene.tools, scene.tools))
    if role.workspaces:
        listed += [Mount("bind", path, path) for path in (*scene.workspaces, *scene.cgroups)]
        listed += [Mount("ro-bind", path, path) for path in scene.read_only if path not in scene.workspaces]
        listed += scene.outside
        listed += [Mount("ro-bind-try", path, path) for path in scene.boxes]
        if scene.hatches:
            listed.append(Mount("bind", scene.hatches, scene.hatches))
    unique = {mount.target: mount for mount in reversed(listed)}
    return tuple(sorted(unique.values(), key=lambda mount: (mount.target.count("/"), mount.target)))


def arguments(role: Role, scene: Scene) -> list[str]:
    """Return bubblewrap's arguments for this role, without the program and without user or capabilities.

    Parents are made by name with mode 0755: bubblewrap's own would be closed to a child that is not root.
    """
    listed = mounts(role, scene)
    made = {mount.target for mount in listed}
    bound = tuple(f"{mount.target}/" for mount in listed if mount.kind in ("bind", "ro-bind"))
    line = [
        "--die-with-parent",
        "--new-session",
        "--unshare-pid",
        "--unshare-ipc",
        "--unshare-uts",
        *([] if role.network else ["--unshare-net"]),
        "--hostname",
        "wirken",
    ]
    for mount in listed:
        for parent in _parents(mount.target):
            if parent not in made and not parent.startswith(bound):
                made.add(parent)
                line += ["--perms", "0755", "--dir", parent]
        line += _option(mount)
    return [*line, "--remount-ro", "/", "--chdir", "/"]


def _option(mount: Mount) -> list[str]:
    if mount.kind == "tmpfs":
        return ["--perms", "1777", "--tmpfs", mount.target]
    return [f"--{mount.kind}", *([mount.source] if mount.source else []), mount.target]


def _parents(path: str) -> list[str]:
    """Return the directories above `path`, outermost first, without the root."""
    parts = path.split("/")[1:-1]
    return ["/" + "/".join(parts[: count + 1]) for count in range(len(parts))]
