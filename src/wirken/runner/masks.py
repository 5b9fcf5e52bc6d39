"""What of /proc is about the machine and not about the command: hidden from it, or read-only (proc(5))."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

HIDDEN: Final = (
    *("kcore", "kallsyms", "kmsg", "keys", "key-users", "timer_list", "timer_stats", "sched_debug", "latency_stats"),
    *("sysrq-trigger", "slabinfo", "vmallocinfo", "pagetypeinfo", "kpageflags", "kpagecount", "kpagecgroup"),
    *("interrupts", "softirqs", "schedstat", "iomem", "ioports", "mtrr", "modules", "config.gz", "cmdline"),
    *("partitions", "swaps", "diskstats"),
)
"""Files: opening one is refused, if not by the kernel itself."""

EMPTY: Final = ("acpi", "asound", "bus", "driver", "fs", "irq", "scsi", "dynamic_debug")
"""Folders: seen as empty. `tty` and `sysvipc` stay, as programs look there."""

READ_ONLY: Final = ("sys",)
"""Folders that a command may look into. Nearly all below belongs to root, who it is not; some files are everybody's."""


def masks(proc: Path, nothing: Path) -> tuple[str, ...]:
    """Return bubblewrap's options for what there is at `proc`; `nothing` is an empty folder.

    A device that is bound by bubblewrap cannot be opened, so that /dev/null stands for a file that nobody may read.
    What the kernel does not let us open is left out: a command has our uid and fewer rights, and each mount takes a
    fifth of a millisecond of its start.
    """
    hidden = (("--ro-bind", "/dev/null", f"/proc/{name}") for name in HIDDEN if _can_be_opened(proc / name))
    empty = (("--ro-bind", str(nothing), f"/proc/{name}") for name in EMPTY if (proc / name).is_dir())
    kept = (("--ro-bind", f"/proc/{name}", f"/proc/{name}") for name in READ_ONLY if (proc / name).is_dir())
    return tuple(word for option in (*hidden, *empty, *kept) for word in option)


def _can_be_opened(path: Path) -> bool:
    return os.access(path, os.R_OK) or os.access(path, os.W_OK)
