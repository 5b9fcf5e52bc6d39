"""A cheap client of the page's API over raw sockets: one conversation, one message at a time.

It looks for the bytes it waits for and parses no more than that, because it shares the cores with what it measures.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Final, Self

from bench.errors import NotMeasured

_PATIENCE: Final = 30.0  # seconds one turn may take before the measurement is given up


class Wire(asyncio.Protocol):
    """A connection that collects bytes until a mark stands in them."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._mark = self._end = b""
        self._found: asyncio.Future[float] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._bytes += data
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._found is not None and not self._found.done():
            self._found.set_exception(NotMeasured("the page closed a connection"))

    def send(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.write(data)

    def until(self, mark: bytes, end: bytes) -> asyncio.Future[float]:
        """Return when `mark` and, somewhere after it, `end` have come, in seconds of `perf_counter`."""
        self._mark, self._end = mark, end
        self._found = asyncio.get_running_loop().create_future()
        self._look()
        return self._found

    def taken(self) -> bytes:
        """Return and forget what has come."""
        data = bytes(self._bytes)
        self._bytes.clear()
        return data

    def close(self) -> None:
        self._found = None
        if self._transport is not None:
            self._transport.close()

    def _look(self) -> None:
        if self._found is None or self._found.done():
            return
        at = self._bytes.find(self._mark)
        if at >= 0 and self._bytes.find(self._end, at + len(self._mark)) >= 0:
            self._found.set_result(time.perf_counter())


class Conversation:
    """One conversation in the page: a connection for its events, one for its messages."""

    def __init__(self, port: int, name: str) -> None:
        self._port: Final = port
        self._name: Final = name
        self._count = 0
        self._events = Wire()
        self._messages = Wire()

    @property
    def session(self) -> str:
        return f"default/webchat/{self._name}"

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self._events, "127.0.0.1", self._port)
        await loop.create_connection(lambda: self._messages, "127.0.0.1", self._port)
        self._events.send(
            f"GET /api/events?conversation={self._name} HTTP/1.1\r\nHost: localhost:{self._port}\r\n\r\n".encode()
        )
        await asyncio.wait_for(self._events.until(b": connected", b"\n\n"), _PATIENCE)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._events.close()
        self._messages.close()

    async def turn(self, text: str) -> float:
        """Say `text`; return the seconds until the turn was over. Raises `NotMeasured` unless it finished."""
        self._count += 1
        identity = f"{self._name}-{self._count}"
        request = self._request(json.dumps({"text": text, "conversation": self._name, "id": identity}).encode())
        self._events.taken()
        started = time.perf_counter()
        taken = self._messages.until(b"\r\n\r\n{", b"}")
        over = self._events.until(b"event: over", b"\n\n")
        self._messages.send(request)
        try:
            async with asyncio.timeout(_PATIENCE):
                await taken
                ended = await over
        except TimeoutError:
            raise NotMeasured("a turn did not end") from None
        answer, events = self._messages.taken(), self._events.taken()
        if not answer.startswith(b"HTTP/1.1 202") or identity.encode() not in events:
            raise NotMeasured(f"the page did not take a message: {answer[-300:]!r}")
        if b'"outcome":"finished"' not in events[events.rfind(b"event: over") :]:
            raise NotMeasured(f"a turn failed: {events[-400:]!r}")
        return ended - started

    def _request(self, body: bytes) -> bytes:
        head = (
            "POST /api/messages HTTP/1.1",
            f"Host: localhost:{self._port}",
            f"Origin: http://localhost:{self._port}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
        )
        return "\r\n".join(head).encode() + b"\r\n\r\n" + body
