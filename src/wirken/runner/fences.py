"""What holds the limits of one command's process tree: a port with a cgroup and a watchdog behind it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Literal, Protocol, TypeAlias

Broken: TypeAlias = Literal["", "memory", "processes"]


class Fence(Protocol):
    """The limits around one command."""

    @property
    def pause(self) -> float:
        """Seconds to wait between two questions for `broken`."""
        ...

    def around(self) -> AbstractContextManager[None]:
        """Hold the calling thread, and it alone, behind the fence, so that what it starts meanwhile is born there.

        Where the kernel has no such thing it does nothing, and `admit` does it all. Raises `OSError`.
        """
        ...

    def admit(self, pid: int) -> None:
        """Return once the sandbox's first process is behind the fence; its command has not started.

        Raises `OSError` where it is not: the command must not start then.
        """
        ...

    def broken(self) -> Broken:
        """Return the limit that was broken, after which the whole tree has to go; empty if none was."""
        ...

    def starved(self) -> bool:
        """True if it is known that a process or thread was refused because there were too many."""
        ...

    def kill(self) -> None:
        """Kill what is behind the fence, as far as the fence knows it."""
        ...

    def remove(self) -> None:
        """Take the fence down once nothing lives behind it."""
        ...


class Fences(Protocol):
    """Makes one fence per command."""

    @property
    def kind(self) -> str:
        """`cgroup-v2`, `cgroup-v1` or `watchdog`."""
        ...

    def fence(self) -> Fence:
        """Return a fresh fence. Raises `OSError` where the kernel says no."""
        ...
