"""Hand a file's bytes to another wing as a sealed memfd over a Unix socket: it can be read, and never changes again.

Whoever receives one checks before reading: it has a size within bounds that cannot shrink or grow, and bytes that
nobody can write any more, the sender included (memfd_create(2), fcntl(2) "File Sealing").
"""

from __future__ import annotations

import array
import fcntl
import os
import socket
import stat
from collections.abc import Iterator, Sequence
from typing import Final

from wirken.domain import limits
from wirken.domain.errors import ProtocolError, Unavailable, UsageError
from wirken.ipc.stream import received

SEALS: Final = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
_PIECE: Final = 1 * 2**20  # bytes read at once
_MARK: Final = b"F"  # a descriptor travels beside at least one byte (unix(7))
_ROOM: Final = socket.CMSG_LEN(array.array("i").itemsize)  # for one descriptor


class TooLarge(UsageError):
    """A file has more bytes than may cross at once."""


class TooManyFiles(Unavailable):
    """This process has as many files open as it may."""


class NotSealed(ProtocolError):
    """What the peer sent is no sealed memfd of a size that is allowed."""


def sealed(data: bytes, limit: int = limits.SHARED_FILE) -> int:
    """Return a descriptor (closed on exec) of a sealed memfd with these bytes. Raises `TooLarge`, `OSError`."""
    if len(data) > limit:
        raise TooLarge(f"The file has {len(data)} bytes; {limit} may cross at once.")
    handle = os.memfd_create("wirken", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(handle, view) :]
        fcntl.fcntl(handle, fcntl.F_ADD_SEALS, SEALS)
    except OSError:
        os.close(handle)
        raise
    return handle


def size(handle: int, limit: int = limits.SHARED_FILE) -> int:
    """Return how many bytes a descriptor from a peer holds, now and for ever. Raises `NotSealed`."""
    try:
        seals = fcntl.fcntl(handle, fcntl.F_GET_SEALS)
        readable = fcntl.fcntl(handle, fcntl.F_GETFL) & os.O_ACCMODE != os.O_WRONLY
    except OSError:  # no memfd at all, or one that was opened as a mere path
        raise NotSealed("The peer sent a descriptor that is no memfd.") from None
    if seals & SEALS != SEALS:
        raise NotSealed("The peer sent a file that could still change.")
    about = os.fstat(handle)
    if not stat.S_ISREG(about.st_mode) or not readable:
        raise NotSealed("The peer sent a descriptor that cannot be read as a file.")
    if about.st_size > limit:
        raise NotSealed(f"The peer sent a file of {about.st_size} bytes; {limit} are allowed.")
    return about.st_size


def content(handle: int, limit: int = limits.SHARED_FILE) -> bytes:
    """Return all bytes of a sealed memfd, wherever its position stands. Raises `NotSealed`, `OSError`."""
    return b"".join(pieces(handle, limit))


def pieces(handle: int, limit: int = limits.SHARED_FILE) -> Iterator[bytes]:
    """Yield the bytes of a sealed memfd in order, never many at once. Raises `NotSealed`, `OSError`."""
    wanted, done = size(handle, limit), 0
    while done < wanted and (piece := os.pread(handle, _PIECE, done)):
        yield piece
        done += len(piece)


def copies(handles: Sequence[int]) -> tuple[int, ...]:
    """Return further descriptors of sealed memfds, for whoever sends them. Raises `NotSealed`, `TooManyFiles`."""
    made: list[int] = []
    try:
        for handle in handles:
            size(handle)
            made.append(os.dup(handle))
    except (ProtocolError, OSError) as error:
        for handle in made:
            os.close(handle)
        if isinstance(error, ProtocolError):
            raise
        raise TooManyFiles("Too many files are open to send another one.") from error
    return tuple(made)


def send(channel: socket.socket, handle: int) -> None:
    """Send one descriptor over a blocking Unix socket. The caller keeps and closes its own."""
    socket.send_fds(channel, [_MARK], [handle])


def receive(channel: socket.socket, limit: int = limits.SHARED_FILE) -> int:
    """Receive one sealed memfd from a blocking Unix socket and return its descriptor, checked and closed on exec.

    Raises `NotSealed` for anything else; what came with it is closed then, and the connection should be dropped.
    """
    # Not socket.recv_fds: it forgets its flags, and then a child could inherit the descriptor.
    mark, beside, flags, _ = channel.recvmsg(len(_MARK), _ROOM, socket.MSG_CMSG_CLOEXEC)
    handles = received(beside)
    try:
        if mark != _MARK or len(handles) != 1 or flags & socket.MSG_CTRUNC:
            raise NotSealed("The peer did not send exactly one file.")
        size(handles[0], limit)
    except NotSealed:
        for handle in handles:
            os.close(handle)
        raise
    return handles[0]


class Filling:
    """A memfd that grows piece by piece and is then sealed; the bytes are held once."""

    def __init__(self, limit: int = limits.SHARED_FILE) -> None:
        self._limit = limit
        self._handle = os.memfd_create("wirken", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        self.bytes = 0

    def add(self, piece: bytes) -> None:
        """Append. Raises `TooLarge` before it would pass the limit, `OSError`."""
        if self.bytes + len(piece) > self._limit:
            raise TooLarge(f"The file has more than {self._limit} bytes.")
        view = memoryview(piece)
        while view:
            view = view[os.write(self._handle, view) :]
        self.bytes += len(piece)

    def sealed(self) -> int:
        """Return the descriptor, which is the caller's from now on: nobody can change it any more."""
        fcntl.fcntl(self._handle, fcntl.F_ADD_SEALS, SEALS)
        handle, self._handle = self._handle, -1
        return handle

    def close(self) -> None:
        """Throw away what was not sealed."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
