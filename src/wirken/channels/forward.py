"""The way out of an adapter: a proxy at 127.0.0.1 in its empty network, which passes each connection to the relay.

Libraries take an HTTP proxy by host and port, and the relay is a Unix socket. What is said is not read here: the relay
judges it, and answers.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from pathlib import Path
from typing import Final

from wirken.domain import relay_limits
from wirken.domain.errors import Unavailable
from wirken.ipc.peer import connect
from wirken.ipc.pump import pump

LOOPBACK: Final = "127.0.0.1"
_BACKLOG: Final = 512
"""More than a library makes at once: what overflows may lose its first bytes, so nobody waits there."""
_RETRY: Final = 0.05
"""Seconds before a connection is taken again where there was no descriptor left."""
_log: Final = logging.getLogger("wirken.channels")


class NoWayOut(Unavailable):
    """There is no port for the proxy in this process's own network."""


def listener() -> socket.socket:
    """Return a listener on a free port of 127.0.0.1. It is made before the walls, which leave no `bind`.

    Raises `NoWayOut`.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        sock.bind((LOOPBACK, 0))
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        raise NoWayOut(f"The adapter's way out cannot be bound: {error.strerror}.") from None
    return sock


def port_of(sock: socket.socket) -> int:
    """Return the port of a listener."""
    port: int = sock.getsockname()[1]
    return port


class Forwarder:
    """Passes connections on, FORWARD_PARALLEL at once; FORWARD_WAITING more wait for a place, the rest is closed."""

    def __init__(self, listening: socket.socket, relay: Path) -> None:
        self._listening: Final = listening
        self._relay: Final = relay
        self._places: Final = asyncio.Semaphore(relay_limits.FORWARD_PARALLEL)
        self._passing: Final[set[asyncio.Task[None]]] = set()

    @property
    def url(self) -> str:
        """The proxy's address for a library."""
        return f"http://{LOOPBACK}:{port_of(self._listening)}"

    async def serve(self) -> None:
        """Accept until cancelled; then end every connection."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                client = await self._accepted()
                if len(self._passing) >= relay_limits.FORWARD_PARALLEL + relay_limits.FORWARD_WAITING:
                    client.close()
                    continue
                task = loop.create_task(self._pass(client))
                self._passing.add(task)
                task.add_done_callback(self._passed)
        finally:
            for task in self._passing:
                task.cancel()
            if self._passing:
                await asyncio.wait(set(self._passing))

    async def _accepted(self) -> socket.socket:
        while True:
            try:
                return (await asyncio.get_running_loop().sock_accept(self._listening))[0]
            except OSError as error:  # the library has gone again, or there is no descriptor left
                _log.warning("a connection of the library could not be taken: %s", error.strerror)
                await asyncio.sleep(_RETRY)

    def _passed(self, task: asyncio.Task[None]) -> None:
        self._passing.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a connection failed in a way that was not foreseen", exc_info=error)

    async def _pass(self, client: socket.socket) -> None:
        """Pass bytes both ways until both ends have closed; a relay that is not there closes the client's."""
        with client:
            async with self._places:
                try:
                    relay = await connect(self._relay)
                except Unavailable as error:
                    _log.warning("there is no way out to the platform: %s", error)
                    return
                with relay:
                    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    await pump(client, relay, relay_limits.FORWARD_LINGER)
