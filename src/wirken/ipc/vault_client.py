"""Asking the vault, one question at a time, without asyncio: for the CLI and for children that start."""

from __future__ import annotations

import socket
import struct
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from wirken.domain import limits
from wirken.ipc.calls.vault import VaultQuestion
from wirken.ipc.framing import FrameDecoder, FrameEmpty, FrameTooLong
from wirken.ipc.vault_wire import VaultLost, question_frame, read_answer

T = TypeVar("T")

_CHUNK = 64 * 1024


class VaultClient:
    """One end of a pair with the vault, or a connection to its operator socket.

    After a time-out or a lost connection every further call raises `VaultLost`: a late answer must not be
    taken for the answer to the next question.
    """

    def __init__(self, sock: socket.socket, patience: float = limits.VAULT_ANSWER) -> None:
        """Take over `sock`. `patience` is in seconds per question."""
        sock.settimeout(patience)
        self._socket: socket.socket | None = sock

    @classmethod
    def from_fd(cls, fd: int, patience: float = limits.VAULT_ANSWER) -> VaultClient:
        """Take over an inherited descriptor (`--vault-fd`)."""
        return cls(socket.socket(fileno=fd), patience)

    @classmethod
    def connect(cls, path: Path, patience: float = limits.VAULT_ANSWER) -> VaultClient:
        """Connect to the operator socket. Raises `VaultLost` where nobody listens."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # Not settimeout: a non-blocking connect to a listener with a full queue fails at once (EAGAIN,
        # connect(2)); the kernel's own time-out waits for a place.
        timeval = struct.pack("@ll", int(patience), int(patience % 1 * 1_000_000))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeval)
        try:
            sock.connect(str(path))
        except OSError as error:
            sock.close()
            raise VaultLost(
                f"The vault does not answer on {path}: {error.strerror}.", hint="Start it with `wirken run`."
            ) from None
        return cls(sock, patience)

    def call(self, question: VaultQuestion, reply: type[T], fds: Sequence[int] = ()) -> T:
        """Ask and return the answer; `fds` travel with the question (the vault takes at most one).

        Raises what the vault raised (`VaultSealed`, `Refused`, …), `VaultLost`, or `ProtocolError`.
        """
        frame = question_frame(question)
        try:
            payload = self._exchange(frame, fds)
        except (OSError, FrameTooLong, FrameEmpty):
            self.close()
            raise VaultLost("The vault did not answer.") from None
        return read_answer(payload, reply)

    def detach(self) -> socket.socket:
        """Give up the socket, for an asyncio client to take over. Raises `VaultLost` when it is gone."""
        if self._socket is None:
            raise VaultLost("The connection to the vault is gone.")
        sock, self._socket = self._socket, None
        return sock

    def close(self) -> None:
        """Close the connection; safe to repeat."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _exchange(self, frame: bytes, fds: Sequence[int]) -> bytes:
        sock = self._socket
        if sock is None:
            raise VaultLost("The connection to the vault is gone.")
        sent = 0
        if fds:
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", fds).tobytes())
            sent = sock.sendmsg([frame], [rights])
        sock.sendall(frame[sent:])
        decoder = FrameDecoder(limits.VAULT_FRAME)
        while True:
            data = sock.recv(_CHUNK)
            if not data:
                raise ConnectionResetError
            frames = decoder.feed(data)
            if frames:
                return frames[0]
