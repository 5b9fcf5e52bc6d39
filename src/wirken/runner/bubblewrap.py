"""The sandbox of one command as bubblewrap's arguments: all that the command sees (docs/sandbox.md)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from wirken.domain import outside_limits
from wirken.domain.actions import Outside
from wirken.domain.shown import shown_at
from wirken.runner.granted import Certificates, certificates, environment
from wirken.runner.masks import masks
from wirken.runner.sandbox import Bounds, Command
from wirken.runner.steering import mountable

WORKSPACE: Final = "/workspace"
USER: Final = 1000
"""uid and gid inside. Outside they are the runner's own, in a user namespace where they own nothing else."""

ENVIRONMENT: Final = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/tmp",  # noqa: S108  # the sandbox's own; in the workspace, dot files would litter a person's folder
    "USER": "agent",
    "LOGNAME": "agent",
    "SHELL": "/bin/sh",
    "LANG": "C.UTF-8",
    "TERM": "dumb",
}
"""All that a command finds; bubblewrap adds PWD."""

PASSWD: Final = (
    "root:x:0:0:root:/nonexistent:/usr/sbin/nologin\n"
    f"agent:x:{USER}:{USER}:agent:/tmp:/bin/sh\n"
    "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
)
GROUP: Final = f"root:x:0:\nagent:x:{USER}:\nnogroup:x:65534:\n"
HOSTS: Final = "127.0.0.1 localhost\n::1 localhost\n"
NSSWITCH: Final = "passwd: files\ngroup: files\nshadow: files\nhosts: files\nservices: files\nprotocols: files\n"

_TOP: Final = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_CACHE: Final = "ld.so.cache"
"""Where libraries lie: a file of /etc that belongs to the programs."""
_ALTERNATIVES: Final = "/etc/alternatives"
_TIME: Final = "localtime"
"""The time of day: a file of /etc that belongs to the machine."""


class HostRoot(NamedTuple):
    """The part of a sandbox's root that is the same for every command."""

    etc: Path
    """A directory that becomes /etc."""
    top: tuple[str, ...]
    """Arguments that make /bin, /lib and their like as the host has them, or the tool root."""
    certificates: Certificates
    """For commands with a network."""
    masks: tuple[str, ...] = ()
    """Arguments that hide the machine's part of /proc (`masks`)."""
    usr: str = "/usr"
    """The folder that becomes /usr; empty for none."""
    alternatives: str = _ALTERNATIVES
    """The folder that becomes /etc/alternatives; empty for none."""
    nothing: str = ""
    """An empty folder, closed to everybody: what a hidden one looks like."""


class Descriptors(NamedTuple):
    """What bubblewrap inherits: where it reports, the gate it waits at, and the system call filter."""

    status: int
    gate: int
    filter: int


def prepare(directory: Path, host: Path, tools: str = "") -> HostRoot:
    """Write the sandbox's /etc below the empty `directory`, and look at the root of `host`.

    The programs are those below `tools`, a folder with an unpacked image, or the host's where that is empty. Of an
    image's links none is followed here: they are shown as links, and lead nowhere but into what the sandbox shows.
    """
    programs = Path(tools) if tools else host
    etc = directory / "etc"
    etc.mkdir(mode=0o755)
    for name, text in (("passwd", PASSWD), ("group", GROUP), ("hosts", HOSTS), ("nsswitch.conf", NSSWITCH)):
        (etc / name).write_text(text)
    authorities = certificates(host)
    for shown in (_ALTERNATIVES, *(shown for _, shown in authorities.folders)):
        (directory / shown[1:]).mkdir(mode=0o755, parents=True)  # where something is shown later
    own_etc = not tools or _is_own(programs / "etc")
    if own_etc and not (tools and (programs / "etc" / _CACHE).is_symlink()):
        _copy(programs / "etc" / _CACHE, etc)
    _copy(host / "etc" / _TIME, etc)
    (directory / "nothing").mkdir(mode=0o555)
    (directory / "hidden").mkdir(mode=0)
    return HostRoot(
        etc,
        _top(programs, tools),
        authorities,
        masks(host / "proc", directory / "nothing"),
        usr=f"{tools}/usr" if not tools or _is_own(programs / "usr") else "",
        nothing=str(directory / "hidden"),
        alternatives=f"{tools}{_ALTERNATIVES}" if own_etc and _is_own(Path(f"{programs}{_ALTERNATIVES}")) else "",
    )


