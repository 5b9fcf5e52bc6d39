"""The port behind which every sandbox stands: one command in, one result out, nothing left behind.

bubblewrap (`commands`), a container engine (`docker`) and gVisor (`runsc`) implement it.
"""

from __future__ import annotations

import subprocess
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, Protocol, TypeAlias

from wirken.domain import limits
from wirken.domain.actions import Outside, SandboxKind
from wirken.domain.errors import SandboxUnavailable
from wirken.ipc.calls.runner import SandboxReport, WirePermit
from wirken.runner.output import Kept
from wirken.runner.steering import Steering

EndedBy: TypeAlias = Literal["", "time", "memory", "processes", "stopped"]

_MISSING: Final = "This machine has not got the sandbox that [sandbox] mode names."
NOT_EXECUTABLE: Final = 126
NOT_FOUND: Final = 127
"""Exit codes as a shell gives them (POSIX, 2.8.2)."""


class Bounds(NamedTuple):
    """How much one command may use; the operator may lower each (`[sandbox]`)."""

    memory: int = limits.EXEC_MEMORY
    """Bytes of the whole process tree."""
    processes: int = limits.EXEC_PROCESSES
    """Processes and threads of the tree."""
    seconds: float = limits.EXEC_TIME
    tmp: int = limits.EXEC_TMP
    """Bytes of /tmp."""

    @property
    def lowered(self) -> str:
        """What is less than by default, in words; empty where nothing is."""
        usual = Bounds()
        said = (
            (self.memory < usual.memory, f"{self.memory // 2**20} MiB of memory"),
            (self.processes < usual.processes, f"{self.processes} processes"),
            (self.seconds < usual.seconds, f"{self.seconds:.0f} s"),
            (self.tmp < usual.tmp, f"{self.tmp // 2**20} MiB of /tmp"),
        )
        return ", ".join(words for less, words in said if less)


def bounds(described: str) -> Bounds:
    """Return the bounds of an option of the form `memory,processes,seconds,tmp`; the design's where it is empty."""
    if not described:
        return Bounds()
    memory, processes, seconds, tmp = (int(word) for word in described.split(","))
    return Bounds(memory, processes, seconds, tmp)


class Opened(NamedTuple):
    """A folder outside that is mounted for writing so that a command can make and remove some names in it."""

    folder: str
    names: frozenset[str]
    shown: bool
    """What else lies there may be read. Otherwise it is hidden."""


class Hidden(NamedTuple):
    """A file or folder that is hidden: something closed lies over it."""

    path: str
    """Absolute, the same in the sandbox."""
    device: int
    inode: int
    folder: bool
    leads: bool = False
    """A path that is shown lies deeper in this folder."""


class Command(NamedTuple):
    """What to run and where. Folders are absolute paths in the runner's view."""

    argv: tuple[str, ...]
    """Started byte for byte."""
    workspace: str
    """Empty for a program that gets none."""
    read_only: tuple[str, ...] = ()
    timeout: float = limits.EXEC_TIME
    """Seconds, from the moment the command starts."""
    network: WirePermit | None = None
    """On whose behalf it reaches out; None where it does not."""
    outside: tuple[Outside, ...] = ()
    """Single paths that it sees besides, under their own names."""
    session: str = ""
    """Whose command it is, for sandboxes that are kept for a session."""
    stdin: int = subprocess.DEVNULL
    """With bubblewrap: a descriptor that becomes its standard input."""
    steering: bool = False
    """May write files that steer the agent or the person's own tools."""
    kept: Steering = MappingProxyType({})
    """What it must leave alone, where it may not."""
    beside: tuple[tuple[str, Steering], ...] = ()
    """The same for each folder outside that it may write."""
    opened: tuple[Opened, ...] = ()
    """Of the paths outside, folders in which it may write some names only."""
    hidden: tuple[Hidden, ...] = ()
    """What is covered in paths outside."""


class Finished(NamedTuple):
    """How a command ended. `exit_code` is None where it was killed before it could end by itself."""

    exit_code: int | None
    ended_by: EndedBy
    output: Kept
    seconds: float
    told: str = ""
    """What a person should know of it: files that steer and that were not there before."""


class Sandbox(Protocol):
    """Runs commands, limits.EXEC_PARALLEL at once; further ones wait for a place."""

    @property
    def kind(self) -> SandboxKind:
        """What the record and the prompt say of where a command ran."""
        ...

    async def run(self, command: Command) -> Finished:
        """Run a command to its end. Cancelling kills what it started first, and waits until it is gone.

        Raises `SandboxUnavailable` where no sandbox could be made; the command did not run then.
        """
        ...

    def stop(self) -> None:
        """End every command, now and from now on, with `stopped`."""
        ...

    async def close(self) -> None:
        """Remove what is kept between commands."""
        ...


class Missing:
    """The sandbox of a kind that this machine has not got: nothing is run in it, and nothing elsewhere."""

    def __init__(self, kind: SandboxKind) -> None:
        self.kind: SandboxKind = kind

    async def run(self, command: Command) -> Finished:
        """Raise `SandboxUnavailable`."""
        raise SandboxUnavailable(_MISSING)

    def stop(self) -> None:
        """Nothing runs."""

    async def close(self) -> None:
        """Nothing is kept."""

    async def look(self) -> SandboxReport:
        """Return that no command can be run."""
        return SandboxReport(kind="none", limits="", reason=_MISSING, fix=SandboxUnavailable.hint)
