"""Meeting a peer on a Unix socket: kernel-checked uid, handshake, and locking out who keeps failing it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from wirken.domain import limits
from wirken.domain.clock import Clock
from wirken.domain.errors import ProtocolError, Unavailable
from wirken.domain.ids import RoleName
from wirken.domain.secret import Secret
from wirken.ipc import handshake
from wirken.ipc.framing import FrameEmpty, FrameTooLong, encode_frame
from wirken.ipc.link import Link, Receiver

T = TypeVar("T")
_CREDENTIALS: Final = struct.Struct("iII")


_STRANGERS: Final = ""
"""The source under which all who claim a role that is not registered are counted: they can make up names for ever."""


class StrangerRefused(ProtocolError):
    """The kernel says that the peer runs as a user who has no business here."""

    hint = "Only the user who started Wirken may connect."


class LockedOut(ProtocolError):
    """This source failed the handshake too often and has to wait."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the kernel says of a Unix socket's peer (unix(7), SO_PEERCRED)."""

    pid: int
    uid: int
    gid: int


def credentials(sock: socket.socket) -> Credentials:
    """Return the peer's pid, uid and gid at the time it connected (or listened)."""
    return Credentials(*_CREDENTIALS.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)))


@dataclass(slots=True)
class Lockout:
    """Counts failed handshakes per source; local sources are no exception."""

    clock: Clock
    _failures: dict[str, deque[float]] = field(default_factory=dict)
    _until: dict[str, float] = field(default_factory=dict)
    _rows: deque[float] = field(default_factory=lambda: deque(maxlen=limits.REFUSALS_RECORDED))

    def check(self, source: str) -> None:
        """Raises `LockedOut` while the source has to wait."""
        until = self._until.get(source)
        if until is None:
            return
        if self.clock.monotonic() < until:
            raise LockedOut("This source failed the handshake too often; it is refused for 10 minutes.")
        del self._until[source]

    def failed(self, source: str) -> bool:
        """Note a failure; return True when it is the one that locks the source out."""
        now = self.clock.monotonic()
        recent = self._failures.setdefault(source, deque(maxlen=limits.HANDSHAKE_FAILURES))
        recent.append(now)
        if len(recent) < limits.HANDSHAKE_FAILURES or now - recent[0] > limits.HANDSHAKE_WINDOW:
            return False
        self._until[source] = now + limits.HANDSHAKE_LOCKOUT
        del self._failures[source]
        return True

    def worth_a_row(self) -> bool:
        """May one more refusal be recorded? A flood of refusals must not fill the disk."""
        now = self.clock.monotonic()
        if len(self._rows) == limits.REFUSALS_RECORDED and now - self._rows[0] < limits.HANDSHAKE_WINDOW:
            return False
        self._rows.append(now)
        return True


async def dial(
    path: Path, identity: handshake.Identity, receiver: Receiver, *, patience: float = limits.HANDSHAKE_TIME * 2
) -> Link:
    """Connect to the gateway, prove who we are, check who it is, all within `patience` seconds.

    Raises `Unavailable` or `HandshakeFailed`.
    """
    with contextlib.ExitStack() as undo:
        sock = undo.enter_context(await connect(path))
        try:
            async with asyncio.timeout(patience):
                nonce = os.urandom(handshake.NONCE)
                await _send(sock, handshake.hello(identity.role, nonce))
                await _send(sock, handshake.prove(identity, nonce, await _receive(sock)))
                if await _receive(sock) != handshake.WELCOME:
                    raise handshake.HandshakeFailed("The gateway did not welcome us.")
            link = adopt(sock, RoleName("gateway"), receiver)
        except (TimeoutError, OSError):
            raise Unavailable("The gateway went away during the handshake, or was too slow.") from None
        undo.pop_all()
        return link


