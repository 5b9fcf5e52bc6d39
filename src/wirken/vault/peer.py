"""One connected asker: its bytes in, at most one question at a time, its answer out without ever blocking."""

from __future__ import annotations

import os
import socket
from typing import Final

from wirken.domain import limits
from wirken.domain.errors import ProtocolError
from wirken.domain.ids import RoleName
from wirken.ipc.framing import FrameDecoder

_CHUNK: Final = 16 * 1024


class PeerGone(ProtocolError):
    """The peer closed its end, or the kernel did."""


class Peer:
    """A non-blocking connection. While an answer waits to be written, nothing more is read from it."""

    def __init__(self, sock: socket.socket, role: RoleName, *, takes_descriptors: bool) -> None:
        """Take over `sock`. Descriptors are only ever taken from the operator."""
        sock.setblocking(False)
        self.socket: Final = sock
        self.role: Final = role
        self._decoder = FrameDecoder(limits.VAULT_FRAME)
        self._takes_descriptors = takes_descriptors
        self._attached: int | None = None
        self._out = b""

    @property
    def writing(self) -> bool:
        """Is part of an answer still to be written?"""
        return bool(self._out)

    def read(self) -> bytes | None:
        """Return a question's payload if one is complete now. Raises `PeerGone` or another ProtocolError."""
        try:
            data = self._receive()
        except BlockingIOError:
            return None
        except OSError:
            raise PeerGone("The peer's connection failed.") from None
        if not data:
            raise PeerGone("The peer closed its connection.")
        frames = self._decoder.feed(data)
        if len(frames) > 1 or (frames and self._decoder.pending):
            raise ProtocolError("The vault takes one question at a time.")
        return frames[0] if frames else None

    def attached(self) -> int | None:
        """Return the descriptor that came with the question; the peer keeps owning it."""
        return self._attached

    def drop_attached(self) -> None:
        """Close the descriptor that came with the question."""
        if self._attached is not None:
            os.close(self._attached)
            self._attached = None

    def write(self, frame: bytes = b"") -> None:
        """Write `frame` after what still waits, as far as the peer takes it. Raises `PeerGone`."""
        self._out += frame
        try:
            self._out = self._out[self.socket.send(self._out) :]
        except BlockingIOError:
            return
        except OSError:
            raise PeerGone("The peer's connection failed.") from None

    def close(self) -> None:
        self.drop_attached()
        self.socket.close()

    def _receive(self) -> bytes:
        if not self._takes_descriptors:
            return self.socket.recv(_CHUNK)  # the kernel closes descriptors that nobody makes room for
        data, descriptors, _, _ = socket.recv_fds(self.socket, _CHUNK, 1, socket.MSG_CMSG_CLOEXEC)
        for descriptor in descriptors:
            self.drop_attached()
            self._attached = descriptor
        return data
