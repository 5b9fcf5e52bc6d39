"""The way out of a sandbox that was granted a network: a listener on its own loopback, carried to outbound's relay.

The sandbox has no interface but that loopback and never sees the relay's socket. Which call a connection belongs to is
what the runner says of the listener it came through; nothing that a program sends can change it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import msgspec

from wirken.domain import limits
from wirken.domain.errors import SandboxUnavailable, Unavailable
from wirken.domain.text import decoded
from wirken.ipc.calls.egress import Caller
from wirken.ipc.calls.runner import WirePermit
from wirken.ipc.framing import encode_frame
from wirken.ipc.peer import connect
from wirken.ipc.pump import pump
from wirken.runner.asker import asker
from wirken.runner.tree import Tree

_AWAY: Final = b"The way out of this sandbox is not open: Wirken's relay does not answer.\n"
_ONE_HANDLE: Final = socket.CMSG_SPACE(4)  # an int
_BAD_GATEWAY: Final = (
    b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
    % (len(_AWAY), _AWAY)
)


class NoWayOut(SandboxUnavailable):
    """A command was granted a network, and none could be made for it."""


class Egress:
    """Opens ways out. One instance per runner."""

    def __init__(self, relay: str, proc: Path | None) -> None:
        """`relay` is the socket of outbound's relay for the runner; empty where there is none.

        `proc` shows the sandboxes' programs; None where the machine's kernel knows nothing of them.
        """
        self._relay = relay
        self._proc = proc

    def possible(self) -> None:
        """Raise `NoWayOut` where there is no relay."""
        if not self._relay:
            raise NoWayOut("The runner was started without a relay, so no command has a network.")

    @contextlib.asynccontextmanager
    async def way_out(self, tree: Tree, permit: WirePermit) -> AsyncIterator[None]:
        """Carry what the held sandbox `tree` connects to, on behalf of `permit`; drop it all at the block's end.

        Raises `NoWayOut`.
        """
        self.possible()
        async with self.carrying(await _listener_in(tree), permit, await tree.held()):
            yield

    @contextlib.asynccontextmanager
    async def carrying(self, listener: socket.socket, permit: WirePermit, first: int = 0) -> AsyncIterator[None]:
        """Carry what comes in at `listener`, and close it at the block's end.

        `first` is the sandbox's first process, where programs are named.
        """
        serving = asyncio.create_task(self._serve(listener, first, permit))
        try:
            yield
        finally:
            serving.cancel()
            await asyncio.wait({serving})
            listener.close()
            if not serving.cancelled():
                serving.result()

    async def _serve(self, listener: socket.socket, first: int, permit: WirePermit) -> None:
        places = asyncio.Semaphore(limits.EGRESS_CONNECTIONS)
        one_search = asyncio.Lock()

        async def carry(client: socket.socket, peer: tuple[str, int]) -> None:
            try:
                program = ""
                if self._proc is not None:
                    async with one_search:
                        program = await asyncio.to_thread(asker, self._proc, first, peer)
                with contextlib.suppress(OSError):
                    await self._carry(client, Caller(permit, program))
            finally:
                client.close()
                places.release()

        async with asyncio.TaskGroup() as carried:
            while True:
                await places.acquire()
                carried.create_task(carry(*await _accepted(listener)))

    async def _carry(self, client: socket.socket, caller: Caller) -> None:
        """Carry one connection to its end; where the relay is away, say so as a proxy would. Raises `OSError`."""
        loop = asyncio.get_running_loop()
        try:
            relay = await connect(Path(self._relay))
        except Unavailable:
            await loop.sock_recv(client, limits.EGRESS_HEAD)  # closing with words unread would break the answer off
            await loop.sock_sendall(client, _BAD_GATEWAY)
            return
        with relay:
            await loop.sock_sendall(relay, encode_frame(msgspec.msgpack.encode(caller)))
            await pump(client, relay)


async def _accepted(listener: socket.socket) -> tuple[socket.socket, tuple[str, int]]:
    while True:
        with contextlib.suppress(OSError):
            return await asyncio.get_running_loop().sock_accept(listener)
        await asyncio.sleep(limits.EGRESS_RETRY)


async def _listener_in(tree: Tree) -> socket.socket:
    """Return a socket that listens inside the network of a held sandbox. Raises `NoWayOut`."""
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            try:
                network = tree.network()
            except OSError as error:
                raise NoWayOut(f"The sandbox's network could not be opened: {error.strerror}.") from error
            try:
                said = await _hatch(network, theirs.fileno())
            finally:
                os.close(network)
        listener = handed(ours)
    if listener is None:
        raise NoWayOut(f"No listener could be made in the sandbox: {said or 'its maker failed'}.")
    return listener


def handed(channel: socket.socket) -> socket.socket | None:
    """Return the listening socket that came over `channel`, or nothing where none came."""
    # Not socket.recv_fds: it forgets its flags, and then a sandbox could inherit the descriptor.
    beside: list[tuple[int, int, bytes]] = []
    with contextlib.suppress(BlockingIOError):
        beside = channel.recvmsg(1, _ONE_HANDLE, socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC)[1]
    if not beside:
        return None
    listener = socket.socket(fileno=int.from_bytes(beside[0][2], sys.byteorder))
    listener.setblocking(False)
    return listener


async def _hatch(*handles: int) -> str:
    """Run `runner.hatch` with these descriptors, and return the last line of what it complains about."""
    hatch = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-m", "wirken.runner.hatch", *map(str, handles)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        pass_fds=handles,
        env={},
        cwd="/",
    )
    try:
        async with asyncio.timeout(limits.EGRESS_HATCH):
            _, said = await hatch.communicate()
    except TimeoutError:
        return "it took too long"
    finally:
        if hatch.returncode is None:
            hatch.kill()
            await hatch.wait()
    return decoded(said).strip().rpartition("\n")[2]
