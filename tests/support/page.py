"""The page in the test's own loop before a scripted gateway, and a plain HTTP client to look at it."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.stub_gateway import Script, StubGateway, echo

from wirken.domain.clock import SystemClock
from wirken.ipc import peer
from wirken.web.hub import Hub
from wirken.web.peeruid import TcpTables
from wirken.web.routes import application
from wirken.web.server import Admission, PageServer


@dataclass
class Page:
    """A running page. `lines` is what it logged."""

    gateway: StubGateway
    hub: Hub
    server: PageServer
    port: int
    lines: list[str]

    async def link(self) -> None:
        """Connect to the gateway, as `ipc.wing` does."""
        self.hub.connected(await peer.dial(self.gateway.path, self.gateway.identity, self.hub))

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> Reply:
        return await self.request("GET", path, headers)

    async def post(self, path: str, value: object, headers: Mapping[str, str] | None = None) -> Reply:
        own = {"Content-Type": "application/json", "Origin": f"http://127.0.0.1:{self.port}"}
        return await self.request("POST", path, own | dict(headers or {}), json.dumps(value).encode())

    async def request(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Reply:
        """Send one request on a connection of its own; the answer's connection is closed after it."""
        given = {"Host": f"127.0.0.1:{self.port}", "Connection": "close"} | dict(headers or {})
        if body:
            given.setdefault("Content-Length", str(len(body)))
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items() if value)]
        return await self.raw("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    async def raw(self, request: bytes) -> Reply:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request)
        text = await reader.read()
        writer.close()
        return parsed(text)

    @asynccontextmanager
    async def events(self, query: str, headers: str = "") -> AsyncIterator[EventReader]:
        """Open an event stream; the response's head has been read."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        head = f"GET /api/events?{query} HTTP/1.1\r\nHost: localhost:{self.port}\r\n{headers}\r\n"
        writer.write(head.encode())
        status = await reader.readuntil(b"\r\n\r\n")
        try:
            yield EventReader(reader, int(status.split()[1]))
        finally:
            writer.close()


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, object]:
        value: dict[str, object] = json.loads(self.body)
        return value


class EventReader:
    """Reads chunked Server-Sent Events."""

    def __init__(self, reader: asyncio.StreamReader, status: int) -> None:
        self._reader = reader
        self._text = b""
        self.status = status

    async def next(self, patience: float = 5.0) -> tuple[str, str, dict[str, object]]:
        """Return the next event's name, id and data; comments are skipped. Raises `EOFError` at the end."""
        async with asyncio.timeout(patience):
            while True:
                while b"\n\n" not in self._text:
                    await self._more()
                block, _, self._text = self._text.partition(b"\n\n")
                if not block.startswith(b":"):
                    fields = dict(line.split(": ", 1) for line in block.decode().split("\n"))
                    return fields["event"], fields.get("id", ""), json.loads(fields["data"])

    async def until(self, name: str) -> list[tuple[str, str, dict[str, object]]]:
        """Return the events up to and with the first of this name."""
        seen = [await self.next()]
        while seen[-1][0] != name:
            seen.append(await self.next())
        return seen

    async def _more(self) -> None:
        size = int(await self._reader.readline() or b"0", 16)
        if size == 0:
            raise EOFError
        self._text += (await self._reader.readexactly(size + 2))[:-2]


def parsed(text: bytes) -> Reply:
    head, _, body = text.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    return Reply(int(first.split()[1]), headers, body)


@asynccontextmanager
async def running(
    folder: Path, script: Script = echo, *, uids: frozenset[int] | None = None, port: int = 0
) -> AsyncIterator[Page]:
    """Start gateway, hub and server; stop them in the end."""
    gateway = StubGateway(folder / "gateway.sock", script)
    await gateway.start()
    clock = SystemClock()
    hub = Hub(clock)
    tables = [os.open(f"/proc/net/{name}", os.O_RDONLY) for name in ("tcp", "tcp6")]
    lines: list[str] = []
    allowed = frozenset((os.getuid(),)) if uids is None else uids
    admission = Admission(TcpTables(*tables).uid_of, allowed, clock, lines.append)
    server = PageServer(application(hub, clock, lambda: os.urandom(16).hex()), admission)
    listener = socket.create_server(("127.0.0.1", port))
    page = Page(gateway, hub, server, listener.getsockname()[1], lines)
    await page.link()
    await server.listen([listener])
    try:
        yield page
    finally:
        hub.close()
        await server.stop()
        await gateway.stop()
        listener.close()
        for table in tables:
            os.close(table)
