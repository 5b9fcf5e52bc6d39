"""Which program in a sandbox made a connection: a hint for people, never a basis for a decision.

A program can name itself as it likes, and may hand its connection to another one. Where the search would take too
long, nobody is named.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from wirken.domain import limits
from wirken.domain.text import clip, decoded, shown
from wirken.runner.watchdog import descendants, processes

_MAPPED: Final = "0000000000000000FFFF0000"
"""Start of an IPv4 address in the table of IPv6 sockets, as proc_pid_net(5) shows it on a little-endian machine."""


def asker(proc: Path, first: int, peer: tuple[str, int]) -> str:
    """Return the name of the program that holds the socket `peer` (address and port) in a sandbox, or nothing.

    `first` is the sandbox's first process as `proc` shows it. At most limits.EGRESS_PROGRAM bytes, visible characters.
    """
    with contextlib.suppress(OSError, ValueError):
        inode = _inode(proc / str(first) / "net", peer)
        holder = _holder(proc, first, inode) if inode else 0
        if holder:
            return _name(proc / str(holder))
    return ""


def _inode(tables: Path, peer: tuple[str, int]) -> int:
    """Return the inode of the socket that is bound to `peer`; 0 where the tables' starts do not show it."""
    address = socket.inet_aton(peer[0])[::-1].hex().upper()
    wanted = tuple(f"{start}{address}:{peer[1]:04X}" for start in ("", _MAPPED))
    for name in ("tcp", "tcp6"):
        with (tables / name).open("rb") as table:
            for line in table.read(limits.EGRESS_TABLE).decode("ascii", "replace").splitlines():
                fields = line.split()
                if len(fields) > 9 and fields[1] in wanted:
                    return int(fields[9])
    return 0


def _holder(proc: Path, first: int, inode: int) -> int:
    """Return the youngest process of the sandbox that has the socket open, or 0."""
    wanted = f"socket:[{inode}]"
    left = limits.EGRESS_LINKS
    for process in reversed(descendants(first, processes(proc))):
        for link in _links(proc / str(process.pid) / "fd"):
            left -= 1
            if left < 0:
                return 0
            if link == wanted:
                return process.pid
    return 0


def _links(folder: Path) -> Iterator[str]:
    """Yield what a process has open. One that is gone, or closed to us, has nothing."""
    with contextlib.suppress(OSError):
        for entry in folder.iterdir():
            with contextlib.suppress(OSError):
                yield str(entry.readlink())


def _name(process: Path) -> str:
    """Return how a process calls itself, with the program it runs where that is called otherwise."""
    own = decoded((process / "comm").read_bytes().rstrip(b"\n"))
    program = PurePosixPath((process / "exe").readlink()).name
    text = own if program.startswith(own) else f"{own} ({program})"
    return clip(shown(text), limits.EGRESS_PROGRAM)[0]
