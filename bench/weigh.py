"""What processes weigh together: each page of memory once, however many of them share it.

That is their PSS on a machine on which nobody else maps the interpreter and its libraries. The kernel's own PSS
divides a page by all who map it, so that an editor's language server would make Wirken look smaller.
"""

from __future__ import annotations

import array
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bench.errors import NotMeasured

_PAGE: Final = 4096
_PRESENT: Final = 1 << 63  # of an entry of /proc/PID/pagemap
_FRAME: Final = (1 << 55) - 1
_NOT_OURS: Final = ("[vvar]", "[vvar_vclock]", "[vdso]", "[vsyscall]")


def together(pids: Mapping[str, int]) -> dict[str, float]:
    """Return the MB (10^6 bytes) of each process; a page that several of them map is split between these.

    Without the right to see page frames (only root has it) it is the kernel's PSS. Raises `NotMeasured`.
    """
    pages = {name: _pages(pid) for name, pid in pids.items()}
    if not all(pages.values()):
        return {name: _pss(pid) / 1e6 for name, pid in pids.items()}
    return shares(pages)


def shares(pages: Mapping[str, set[int]]) -> dict[str, float]:
    """Return the MB of each set of pages, where a page in several sets is split between them. Pure."""
    holders = Counter(page for held in pages.values() for page in held)
    return {name: sum(1 / holders[page] for page in held) * _PAGE / 1e6 for name, held in pages.items()}


def _pages(pid: int) -> set[int]:
    """Return the numbers of the page frames that a process maps; empty where the kernel does not tell."""
    found: set[int] = set()
    try:
        maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
        with open(f"/proc/{pid}/pagemap", "rb", buffering=0) as table:
            for line in maps:
                if not line.endswith(_NOT_OURS):
                    first, last = (int(part, 16) // _PAGE for part in line.split()[0].split("-"))
                    table.seek(first * 8)
                    entries = array.array("Q", table.read((last - first) * 8))
                    found.update(entry & _FRAME for entry in entries if entry & _PRESENT)
    except OSError:
        return set()
    found.discard(0)
    return found


def _pss(pid: int) -> int:
    """Return the kernel's PSS of a process, in bytes."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError as error:
        raise NotMeasured(f"the memory of process {pid} cannot be read ({error.strerror}); measure as root") from None
    for line in lines:
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise NotMeasured("this kernel does not tell a process's proportional set size")
