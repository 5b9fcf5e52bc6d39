"""Asking the vault from an event loop: the gateway signs and looks up keys, outbound fetches credentials."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TypeVar

from wirken.domain import limits
from wirken.ipc.calls.vault import VaultQuestion
from wirken.ipc.framing import FrameDecoder, FrameEmpty, FrameTooLong
from wirken.ipc.vault_wire import VaultLost, question_frame, read_answer

T = TypeVar("T")

_CHUNK = 64 * 1024


class AsyncVaultClient:
    """A pair with the vault, shared by all tasks of a process; questions go out one at a time, in order.

    A caller that is cancelled leaves its question to be answered and forgotten, so that the next answer is
    the next question's. After a time-out or a loss every call raises `VaultLost` until `replace`.
    """

    def __init__(self, sock: socket.socket, patience: float = limits.VAULT_ANSWER) -> None:
        """Take over `sock`. `patience` is in seconds per question, waiting for others not counted."""
        self._patience = patience
        self._lock = asyncio.Lock()
        self._socket: socket.socket | None = None
        self._busy: socket.socket | None = None
        self._exchanges: set[asyncio.Task[bytes]] = set()
        self.replace(sock)

    @classmethod
    def from_fd(cls, fd: int, patience: float = limits.VAULT_ANSWER) -> AsyncVaultClient:
        """Take over an inherited descriptor (`--vault-fd`)."""
        return cls(socket.socket(fileno=fd), patience)

    def replace(self, sock: socket.socket) -> None:
        """Use a new pair from now on; a question under way on the old one fails with `VaultLost`."""
        self.close()
        sock.setblocking(False)
        self._socket = sock

    async def call(self, question: VaultQuestion, reply: type[T]) -> T:
        """Ask and return the answer. Raises as `VaultClient.call` does."""
        task = asyncio.get_running_loop().create_task(self._in_turn(question_frame(question)))
        self._exchanges.add(task)
        task.add_done_callback(self._finished)
        return read_answer(await asyncio.shield(task), reply)

    def close(self) -> None:
        """Close the connection; safe to repeat. Whoever waits for an answer gets `VaultLost`."""
        sock, self._socket = self._socket, None
        if sock is None:
            return
        if sock is not self._busy:
            sock.close()
            return
        # The event loop still watches this descriptor: end the stream, the exchange then closes it.
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)

    async def _in_turn(self, frame: bytes) -> bytes:
        async with self._lock:
            sock = self._socket
            if sock is None:
                raise VaultLost("The connection to the vault is gone.")
            self._busy = sock
            try:
                async with asyncio.timeout(self._patience):
                    return await _exchange(sock, frame)
            except (OSError, TimeoutError, FrameTooLong, FrameEmpty):
                if self._socket is sock:
                    self._socket = None
                raise VaultLost("The vault did not answer.") from None
            finally:
                self._busy = None
                if self._socket is not sock:
                    sock.close()

    def _finished(self, task: asyncio.Task[bytes]) -> None:
        self._exchanges.discard(task)
        if not task.cancelled():
            task.exception()  # seen, even where the caller has gone


async def _exchange(sock: socket.socket, frame: bytes) -> bytes:
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(sock, frame)
    decoder = FrameDecoder(limits.VAULT_FRAME)
    while True:
        data = await loop.sock_recv(sock, _CHUNK)
        if not data:
            raise ConnectionResetError
        frames = decoder.feed(data)
        if frames:
            return frames[0]
