"""One group of processes per command, below the cgroup directories that the supervisor delegated.

The kernel holds the limits (Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst); this module
makes the group, puts the sandbox into it before its command starts, and reads what the kernel did.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from wirken.domain import limits
from wirken.domain.errors import UsageError
from wirken.runner.fences import Broken, Fence, Fences
from wirken.runner.sandbox import Bounds

V1_CONTROLLERS: Final = ("memory", "pids")
_MYSELF: Final = 0  # cgroups(7): written to `tasks`, the thread that writes


class BadDelegation(UsageError):
    """The supervisor named cgroup directories in a form the runner does not know."""


class GroupV2:
    """A group of the unified hierarchy, around one command."""

    pause = limits.EXEC_WATCH_CGROUP

    def __init__(self, directory: Path, bounds: Bounds) -> None:
        self._directory = directory
        self._bounds = bounds

    def make(self) -> None:
        """Create the group. Raises `OSError`."""
        self._directory.mkdir()

    def limit(self) -> None:
        """Set its limits. Raises `OSError`."""
        _write(self._directory / "memory.max", self._bounds.memory)
        _write_if_there(self._directory / "memory.swap.max", 0)
        _write_if_there(self._directory / "memory.oom.group", 1)
        _write(self._directory / "pids.max", self._bounds.processes)

    def around(self) -> AbstractContextManager[None]:
        return contextlib.nullcontext()  # the memory controller has no threads of its own here

    def admit(self, pid: int) -> None:
        _write(self._directory / "cgroup.procs", pid)

    def broken(self) -> Broken:
        return "memory" if _field(self._directory / "memory.events", "oom_kill") else ""

    def starved(self) -> bool:
        return _field(self._directory / "pids.events", "max") > 0

    def kill(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            _write(self._directory / "cgroup.kill", 1)
            return
        _kill_members(self._directory)  # before Linux 5.14

    def remove(self) -> None:
        _remove(self._directory)


class GroupV1:
    """Two groups of the same name, one per controller, around one command.

    A thread that moves itself is moved at once. Before the kernel moves a process it waits until none may be forking,
    some 10 ms (kernel/cgroup/cgroup.c, `cgroup_procs_write_start`); so the sandbox is not moved, but born here.
    """

    pause = limits.EXEC_WATCH_CGROUP

    def __init__(self, memory: Path, pids: Path, bounds: Bounds) -> None:
        self._memory = memory
        self._pids = pids
        self._bounds = bounds

    def make(self) -> None:
        """Create both groups. Raises `OSError`."""
        self._memory.mkdir()
        try:
            self._pids.mkdir()
        except OSError:
            self._memory.rmdir()
            raise

    def limit(self) -> None:
        """Set their limits. Raises `OSError`."""
        _write(self._memory / "memory.limit_in_bytes", self._bounds.memory)
        _write_if_there(self._memory / "memory.memsw.limit_in_bytes", self._bounds.memory)
        _write(self._pids / "pids.max", self._bounds.processes)

    @contextlib.contextmanager
    def around(self) -> Iterator[None]:
        """Memory that the thread itself takes is the runner's: it is charged to the process's first thread's group."""
        try:
            for place in (self._memory, self._pids):
                _write(place / "tasks", _MYSELF)
            yield
        finally:
            for place in (self._memory, self._pids):
                _write(place.parent / "tasks", _MYSELF)

    def admit(self, pid: int) -> None:
        for place in (self._memory, self._pids):
            if pid not in _members(place):
                raise OSError(errno.ESRCH, "the sandbox is not in its group", str(place))

    def broken(self) -> Broken:
        return "memory" if _field(self._memory / "memory.oom_control", "oom_kill") else ""

    def starved(self) -> bool:
        return _field(self._pids / "pids.events", "max") > 0

    def kill(self) -> None:
        _kill_members(self._pids)

    def remove(self) -> None:
        _remove(self._memory)
        _remove(self._pids)


class CgroupsV2:
    """Makes groups below one delegated directory of the unified hierarchy."""

    kind = "cgroup-v2"

    def __init__(self, base: Path, names: Iterator[str], bounds: Bounds) -> None:
        """`names` are for the groups; no other runner that was lent the same directory may use them."""
        self._base = base
        self._names = names
        self._bounds = bounds

    def fence(self) -> Fence:
        group = GroupV2(self._base / next(self._names), self._bounds)
        _made(group)
        return group


class CgroupsV1:
    """Makes groups below one delegated directory per controller."""

    kind = "cgroup-v1"

    def __init__(self, memory: Path, pids: Path, names: Iterator[str], bounds: Bounds) -> None:
        """`names` as for `CgroupsV2`."""
        self._memory = memory
        self._pids = pids
        self._names = names
        self._bounds = bounds

    def fence(self) -> Fence:
        name = next(self._names)
        group = GroupV1(self._memory / name, self._pids / name, self._bounds)
        _made(group)
        return group


def delegated(described: tuple[str, ...], token: str, bounds: Bounds) -> Fences | None:
    """Return what the `--cgroup` arguments describe, or None for none of them.

    `token` is this runner's alone: several runners share the directories, and a killed one leaves groups behind.
    Forms: `v2=DIRECTORY`, or both of `v1:memory=DIRECTORY` and `v1:pids=DIRECTORY`. Raises `BadDelegation`.
    """
    if not described:
        return None
    found = {kind: Path(place) for kind, sep, place in (text.partition("=") for text in described) if sep}
    names = (f"command-{token}-{number}" for number in itertools.count(1))
    if set(found) == {"v2"}:
        return CgroupsV2(found["v2"], names, bounds)
    if set(found) == {f"v1:{name}" for name in V1_CONTROLLERS}:
        return CgroupsV1(found["v1:memory"], found["v1:pids"], names, bounds)
    raise BadDelegation(
        "The cgroup directories are not described in a form the runner knows.",
        hint="Forms: v2=DIRECTORY, or v1:memory=DIRECTORY together with v1:pids=DIRECTORY.",
    )


def _made(group: GroupV1 | GroupV2) -> None:
    group.make()
    try:
        group.limit()
    except OSError:
        group.remove()
        raise


def _write(place: Path, value: int) -> None:
    handle = os.open(place, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(handle, b"%d" % value)
    finally:
        os.close(handle)


def _write_if_there(place: Path, value: int) -> None:
    """Set a limit whose file only some kernels have (swap accounting, group kills)."""
    with contextlib.suppress(FileNotFoundError, PermissionError):
        _write(place, value)


def _field(place: Path, name: str) -> int:
    """Return a number from a file of `name number` lines; 0 where the file or the line is missing."""
    try:
        lines = place.read_text().splitlines()
    except FileNotFoundError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.split()[0] == name), 0)


def _members(directory: Path) -> list[int]:
    return [int(pid) for pid in (directory / "cgroup.procs").read_text().split()]


def _kill_members(directory: Path) -> None:
    """Kill every process of a group, except ourselves: a thread of ours may have failed to leave."""
    with contextlib.suppress(FileNotFoundError):
        for pid in _members(directory):
            if pid != os.getpid():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def _remove(directory: Path) -> None:
    """Remove an empty group. One that is still busy stays for the supervisor to sweep."""
    with contextlib.suppress(OSError):
        directory.rmdir()
