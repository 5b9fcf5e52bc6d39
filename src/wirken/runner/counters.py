"""What the kernel counted for a container: read inside of it, by the shell that starts its command.

The engine tells how many processes a container has now, and whether one was killed for want of memory once all have
ended; not that a fork was refused. The cgroup says both (Linux, cgroup-v2.rst, "pids.events" and "memory.events";
cgroup-v1/memory.rst, "oom_control"), and is gone with the container. So the shell stays beside the command and says, on
the stream that the command has not got, what the counters were before and after.

The command is of the same user as that shell: it can end it, and then nothing is told, or speak for it, and then it has
said of itself what it could as well have done.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from wirken.domain import limits

ROOT: Final = "/sys/fs/cgroup"
"""Where an engine shows a container's own group: at the top with cgroup-v2, in a folder per controller with v1."""

_FILES: Final = ("pids.events", "pids/pids.events", "memory.events", "memory/memory.oom_control")
_SIGNALS: Final = "1 2 3 4 5 6 7 8 10 11 12 13 14 15 16 24 25 26 27 29 30 31"
"""All that end a process and can be caught (signal(7)); a command that signals all it may goes on, so its shell has to.
It catches them, because what it ignored, its command would ignore too."""

_LINE: Final = re.compile(rb"^wirken ([12]) (pids|memory)\.\w+ \w+ ([0-9]{1,18})\n", re.MULTILINE)


def shell(root: str = ROOT) -> tuple[str, ...]:
    """Return what stands before a command: both its outputs become one, and its exit code stays.

    Nothing here starts a program (POSIX.1-2024, XCU 2.9.1 and 2.14), so that it works where no fork does.
    """
    files = " ".join(f"{root}/{name}" for name in _FILES)
    told = (
        f'wirken() {{ for f in {files}; do [ -r "$f" ] && while read -r name value; do case "${{f##*/}} $name" in '
        '"pids.events max" | "memory.events oom_kill" | "memory.oom_control oom_kill") '
        'echo "wirken $1 ${f##*/} $name $value" >&2;; esac; done < "$f"; done; }'
    )
    run = '(exec "$@") 2>&1'  # in a subshell, which catches nothing
    return "/bin/sh", "-c", f"{told}; trap : {_SIGNALS}; wirken 1; {run}; code=$?; wirken 2; exit $code", "sh"


class Told(NamedTuple):
    """What happened while the command ran."""

    starved: bool
    """A fork was refused: the container had all the processes that it may have."""
    oom: bool
    """The kernel killed a process of the container for want of memory."""


class Counters:
    """Takes the bytes of that stream, as many of them as the shell needs."""

    def __init__(self) -> None:
        self._said = bytearray()

    def feed(self, data: bytes) -> None:
        self._said += data[: limits.ENGINE_TOLD - len(self._said)]

    def told(self) -> Told | None:
        """Return what was told; None where the shell said nothing at the end, or the kernel shows no counters."""
        counted: dict[tuple[bytes, bytes], int] = {}
        for when, what, number in _LINE.findall(bytes(self._said)):
            counted[when, what] = int(number)
        if (b"2", b"pids") not in counted:
            return None
        more = {what: counted.get((b"2", what), 0) > counted.get((b"1", what), 0) for what in (b"pids", b"memory")}
        return Told(more[b"pids"], more[b"memory"])
