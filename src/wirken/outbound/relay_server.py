"""The relay's listeners, one for each role that may reach out, and the connections that came in by them."""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from wirken.domain import limits, relay_limits
from wirken.domain.errors import UsageError, WirkenError
from wirken.ipc.calls.runner import WirePermit
from wirken.ipc.peer import close_quietly, credentials
from wirken.outbound.refusals import refusal
from wirken.outbound.relay import Connection, Judge, answer
from wirken.outbound.resolve import Connects, Resolver, connect

_log: Final = logging.getLogger("wirken.relay")
RUNNER: Final = "runner"
"""The one role that speaks for others: its connections begin with whose they are."""

_Whose: TypeAlias = WirePermit | str
"""The tool call that a connection is for, or the role itself."""


class BadListener(UsageError):
    """A listener that was handed down has no form that is known; the supervisor starts this process."""


def listeners(words: list[str]) -> dict[str, socket.socket]:
    """Return the inherited listeners by role from `ROLE=DESCRIPTOR` words. Raises `BadListener`."""
    found: dict[str, socket.socket] = {}
    for word in words:
        role, _, number = word.rpartition("=")
        if not role or not number.isdigit():
            raise BadListener("A relay's listener is given as ROLE=DESCRIPTOR.")
        found[role] = socket.socket(fileno=int(number))
        found[role].setblocking(False)
    return found


@dataclass(slots=True)
class Relay:
    """Serves connections until it is closed, RELAY_CONNECTIONS at once and RELAY_PARALLEL of one call.

    Sandboxes together have RELAY_SANDBOXES, so that they never take the last places from our own processes, and each of
    these has RELAY_PROCESS, so that it takes none from the others.
    """

    resolver: Resolver
    judge: Judge
    connect: Connects = connect
    own_uid: int = field(default_factory=os.getuid)
    _accepting: list[asyncio.Task[None]] = field(default_factory=list)
    _serving: dict[asyncio.Task[None], _Whose | None] = field(default_factory=dict)
    """Each connection, and whose it is: of the runner's once that is known."""

    def open(self, doors: Mapping[str, socket.socket]) -> None:
        """Begin to accept."""
        loop = asyncio.get_running_loop()
        self._accepting = [loop.create_task(self._accept(role, listener)) for role, listener in doors.items()]

    async def close(self) -> None:
        """Accept nothing more and end every connection."""
        for task in self._accepting:
            task.cancel()
        await self._end(list(self._serving))

    async def stop(self, permit: WirePermit) -> None:
        """End the connections of a call; return once they have ended and what passed was said."""
        await self._end([task for task, whose in self._serving.items() if whose == permit])

    async def drop(self) -> None:
        """End every connection: nobody is there to judge, or to note, what they do."""
        await self._end(list(self._serving))

    async def _end(self, tasks: list[asyncio.Task[None]]) -> None:
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _accept(self, role: str, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, _ = await loop.sock_accept(listener)
            except OSError as error:  # out of descriptors, say; those in use are closed some time
                _log.warning("the relay could not accept a connection: %s", error.strerror)
                await asyncio.sleep(limits.QUEUE_FULL_PAUSE)
                continue
            if credentials(sock).uid != self.own_uid or self._full(role):
                close_quietly(sock)
                continue
            sock.setblocking(False)
            task = loop.create_task(self._serve(role, sock))
            self._serving[task] = None if role == RUNNER else role
            task.add_done_callback(functools.partial(self._done, sock=sock))

    def _full(self, role: str) -> bool:
        """Return whether this role, or all together, have as many connections as they may."""
        own = role != RUNNER and list(self._serving.values()).count(role) >= relay_limits.RELAY_PROCESS
        return own or len(self._serving) >= relay_limits.RELAY_CONNECTIONS

    def _done(self, task: asyncio.Task[None], sock: socket.socket) -> None:
        self._serving.pop(task, None)
        sock.close()
        if not task.cancelled() and task.exception() is not None:
            _log.error("a relayed connection failed in a way that was not foreseen", exc_info=task.exception())

    async def _serve(self, role: str, sock: socket.socket) -> None:
        connection = Connection(role, sock, self.resolver, self.judge, self.connect, speaks_for_others=role == RUNNER)
        try:
            stream, caller = await connection.begin()
        except (WirkenError, OSError, TimeoutError) as error:
            _log.warning("a connection of %s to the relay came to nothing: %s", role, error)
            return
        if caller is not None and not self._admitted(caller.permit):
            await answer(sock, refusal("busy", f"More than {relay_limits.RELAY_PARALLEL} connections at once."))
            return
        await connection.serve(stream, caller)

    def _admitted(self, permit: WirePermit) -> bool:
        """Note whose this task's connection is; False where the call, or all together, have as many as they may."""
        now = list(self._serving.values())
        sandboxes = sum(isinstance(one, WirePermit) for one in now)
        if now.count(permit) >= relay_limits.RELAY_PARALLEL or sandboxes >= relay_limits.RELAY_SANDBOXES:
            return False
        task = asyncio.current_task()
        assert task is not None
        self._serving[task] = permit
        return True
