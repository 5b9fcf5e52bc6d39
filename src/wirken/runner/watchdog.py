"""The limits of one command where no cgroup can be had: limits per process, and a look at the whole tree.

Weaker than a cgroup: between two looks a tree may overshoot, and memory that no process maps (an unmapped
memfd, System V segments) is not seen. `wirken doctor` therefore shows it yellow.
"""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final, NamedTuple

from wirken.domain import limits
from wirken.runner.fences import Broken, Fence
from wirken.runner.sandbox import Bounds

_PAGE: Final = resource.getpagesize()
_OWN_COUNT: Final = (5, 14)
"""The first Linux that counts processes per user namespace; before, RLIMIT_NPROC counts all of the user's."""


class Process(NamedTuple):
    """One line of the process table."""

    pid: int
    parent: int
    threads: int
    resident: int
    """Bytes, shared pages included."""


class WatchedTree:
    """The tree below one sandbox's first process."""

    pause = limits.EXEC_WATCH

    def __init__(self, proc: Path, bounds: Bounds, *, own_count: bool) -> None:
        self._proc = proc
        self._bounds = bounds
        self._own_count = own_count
        self._first = 0
        self._full = False

    def around(self) -> AbstractContextManager[None]:
        return contextlib.nullcontext()

    def admit(self, pid: int) -> None:
        self._first = pid
        # Counts private writable memory, so programs that only reserve addresses (V8, Go) still run.
        lower(pid, resource.RLIMIT_DATA, self._bounds.memory)
        if self._own_count:
            lower(pid, resource.RLIMIT_NPROC, self._bounds.processes)

    def broken(self) -> Broken:
        tree = descendants(self._first, processes(self._proc))
        number = sum(process.threads for process in tree)
        if number > self._bounds.processes:
            return "processes"
        self._full = self._full or number == self._bounds.processes
        if sum(process.resident for process in tree) <= self._bounds.memory:
            return ""
        # Shared pages were counted once per process so far; only now is the exact sum worth its price.
        exact = sum(proportional(self._proc, process) for process in tree)
        return "memory" if exact > self._bounds.memory else ""

    def starved(self) -> bool:
        return self._full  # a refused fork leaves no trace outside; a full tree is the only sign of it

    def kill(self) -> None:
        """Nothing to do: the tree ends with its first process."""

    def remove(self) -> None:
        """Nothing to take down."""


class Watchdog:
    """Watches trees through the process table at `proc`."""

    kind = "watchdog"

    def __init__(self, proc: Path, release: str, bounds: Bounds) -> None:
        """`release` is the kernel's, as `os.uname().release`."""
        self._proc = proc
        self._bounds = bounds
        self._own_count = _version(release) >= _OWN_COUNT

    def fence(self) -> Fence:
        return WatchedTree(self._proc, self._bounds, own_count=self._own_count)


def processes(proc: Path) -> Iterator[Process]:
    """Yield every process that `proc` shows. One that ends meanwhile is left out."""
    for entry in os.scandir(proc):
        if entry.name.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                yield _parsed(int(entry.name), (proc / entry.name / "stat").read_bytes())


def descendants(first: int, table: Iterator[Process]) -> list[Process]:
    """Return `first` and all below it; orphans of a pid namespace hang below its first process."""
    children: dict[int, list[Process]] = {}
    found: list[Process] = []
    for process in table:
        if process.pid == first:
            found.append(process)
        else:
            children.setdefault(process.parent, []).append(process)
    for process in found:
        found.extend(children.pop(process.pid, ()))
    return found


def proportional(proc: Path, process: Process) -> int:
    """Return a process's bytes with shared pages divided among their users; where hidden, undivided."""
    try:
        rollup = (proc / str(process.pid) / "smaps_rollup").read_text()
    except PermissionError:
        return process.resident
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:")), 0)


def lower(pid: int, which: int, value: int) -> None:
    """Lower one limit of another process, soft and hard; a limit that is lower already stays."""
    _, hard = resource.prlimit(pid, which)
    if hard == resource.RLIM_INFINITY or hard > value:
        resource.prlimit(pid, which, (value, value))


def _parsed(pid: int, stat: bytes) -> Process:
    """Parse proc(5) `stat`; the name in parentheses may hold anything, so count from the last one."""
    fields = stat[stat.rindex(b")") + 2 :].split()
    return Process(pid, int(fields[1]), int(fields[17]), int(fields[21]) * _PAGE)


def _version(release: str) -> tuple[int, int]:
    major, minor = release.split(".")[:2]
    return int(major), int("".join(digit for digit in minor if digit.isdigit()) or "0")
