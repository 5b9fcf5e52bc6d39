"""A small strict HTTP/1.1 server for platforms that call: one request a connection, judged before its body is read."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final, TypeAlias

import h11

from wirken.domain import channel_limits as limits

_log: Final = logging.getLogger("wirken.channels")
_READ: Final = 65_536


@dataclass(frozen=True, slots=True)
class Head:
    """What stands before a body. Header names are in small letters; one that came twice is not there at all."""

    method: str
    target: str
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes = b""
    media_type: str = "application/json; charset=utf-8"


Take: TypeAlias = Callable[[bytes], Awaitable[Answer]]
"""Takes the body of a request whose head was found good."""
Hook: TypeAlias = Callable[[Head], Awaitable["Answer | Take"]]
"""Judges a head: an answer turns the request away, and its body is never looked at."""


class _Refused(Exception):
    def __init__(self, status: int) -> None:
        self.status = status


@asynccontextmanager
async def serving(
    listener: socket.socket, hook: Hook, most: int = limits.WEBHOOK_BODY, *, head_proves: bool = True
) -> AsyncIterator[None]:
    """Serve within this block. `listener` itself stays open, so that callers wait in it until there is a next block.

    `most`: bytes of a body. `head_proves`: nobody but the platform has a good head; else who sends a body is still a
    stranger, until all of it is there.
    """
    door = _Door(hook, most, head_proves=head_proves)
    server = await asyncio.start_server(door.met, sock=listener.dup(), limit=_READ)
    try:
        yield
    finally:
        server.close()
        await door.close()
        await server.wait_closed()


class _Door:
    """The connections that stand. In a crowd the oldest stranger gives way; who was let in does not."""

    def __init__(self, hook: Hook, most: int, *, head_proves: bool) -> None:
        self.hook, self.most, self.head_proves = hook, most, head_proves
        self._held = 0
        self._strangers: dict[asyncio.Task[None], None] = {}
        self._inside: set[asyncio.Task[None]] = set()

    async def met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(self._inside) >= limits.WEBHOOK_CONNECTIONS:
            writer.transport.abort()
            return
        if len(self._strangers) >= limits.WEBHOOK_CONNECTIONS:
            next(iter(self._strangers)).cancel()
        self._strangers[task] = None
        call = _Call(reader, writer, self, task)
        try:
            await call.serve()
        except asyncio.CancelledError:
            pass  # given way, or closed: asyncio reports a cancelled connection as an error
        finally:
            self._strangers.pop(task, None)
            self._inside.discard(task)
            self._held -= call.held
            writer.transport.abort()

    def hold(self, more: int) -> None:
        """Count bytes of a body that are here until its connection ends."""
        self._held += more
        if self._held > limits.WEBHOOK_HELD:
            raise _Refused(503)

    def let_in(self, task: asyncio.Task[None]) -> None:
        self._strangers.pop(task, None)
        self._inside.add(task)

    async def close(self) -> None:
        """End what stands."""
        tasks = {*self._strangers, *self._inside}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Call:
    """One connection with its one request."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, door: _Door, task: asyncio.Task[None]
    ) -> None:
        self._reader, self._writer, self._door, self._task = reader, writer, door, task
        self.held = 0
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.WEBHOOK_HEAD)

    async def serve(self) -> None:
        try:
            await self._answer(await self._answered())
        except (ConnectionError, TimeoutError):
            return  # gone, or too slow to be told so

    async def _answered(self) -> Answer:
        try:
            async with asyncio.timeout(limits.WEBHOOK_HEAD_TIME):
                head = await self._head()
            judged = await self._door.hook(head)
            if isinstance(judged, Answer):
                return judged
            if self._door.head_proves:
                self._door.let_in(self._task)
            async with asyncio.timeout(limits.WEBHOOK_BODY_TIME):
                body = await self._body(head)
            self._door.let_in(self._task)
        except _Refused as refused:
            return Answer(refused.status)
        except h11.RemoteProtocolError as error:
            return Answer(error.error_status_hint)
        return await judged(body)

    async def _head(self) -> Head:
        event = await self._event()
        if not isinstance(event, h11.Request):
            raise ConnectionError
        if len(event.target) + sum(len(name) + len(value) for name, value in event.headers) > limits.WEBHOOK_HEAD:
            raise _Refused(431)  # the reader itself stops only what is not whole yet
        names = [name.decode("ascii") for name, _ in event.headers]
        return Head(
            event.method.decode("ascii"),
            event.target.decode("ascii", "replace"),
            {
                name.decode("ascii"): value.decode("latin-1")
                for name, value in event.headers
                if names.count(name.decode("ascii")) == 1
            },
        )

    async def _body(self, head: Head) -> bytes:
        most, claimed = self._door.most, head.headers.get("content-length", "0")
        if len(claimed) > len(str(most)) or int(claimed) > most:
            raise _Refused(413)
        if self._http.they_are_waiting_for_100_continue:
            go_on = self._http.send(h11.InformationalResponse(status_code=100, headers=[]))
            self._writer.write(go_on or b"")
        body = bytearray()
        while isinstance(event := await self._event(), h11.Data):
            body += event.data
            self.held += len(event.data)
            self._door.hold(len(event.data))
            if len(body) > most:
                raise _Refused(413)
        if not isinstance(event, h11.EndOfMessage):
            raise ConnectionError
        return bytes(body)

    async def _event(self) -> object:
        while True:
            event = self._http.next_event()
            if event is not h11.NEED_DATA:
                return event
            data = await self._reader.read(_READ)
            if not data and self._http.their_state is h11.IDLE:
                raise ConnectionError
            self._http.receive_data(data)

    async def _answer(self, answer: Answer) -> None:
        if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        headers = [("Content-Length", str(len(answer.body))), ("Connection", "close")]
        if answer.body:
            headers.append(("Content-Type", answer.media_type))
        said = self._http.send(h11.Response(status_code=answer.status, headers=headers)) or b""
        said += self._http.send(h11.Data(data=answer.body)) or b""
        said += self._http.send(h11.EndOfMessage()) or b""
        self._writer.write(said)
        await self._writer.drain()
        await self._linger()

    async def _linger(self) -> None:
        """Let the other side read the answer: closing while it still writes would reset the connection under it."""
        if self._writer.can_write_eof():
            self._writer.write_eof()
        left = self._door.most
        with suppress(TimeoutError):
            async with asyncio.timeout(limits.WEBHOOK_LINGER):
                while left > 0 and (data := await self._reader.read(_READ)):
                    left -= len(data)
