"""The adapter's way out: every connection of a library reaches the relay whole, and none costs more than its place."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from wirken.channels import forward
from wirken.channels.forward import Forwarder
from wirken.domain import relay_limits

Served = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(65536):
        writer.write(piece)
        await writer.drain()
    writer.write(b"bye")


@dataclass
class Way:
    """A forwarder in front of a relay that counts who is there."""

    path: Path
    serves: Served = echo
    here: set[asyncio.StreamWriter] = field(default_factory=set)
    most: int = 0
    port: int = 0

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.here.add(writer)
        self.most = max(self.most, len(self.here))
        try:
            with contextlib.suppress(ConnectionError):
                await self.serves(reader, writer)
                writer.close()
                await writer.wait_closed()
        finally:
            self.here.discard(writer)
            writer.close()

    @asynccontextmanager
    async def up(self, *, relay: bool = True) -> AsyncIterator[Way]:
        async with contextlib.AsyncExitStack() as stack:
            if relay:
                stack.push_async_callback(self._down, await asyncio.start_unix_server(self._meet, self.path))
            listening = stack.enter_context(forward.listener())
            self.port = forward.port_of(listening)
            forwarder = Forwarder(listening, self.path)
            assert forwarder.url == f"http://127.0.0.1:{self.port}"
            serving = asyncio.ensure_future(forwarder.serve())
            try:
                yield self
            finally:
                serving.cancel()
                await asyncio.wait({serving})
                assert not forwarder._passing

    async def _down(self, server: asyncio.Server) -> None:
        server.close()
        for writer in list(self.here):
            writer.transport.abort()
        await server.wait_closed()

    async def dial(self) -> Ends:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def until(self, count: int) -> None:
        async with asyncio.timeout(20):
            while len(self.here) != count:
                await asyncio.sleep(0.005)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return Path(os.path.relpath(tmp_path / "r.sock")) if len(str(tmp_path)) > 90 else tmp_path / "r.sock"


async def said(way: Way, words: bytes) -> bytes:
    """Say something, close our half, and return all that comes back."""
    reader, writer = await way.dial()
    writer.write(words)
    writer.write_eof()
    async with asyncio.timeout(20):
        answer = await reader.read(-1)
    writer.close()
    await writer.wait_closed()
    return answer


async def test_bytes_pass_both_ways_and_each_half_closes_by_itself(path: Path) -> None:
    async with Way(path).up() as way:
        assert await said(way, b"hello") == b"hellobye"


async def test_much_passes_whole_through_a_bounded_buffer(path: Path) -> None:
    much = os.urandom(1 << 20) * 8
    async with Way(path).up() as way:
        reader, writer = await way.dial()
        sending = asyncio.ensure_future(_send(writer, much))
        async with asyncio.timeout(30):
            assert await reader.readexactly(len(much)) == much
            assert await reader.read(-1) == b"bye"
        await sending
        writer.close()


async def test_connections_come_and_go_by_the_hundred(path: Path) -> None:
    async with Way(path).up() as way:
        answers = await asyncio.gather(*(said(way, b"%d" % number) for number in range(100)))
        assert answers == [b"%dbye" % number for number in range(100)]
        assert 1 < way.most <= relay_limits.FORWARD_PARALLEL
        await way.until(0)


async def test_so_many_at_once_and_the_next_waits_for_a_place(path: Path) -> None:
    async with Way(path).up() as way, contextlib.AsyncExitStack() as stack:
        ends = [await way.dial() for _ in range(relay_limits.FORWARD_PARALLEL + 1)]
        for _, writer in ends:
            stack.callback(writer.close)
            writer.write(b"x")
        await way.until(relay_limits.FORWARD_PARALLEL)
        *served, waiting = ends
        for reader, _ in served:
            assert await reader.readexactly(1) == b"x"
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await waiting[0].readexactly(1)
        served[0][1].close()
        async with asyncio.timeout(20):
            assert await waiting[0].readexactly(1) == b"x"
        assert way.most == relay_limits.FORWARD_PARALLEL


async def test_so_many_wait_and_those_beyond_are_closed(path: Path) -> None:
    most = relay_limits.FORWARD_PARALLEL + relay_limits.FORWARD_WAITING
    async with Way(path).up() as way, contextlib.AsyncExitStack() as stack:
        ends = [await way.dial() for _ in range(most)]
        for _, writer in ends:
            stack.callback(writer.close)
        await way.until(relay_limits.FORWARD_PARALLEL)
        reader, writer = await way.dial()
        async with asyncio.timeout(20):
            assert await reader.read(-1) == b""
        writer.close()
        for _, one in ends[:-1]:
            one.close()
        ends[-1][1].write(b"x")
        async with asyncio.timeout(20):
            assert await ends[-1][0].readexactly(1) == b"x"


async def test_a_relay_that_is_not_there_closes_the_connection(path: Path) -> None:
    async with Way(path).up(relay=False) as way:
        reader, writer = await way.dial()
        async with asyncio.timeout(20):
            assert await reader.read(-1) == b""
        writer.close()


async def test_a_full_queue_of_the_relay_is_waited_for(path: Path) -> None:
    """Outbound is restarted: the supervisor holds its listener, and connections fill the queue."""
    with socket.socket(socket.AF_UNIX) as listening, contextlib.ExitStack() as waiting:
        listening.bind(str(path))
        listening.listen(0)
        listening.setblocking(False)
        while True:  # fill it
            one = waiting.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK))
            try:
                one.connect(str(path))
            except BlockingIOError:
                break
        async with Way(path).up(relay=False) as way:
            reader, writer = await way.dial()
            writer.write(b"hello")
            loop = asyncio.get_running_loop()
            heard = b""
            async with asyncio.timeout(20):
                while heard != b"hello":
                    sock, _ = await loop.sock_accept(listening)
                    with sock:
                        sock.setblocking(False)
                        waiting.close()
                        heard = await loop.sock_recv(sock, 100)
                assert await reader.read(-1) == b""
            writer.close()


async def test_a_library_that_keeps_its_half_open_loses_its_place(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def one_word(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"no")

    monkeypatch.setattr(relay_limits, "FORWARD_LINGER", 0.05)
    monkeypatch.setattr(relay_limits, "FORWARD_PARALLEL", 1)
    async with Way(path, one_word).up() as way, contextlib.AsyncExitStack() as stack:
        for _ in range(5):
            reader, writer = await way.dial()
            stack.callback(writer.close)
            async with asyncio.timeout(20):
                assert await reader.read(-1) == b"no"  # ours stays open all the while


async def test_a_connection_that_is_torn_down_frees_its_place(path: Path) -> None:
    async with Way(path).up() as way:
        for _ in range(relay_limits.FORWARD_PARALLEL * 2):
            _, writer = await way.dial()
            writer.write(b"x")
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        assert await said(way, b"still") == b"stillbye"
        await way.until(0)


async def _send(writer: asyncio.StreamWriter, data: bytes) -> None:
    for at in range(0, len(data), 65536):
        writer.write(data[at : at + 65536])
        await writer.drain()
    writer.write_eof()