async def meet(
    sock: socket.socket,
    seed: Secret,
    key_of: Callable[[RoleName], Awaitable[bytes]],
    lockout: Lockout,
    *,
    patience: float = limits.HANDSHAKE_TIME,
) -> RoleName:
    """Do the listener's side of the handshake and return the role that the peer proved.

    `key_of` gives the public key registered for a role, or empty bytes; its time is not the peer's, who has
    `patience` seconds. Failures count against the role that was claimed, the only name a stranger on a Unix
    socket of our own uid has, or against all strangers together where nobody has that role. Raises
    `HandshakeFailed`, `LockedOut`, and what `key_of` raises.
    """
    claimed, source = "nobody", _STRANGERS
    try:
        async with asyncio.timeout(patience) as timer:
            said = handshake.read_hello(await _receive(sock))
            claimed = said.role
            lockout.check(claimed)
            key = await _untimed(timer, key_of(said.role))
            source = said.role if key else _STRANGERS
            lockout.check(source)
            nonce = os.urandom(handshake.NONCE)
            await _send(sock, handshake.challenge(seed, said, nonce))
            handshake.check_proof(key, said, nonce, await _receive(sock))
            await _send(sock, handshake.WELCOME)
    except TimeoutError:
        lockout.failed(source)
        raise handshake.HandshakeFailed("The peer took too long to prove itself.") from None
    except OSError:
        raise handshake.HandshakeFailed("The peer went away during the handshake.") from None
    except LockedOut:
        raise
    except ProtocolError as error:
        lockout.failed(source)
        raise handshake.HandshakeFailed(f"{error} It claimed to be {claimed}.") from None
    return said.role


async def connect(path: Path) -> socket.socket:
    """Return a non-blocking connection to a Unix socket. Raises `Unavailable` where nobody listens."""
    with contextlib.ExitStack() as undo:
        sock = undo.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK))
        try:
            await _connected(sock, str(path))
        except OSError as error:
            why = error.strerror or error
            raise Unavailable(f"Nobody answers on {path}: {why}.", hint="Start it with `wirken run`.") from error
        undo.pop_all()
        return sock


async def _connected(sock: socket.socket, path: str) -> None:
    """Connect, waiting where the listener's queue is full.

    Not `loop.sock_connect`: that takes the EAGAIN of a full queue (unix(7)) for "in progress", and then for success.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + limits.HANDSHAKE_TIME
    while True:
        try:
            sock.connect(path)
        except BlockingIOError:
            if loop.time() > deadline:
                raise
            await asyncio.sleep(limits.QUEUE_FULL_PAUSE)
        else:
            return


def adopt(sock: socket.socket, peer: RoleName, receiver: Receiver) -> Link:
    """Make a link of a connected, non-blocking socket whose peer is known."""
    return Link(sock, peer, receiver)


async def _untimed(timer: asyncio.Timeout, wanted: Awaitable[T]) -> T:
    """Wait for what the peer cannot hurry; the time it has left stands still meanwhile."""
    loop = asyncio.get_running_loop()
    until = timer.when()
    assert until is not None
    left = until - loop.time()
    timer.reschedule(None)
    try:
        return await wanted
    finally:
        timer.reschedule(loop.time() + left)


async def _send(sock: socket.socket, message: bytes) -> None:
    await asyncio.get_running_loop().sock_sendall(sock, encode_frame(message, limits.HANDSHAKE_FRAME))


async def _receive(sock: socket.socket) -> bytes:
    (length,) = struct.unpack(">I", await _exactly(sock, 4))
    if length > limits.HANDSHAKE_FRAME:
        raise FrameTooLong("The peer announced a handshake message that is too long.")
    if length == 0:
        raise FrameEmpty("The peer announced an empty handshake message.")
    return await _exactly(sock, length)


async def _exactly(sock: socket.socket, count: int) -> bytes:
    """Read exactly `count` bytes, so that nothing of the first frame is taken from the link."""
    loop = asyncio.get_running_loop()
    kept = bytearray()
    while len(kept) < count:
        piece = await loop.sock_recv(sock, count - len(kept))
        if not piece:
            raise handshake.HandshakeFailed("The peer went away during the handshake.")
        kept += piece
    return bytes(kept)


def close_quietly(sock: socket.socket) -> None:
    """Close a socket whose state no longer matters."""
    with contextlib.suppress(OSError):
        sock.close()