def _copy(file: Path, folder: Path) -> None:
    with contextlib.suppress(OSError):  # most programs start without it
        (folder / file.name).write_bytes(file.read_bytes())


def _top(programs: Path, tools: str) -> tuple[str, ...]:
    top: list[str] = []
    for name in _TOP:
        place = programs / name
        if place.is_symlink():
            top += ["--symlink", str(place.readlink()), f"/{name}"]
        elif place.is_dir():
            top += ["--ro-bind", f"{tools}/{name}", f"/{name}"]
    return tuple(top)


def _is_own(place: Path) -> bool:
    return place.is_dir() and not place.is_symlink()


def left_alone(command: Command) -> Iterator[tuple[str, str]]:
    """Yield what the command must leave alone, each with its place in the sandbox: to be mounted over it, read-only."""
    yield from _kept(command)
    yield from ((path, path) for path in _kept_outside(command))


def _kept(command: Command) -> Iterator[tuple[str, str]]:
    yield from ((f"{command.workspace}/{path}", f"{WORKSPACE}/{path}") for path in mountable(command.kept))


def _kept_outside(command: Command) -> Iterator[str]:
    """Paths outside are shown under their own names."""
    yield from (f"{folder}/{path}" for folder, seen in command.beside for path in mountable(seen))


def options(root: HostRoot, bounds: Bounds, command: Command, inherited: Descriptors) -> list[str]:
    """Return bubblewrap's options: everything before the command itself.

    The root is made read-only last; everything that can be written has a size, except the workspace. With
    `command.network` it finds a proxy's address and the machine's CA certificates; its network stays a loopback of
    its own.
    """
    size = str(bounds.tmp)
    return [
        *("--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup"),
        *("--unshare-net", "--uid", str(USER), "--gid", str(USER), "--hostname", "sandbox"),
        *("--die-with-parent", "--new-session"),
        *(("--ro-bind", root.usr, "/usr") if root.usr else ()),
        *(*root.top, "--ro-bind", str(root.etc), "/etc"),
        *(("--ro-bind-try", root.alternatives, _ALTERNATIVES) if root.alternatives else ()),
        *("--proc", "/proc", *root.masks, "--dev", "/dev"),
        *("--perms", "1777", "--size", size, "--tmpfs", "/dev/shm", "--remount-ro", "/dev"),  # noqa: S108  # made here
        *("--perms", "1777", "--size", size, "--tmpfs", "/tmp"),  # noqa: S108  # made here
        *(("--bind", command.workspace, WORKSPACE) if command.workspace else ()),
        *(text for source, place in shown_at(command.read_only) for text in ("--ro-bind", source, place)),
        *(_granted(root.certificates) if command.network is not None else ()),
        *_outside(root, command),
        *(text for source, place in _kept(command) for text in ("--ro-bind", source, place)),
        *("--remount-ro", "/", "--chdir", WORKSPACE if command.workspace else "/"),
        *("--json-status-fd", str(inherited.status), "--block-fd", str(inherited.gate)),
        *("--seccomp", str(inherited.filter)),
    ]


def _granted(authorities: Certificates) -> tuple[str, ...]:
    shown = (("--ro-bind", source, place) for source, place in authorities.folders)
    variables = (("--setenv", name, value) for name, value in environment(authorities).items())
    return tuple(word for option in (*shown, *variables) for word in option)


def _outside(root: HostRoot, command: Command) -> tuple[str, ...]:
    """Return the options that show the paths outside, keep what steers there and cover what is hidden, outermost first.

    A device that is bound by bubblewrap cannot be opened: so /dev/null stands for a hidden file.
    """
    placed: list[tuple[str, tuple[str, ...]]] = [
        (one.path, (_bind(one), one.path, one.path)) for one in command.outside
    ]
    placed += [(path, ("--ro-bind", path, path)) for path in _kept_outside(command)]
    closed: list[str] = []
    for one in command.hidden:
        if one.leads:
            placed.append((one.path, ("--perms", "0555", "--size", str(outside_limits.WAY), "--tmpfs", one.path)))
            closed += ("--remount-ro", one.path)
        else:
            placed.append((one.path, ("--ro-bind", root.nothing if one.folder else "/dev/null", one.path)))
    ordered = sorted(placed, key=lambda option: (option[0].count("/"), option[0]))
    return (*(word for _, option in ordered for word in option), *closed)


def _bind(one: Outside) -> str:
    return "--bind" if one.writable else "--ro-bind"
