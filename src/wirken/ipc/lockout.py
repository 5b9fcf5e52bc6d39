"""Who keeps failing the handshake has to wait: the process that the kernel names, whatever role it claims.

docs/adr/0028.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from wirken.domain import limits
from wirken.domain.clock import Clock
from wirken.domain.errors import ProtocolError
from wirken.ipc.handshake import HandshakeFailed

_SO_PEERPIDFD: Final = 77  # asm-generic/socket.h
NAMELESS: Final = 0
"""Everybody, where the kernel tells no process from another; nobody is locked out by that name."""


class LockedOut(ProtocolError):
    """This process failed the handshake too often and has to wait."""


def process_of(sock: socket.socket) -> int:
    """Return a number that only the process has which connected, until the machine boots: the inode of its pidfd.

    `NAMELESS` on Linux before 6.9, which has no pidfs. A pid would not do: those of other namespaces read as 0.
    Raises `HandshakeFailed` where the process is gone: another holds its socket.
    """
    try:
        descriptor = sock.getsockopt(socket.SOL_SOCKET, _SO_PEERPIDFD)
    except OSError as error:
        if error.errno == errno.ENOPROTOOPT:
            return NAMELESS
        raise HandshakeFailed("The process that connected is gone.") from None
    try:
        found = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    with contextlib.closing(select.epoll(1)) as anonymous:  # before pidfs all such descriptors were one inode
        return NAMELESS if found.st_dev == os.fstat(anonymous.fileno()).st_dev else found.st_ino


@dataclass(slots=True)
class Lockout:
    """Counts failed handshakes per process; local ones are no exception."""

    clock: Clock
    process_of: Callable[[socket.socket], int] = process_of
    _failures: OrderedDict[int, deque[float]] = field(default_factory=OrderedDict)
    _until: OrderedDict[int, float] = field(default_factory=OrderedDict)
    _rows: deque[float] = field(default_factory=lambda: deque(maxlen=limits.REFUSALS_RECORDED))

    def check(self, process: int) -> None:
        """Raises `LockedOut` while the process has to wait."""
        until = self._until.get(process)
        if until is None:
            return
        if self.clock.monotonic() < until:
            raise LockedOut("This process failed the handshake too often; it is refused for 10 minutes.")
        del self._until[process]

    def failed(self, process: int) -> bool:
        """Note a failure; return True when it is the one that locks the process out."""
        if process == NAMELESS:
            return False
        now = self.clock.monotonic()
        recent = self._failures.setdefault(process, deque(maxlen=limits.HANDSHAKE_FAILURES))
        self._failures.move_to_end(process)
        recent.append(now)
        if len(recent) < limits.HANDSHAKE_FAILURES or now - recent[0] > limits.HANDSHAKE_WINDOW:
            _shortened(self._failures)
            return False
        self._until[process] = now + limits.HANDSHAKE_LOCKOUT
        _shortened(self._until)
        del self._failures[process]
        return True

    def worth_a_row(self) -> bool:
        """May one more refusal be recorded? A flood of refusals must not fill the disk."""
        now = self.clock.monotonic()
        if len(self._rows) == limits.REFUSALS_RECORDED and now - self._rows[0] < limits.HANDSHAKE_WINDOW:
            return False
        self._rows.append(now)
        return True


def _shortened(remembered: OrderedDict[int, deque[float]] | OrderedDict[int, float]) -> None:
    """Forget whoever failed longest ago: whoever may start programs has as many names as it likes."""
    while len(remembered) > limits.HANDSHAKE_SOURCES:
        remembered.popitem(last=False)
