"""Meeting a peer on a Unix socket: kernel-checked uid, and the handshake."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from wirken.domain import limits
from wirken.domain.errors import ProtocolError, Unavailable
from wirken.domain.ids import RoleName
from wirken.domain.secret import Secret
from wirken.ipc import handshake
from wirken.ipc.framing import FrameEmpty, FrameTooLong, encode_frame
from wirken.ipc.link import Link, Receiver
from wirken.ipc.lockout import Lockout

T = TypeVar("T")
_CREDENTIALS: Final = struct.Struct("iII")


class StrangerRefused(ProtocolError):
    """The kernel says that the peer runs as a user who has no business here."""

    hint = "Only the user who started Wirken may connect."


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the kernel says of a Unix socket's peer (unix(7), SO_PEERCRED)."""

    pid: int
    uid: int
    gid: int


def credentials(sock: socket.socket) -> Credentials:
    """Return the peer's pid, uid and gid at the time it connected (or listened)."""
    return Credentials(*_CREDENTIALS.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)))


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
    `patience` seconds. Failures count against the process that connected, never against the role that it claims: that
    may be another's. Raises `HandshakeFailed`, `LockedOut`, and what `key_of` raises.
    """
    process = lockout.process_of(sock)
    lockout.check(process)
    claimed = "nobody"
    try:
        async with asyncio.timeout(patience) as timer:
            said = handshake.read_hello(await _receive(sock))
            claimed = said.role
            key = await _untimed(timer, key_of(said.role))
            nonce = os.urandom(handshake.NONCE)
            await _send(sock, handshake.challenge(seed, said, nonce))
            handshake.check_proof(key, said, nonce, await _receive(sock))
            await _send(sock, handshake.WELCOME)
    except TimeoutError:
        lockout.failed(process)
        raise handshake.HandshakeFailed("The peer took too long to prove itself.") from None
    except OSError:
        raise handshake.HandshakeFailed("The peer went away during the handshake.") from None
    except ProtocolError as error:
        lockout.failed(process)
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
