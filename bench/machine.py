"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

import msgspec

from bench.plain import Disk
from bench.stats import samples


class Machine(msgspec.Struct, frozen=True):
    """The machine and how busy it was. `fdatasync_ms` is the median of one durable 4 kB write."""

    processor: str
    cores: int
    memory_mb: int
    kernel: str
    python: str
    uid: int
    disk: str
    fdatasync_ms: float
    load: float

    @property
    def said(self) -> list[str]:
        """Return the lines above the table."""
        return [
            f"{self.processor}, {self.cores} cores, {self.memory_mb:,} MB; Linux {self.kernel}; "
            f"Python {self.python}; uid {self.uid}",
            f"disk under {self.disk}: {self.fdatasync_ms:.2f} ms per durable 4 kB; load at the start {self.load:.2f}",
        ]


def look(disk: Path) -> Machine:
    """Return the facts about this machine."""
    with Disk(disk) as file:
        sync = samples(1000 * file.write(1) for _ in range(100)).median
    (disk / "plain").unlink()
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)),
        memory_mb=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 10**6,
        kernel=platform.release(),
        python=f"{platform.python_version()} ({sys.implementation.name})",
        uid=os.getuid(),
        disk=str(disk),
        fdatasync_ms=round(sync, 3),
        load=round(os.getloadavg()[0], 2),
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
