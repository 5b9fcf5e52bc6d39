"""A connected Unix socket in the event loop that carries descriptors beside bytes, which asyncio's transports drop.

Knows neither frames nor files. What it is given to send it owns and closes; what it receives belongs to its owner.
"""

from __future__ import annotations

import array
import asyncio
import os
import socket
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from wirken.domain import pace_limits

_PIECES: Final = 64  # queued pieces written at once; IOV_MAX is 1024, and more are no faster
_DESCRIPTOR: Final = array.array("i").itemsize


class Owner(Protocol):
    """Whoever has the stream. Nothing is called before the owner has returned to the event loop once."""

    def bytes_received(self, data: bytes, handles: tuple[int, ...]) -> None:
        """Take bytes, never none, and the descriptors that came beside them: the owner closes those."""
        ...

    def stream_lost(self) -> None:
        """The stream is closed; called once. What was queued and not written is gone, its descriptors closed."""
        ...


@dataclass(slots=True)
class _Piece:
    left: memoryview
    handles: tuple[int, ...]


class Stream:
    """`most`: descriptors that may come beside the bytes of one message; where more come, the stream is lost.

    With 0 the kernel lets none into the process.
    """

    def __init__(self, sock: socket.socket, owner: Owner, most: int, read: int = pace_limits.LINK_READ) -> None:
        """`sock` is non-blocking, and the stream's from here on. `read`: bytes taken at once."""
        self._sock = sock
        self._read: Final = read
        self._owner = owner
        self._room: Final = socket.CMSG_LEN(most * _DESCRIPTOR) if most else 0
        self._queue: deque[_Piece] = deque()
        self._queued = 0
        self._handles = 0
        self._closing = False
        self._lost = False
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(sock.fileno(), self._readable)

    @property
    def closing(self) -> bool:
        """Nothing more is taken to be sent."""
        return self._closing

    @property
    def queued(self) -> int:
        """Bytes that wait to be written."""
        return self._queued

    @property
    def handles_queued(self) -> int:
        """Descriptors that wait to be sent."""
        return self._handles

    def write(self, data: bytes, handles: tuple[int, ...] = ()) -> None:
        """Send `data` with these descriptors beside its first byte, after all that was written before."""
        if self._closing:
            _close(handles)
            return
        if self._queue:
            self._enqueue(memoryview(data), handles)
            return
        sent = self._sent((data,), handles)
        if self._lost:
            _close(handles)
        elif sent < len(data):
            self._enqueue(memoryview(data)[sent:], () if sent else handles)
            self._loop.add_writer(self._sock.fileno(), self._writable)
        if sent:
            _close(handles)

    def pause(self, seconds: float) -> None:
        """Read nothing for a while; what the peer sends waits on its side."""
        if not self._closing:
            self._loop.remove_reader(self._sock.fileno())
            self._loop.call_later(seconds, self._resume)

    def _resume(self) -> None:
        if not self._closing:
            self._loop.add_reader(self._sock.fileno(), self._readable)

    def close(self) -> None:
        """Read nothing more, and close once what is queued was written."""
        if self._closing:
            return
        self._closing = True
        self._loop.remove_reader(self._sock.fileno())
        if not self._queue:
            self._lose()

    def abort(self) -> None:
        """Close now; what is queued is thrown away."""
        if self._lost:
            return
        if not self._closing:
            self._closing = True
            self._loop.remove_reader(self._sock.fileno())
        self._lose()

    # --- reading --------------------------------------------------------------------------------------

    def _readable(self) -> None:
        try:
            data, beside, flags, _ = self._sock.recvmsg(self._read, self._room, socket.MSG_CMSG_CLOEXEC)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.abort()
            return
        handles = received(beside) if beside else ()
        if flags & socket.MSG_CTRUNC:  # more than there is room for; the kernel closed those
            _close(handles)
            self.abort()
        elif not data:
            self.close()
        else:
            try:
                self._owner.bytes_received(data, handles)
            except BaseException:
                self.abort()
                raise

    # --- writing --------------------------------------------------------------------------------------

    def _writable(self) -> None:
        self._write()
        if not self._queue and not self._lost:
            self._loop.remove_writer(self._sock.fileno())
            if self._closing:
                self._lose()

    def _write(self) -> None:
        """Write what the kernel takes now."""
        while self._queue:
            first = self._queue[0]
            pieces = [first.left] if first.handles else list(self._plain())
            sent = self._sent(pieces, first.handles)
            if not sent:
                return
            if first.handles:
                self._handles -= len(first.handles)
                _close(first.handles)
                first.handles = ()
            self._took(sent)

    def _sent(self, pieces: Sequence[bytes | memoryview], handles: tuple[int, ...]) -> int:
        """Return how many bytes the kernel took, the descriptors with the first of them; a dead stream is closed."""
        try:
            if handles:
                return self._sock.sendmsg(pieces, [_beside(handles)])
            return self._sock.send(pieces[0]) if len(pieces) == 1 else self._sock.sendmsg(pieces)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            self.abort()
            return 0

    def _enqueue(self, data: memoryview, handles: tuple[int, ...]) -> None:
        self._queue.append(_Piece(data, handles))
        self._queued += len(data)
        self._handles += len(handles)

    def _plain(self) -> Iterator[memoryview]:
        """Yield the first pieces, up to one that brings descriptors: those must stand beside its own first byte."""
        for number, piece in enumerate(self._queue):
            if piece.handles or number == _PIECES:
                return
            yield piece.left

    def _took(self, sent: int) -> None:
        self._queued -= sent
        while sent:
            piece = self._queue[0]
            if sent < len(piece.left):
                piece.left = piece.left[sent:]
                return
            sent -= len(piece.left)
            self._queue.popleft()

    def _lose(self) -> None:
        self._lost = True
        self._loop.remove_writer(self._sock.fileno())
        for piece in self._queue:
            _close(piece.handles)
        self._queue.clear()
        self._queued = self._handles = 0
        self._loop.call_soon(self._over)  # not from within a call of the owner's

    def _over(self) -> None:
        self._sock.close()
        self._owner.stream_lost()


def received(beside: list[tuple[int, int, bytes]]) -> tuple[int, ...]:
    """Return the descriptors in the ancillary data of `recvmsg` (unix(7), SCM_RIGHTS)."""
    found = array.array("i")
    for level, kind, data in beside:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            found.frombytes(data[: len(data) - len(data) % found.itemsize])
    return tuple(found)


def _beside(handles: tuple[int, ...]) -> tuple[int, int, array.array[int]]:
    return socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", handles)


def _close(handles: tuple[int, ...]) -> None:
    for handle in handles:
        os.close(handle)
