"""outbound's relay as the runner knows it: a `Caller`, then HTTP as to a proxy, on a Unix socket. It judges nothing.

Every host name leads to the local ports that it was given, so real programs can fetch from servers of the test.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from tests.support.walled import service_ids

from wirken.ipc.calls.egress import Caller

REFUSED = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno\n"


@dataclass
class FakeRelay:
    """What it was asked, in order: who asked, and for what."""

    path: Path
    tls: int = 0
    plain: int = 0
    asked: list[tuple[Caller, str]] = field(default_factory=list)
    open: int = 0
    most: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._served(reader, writer)
        finally:
            self.open -= 1
            writer.close()

    async def _served(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        length = int.from_bytes(await reader.readexactly(4))
        caller = msgspec.msgpack.decode(await reader.readexactly(length), type=Caller)
        head = await reader.readuntil(b"\r\n\r\n")
        method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
        self.asked.append((caller, f"{method} {target}"))
        if method == "CONNECT" and target.startswith("echo."):
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            await _carry(reader, writer)
            return
        port = self.tls if method == "CONNECT" else self.plain
        if target.startswith("no.") or not port:
            writer.write(REFUSED)
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            far_writer.write(head.replace(target.encode(), urlsplit(target).path.encode(), 1))
        try:
            await asyncio.gather(_carry(reader, far_writer), _carry(far_reader, writer))
        finally:
            far_writer.close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(2**16):
        writer.write(data)
        await writer.drain()
    writer.write_eof()


@contextmanager
def fake_relay(path: Path, tls: int = 0, plain: int = 0) -> Iterator[FakeRelay]:
    """Serve on `path` in a thread of its own; `tls` and `plain` are the ports all hosts lead to."""
    relay = FakeRelay(path, tls, plain)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        server = asyncio.run_coroutine_threadsafe(asyncio.start_unix_server(relay.serve, path), loop).result()
        os.chown(path, *service_ids())
        yield relay
        asyncio.run_coroutine_threadsafe(_closed(server), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _closed(server: asyncio.Server) -> None:
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
