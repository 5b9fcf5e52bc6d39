"""A small real HTTP/1.1 server for the fakes: one asyncio protocol, scripted answers, every request kept."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self, TypeAlias

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Recorded:
    """One request as it arrived. Header names are lower case; `connection` counts from 0."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int

    @property
    def json(self) -> object:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Pause:
    """Send nothing for that many seconds, then go on."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Stall:
    """Send nothing any more, and keep the connection open."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Drop the connection."""


Step: TypeAlias = bytes | Pause | Stall | Cut
"""Bytes go out as they are, each in a write of its own."""

Answerer: TypeAlias = Callable[[Recorded], Sequence[Step]]


def head(status: int, headers: dict[str, str]) -> bytes:
    """Return a status line and headers, with the blank line."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} Scripted\r\n{lines}\r\n".encode()


def whole(status: int, body: bytes, headers: dict[str, str]) -> list[Step]:
    """Return a complete answer with a Content-Length."""
    return [head(status, {"Content-Length": str(len(body)), **headers}) + body]


def chunk(data: bytes) -> bytes:
    """Return one chunk of a chunked body (RFC 9112, section 7.1); empty data ends the body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


_TURNS = 3
"""Of the loop, in which asyncio makes a transport and a protocol of a connection that it has accepted."""


class HttpServer:
    """Serves `answer` on a loopback port of the kernel's choice, inside the running event loop."""

    def __init__(self, answer: Answerer, *, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Recorded] = []
        self.keep_requests = True
        self.connections = 0
        self.open = 0
        self.closed = asyncio.Event()
        """Set whenever a client closed a connection."""
        self._answer = answer
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._protocols: set[_Protocol] = set()
        self.port = 0

    async def start(self, port: int = 0) -> int:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Protocol(self), "127.0.0.1", port, ssl=self._tls)
        address = self._server.sockets[0].getsockname()
        self.port = int(address[1])
        return self.port

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for _ in range(_TURNS):
            for protocol in list(self._protocols):
                protocol.drop()
            await asyncio.sleep(0)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def steps(self, request: Recorded) -> Sequence[Step]:
        """Record a request and return what to send back."""
        if self.keep_requests:
            self.requests.append(request)
        return self._answer(request)

    def joined(self, protocol: _Protocol) -> int:
        self._protocols.add(protocol)
        self.open += 1
        self.connections += 1
        return self.connections - 1

    def left(self, protocol: _Protocol) -> None:
        self._protocols.discard(protocol)
        self.open -= 1
        self.closed.set()


class _Protocol(asyncio.Protocol):
    """One connection: requests one after the other, kept alive."""

    def __init__(self, server: HttpServer) -> None:
        self._server = server
        self._buffer = bytearray()
        self._number = 0
        self._transport: asyncio.Transport | None = None
        self._playing: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._number = self._server.joined(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._server.left(self)
        if self._playing is not None:
            self._playing.cancel()

    def drop(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._playing is None:
            self._next()

    def _next(self) -> None:
        while (request := self._take()) is not None:
            steps = self._server.steps(request)
            assert self._transport is not None
            if len(steps) == 1 and isinstance(steps[0], bytes):
                self._transport.write(steps[0])
                continue
            self._playing = asyncio.get_running_loop().create_task(self._play(steps))
            return

    async def _play(self, steps: Sequence[Step]) -> None:
        assert self._transport is not None
        for step in steps:
            match step:
                case bytes():
                    self._transport.write(step)
                    await asyncio.sleep(0)
                case Pause():
                    await asyncio.sleep(step.seconds)
                case Stall():
                    await asyncio.Event().wait()
                case Cut():
                    self._transport.close()
                    return
        self._playing = None
        self._next()

    def _take(self) -> Recorded | None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        length = _LENGTH.search(self._buffer, 0, end)
        total = end + 4 + (int(length[1]) if length else 0)
        if len(self._buffer) < total:
            return None
        first, *lines = bytes(self._buffer[:end]).decode("latin-1").split("\r\n")
        method, path, _version = first.split(" ")
        pairs = (line.split(":", 1) for line in lines)
        headers = {name.lower(): value.strip() for name, value in pairs}
        body = bytes(self._buffer[end + 4 : total])
        del self._buffer[:total]
        return Recorded(method, path, headers, body, self._number)
