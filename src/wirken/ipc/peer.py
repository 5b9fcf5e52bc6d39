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
from typing import Final

from wirken.domain import limits
from wirken.domain.clock import Clock
from wirken.domain.errors import ProtocolError, Unavailable
from wirken.domain.ids import RoleName
from wirken.domain.secret import Secret
from wirken.ipc import handshake
from wirken.ipc.framing import FrameEmpty, FrameTooLong, encode_frame
from wirken.ipc.link import Link, Receiver

_CREDENTIALS: Final = struct.Struct("3i")


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


async def dial(path: Path, identity: handshake.Identity, receiver: Receiver) -> Link:
    """Connect to the gateway, prove who we are, check who it is. Raises `Unavailable` or `HandshakeFailed`."""
    sock = await connect(path)
    try:
        async with asyncio.timeout(limits.HANDSHAKE_TIME * 2):
            nonce = os.urandom(handshake.NONCE)
            await _send(sock, handshake.hello(identity.role, nonce))
            proof = handshake.prove(identity, nonce, await _receive(sock))
            await _send(sock, proof)
            if await _receive(sock) != handshake.WELCOME:
                raise handshake.HandshakeFailed("The gateway did not welcome us.")
        return await adopt(sock, RoleName("gateway"), receiver)
    except (TimeoutError, OSError):
        sock.close()
        raise Unavailable("The gateway went away during the handshake, or was too slow.") from None
    except BaseException:
        sock.close()
        raise


async def meet(
    sock: socket.socket,
    seed: Secret,
    key_of: Callable[[RoleName], Awaitable[bytes]],
    lockout: Lockout,
) -> RoleName:
    """Do the listener's side of the handshake and return the role that the peer proved.

    `key_of` gives the public key registered for a role, or empty bytes. Failures count against the role that
    was claimed, the only name a stranger on a Unix socket of our own uid has. Raises `HandshakeFailed`,
    `LockedOut`.
    """
    claimed = "unknown"
    try:
        async with asyncio.timeout(limits.HANDSHAKE_TIME):
            said = handshake.read_hello(await _receive(sock))
            claimed = said.role
            lockout.check(claimed)
            nonce = os.urandom(handshake.NONCE)
            await _send(sock, handshake.challenge(seed, said, nonce))
            handshake.check_proof(await key_of(said.role), said, nonce, await _receive(sock))
            await _send(sock, handshake.WELCOME)
    except TimeoutError:
        lockout.failed(claimed)
        raise handshake.HandshakeFailed("The peer took too long to prove itself.") from None
    except OSError:
        raise handshake.HandshakeFailed("The peer went away during the handshake.") from None
    except LockedOut:
        raise
    except ProtocolError as error:
        lockout.failed(claimed)
        raise handshake.HandshakeFailed(f"{error} It claimed to be {claimed}.") from None
    return said.role


async def connect(path: Path) -> socket.socket:
    """Return a non-blocking connection to a Unix socket. Raises `Unavailable` where nobody listens."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        await asyncio.get_running_loop().sock_connect(sock, str(path))
    except OSError as error:
        sock.close()
        raise Unavailable(f"Nobody answers on {path}: {error.strerror}.", hint="Start it with `wirken run`.") from error
    return sock


async def adopt(sock: socket.socket, peer: RoleName, receiver: Receiver) -> Link:
    """Make a link of a connected socket whose peer is known."""
    loop = asyncio.get_running_loop()
    _, link = await loop.create_connection(lambda: Link(peer, receiver), sock=sock)
    return link


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
