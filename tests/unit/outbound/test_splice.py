from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest

from wirken.outbound.splice import Counted, splice

Pairs = tuple[socket.socket, socket.socket, socket.socket, socket.socket]


@pytest.fixture
def pairs() -> Iterator[Pairs]:
    """A client and the relay's end of it, the relay's end of a server and that server."""
    ends = (*socket.socketpair(), *socket.socketpair())
    for end in ends:
        end.setblocking(False)
    yield ends
    for end in ends:
        end.close()


async def test_a_half_that_closes_is_passed_on_and_the_other_half_goes_on(pairs: Pairs) -> None:
    client, ours, theirs, server = pairs
    loop, counted = asyncio.get_running_loop(), Counted()
    passing = asyncio.ensure_future(splice(ours, theirs, counted))
    await loop.sock_sendall(client, b"question")
    client.shutdown(socket.SHUT_WR)
    assert await loop.sock_recv(server, 100) == b"question"
    assert await loop.sock_recv(server, 100) == b""
    await loop.sock_sendall(server, b"a long answer")
    assert await loop.sock_recv(client, 100) == b"a long answer"
    assert not passing.done()
    server.close()
    assert await passing == "closed"
    assert (counted.up, counted.down) == (8, 13)


async def test_silence_ends_it_and_a_byte_keeps_it(pairs: Pairs) -> None:
    client, ours, theirs, _ = pairs
    loop = asyncio.get_running_loop()
    started = loop.time()
    passing = asyncio.ensure_future(splice(ours, theirs, Counted(), idle=0.3))
    await asyncio.sleep(0.2)
    await loop.sock_sendall(client, b"x")
    assert await passing == "idle"
    assert 0.45 < loop.time() - started < 2


async def test_the_longest_time_ends_it_however_much_passes(pairs: Pairs) -> None:
    client, ours, theirs, _ = pairs
    loop = asyncio.get_running_loop()

    async def talk() -> None:
        while True:
            await loop.sock_sendall(client, b"x")
            await asyncio.sleep(0.01)

    talking = asyncio.ensure_future(talk())
    assert await splice(ours, theirs, Counted(), idle=5, longest=0.2) == "time"
    talking.cancel()


async def test_an_end_that_breaks_ends_both(pairs: Pairs) -> None:
    client, ours, theirs, server = pairs
    loop = asyncio.get_running_loop()
    passing = asyncio.ensure_future(splice(ours, theirs, Counted()))
    server.close()
    await loop.sock_sendall(client, b"nobody hears this")
    assert await passing == "broken"


async def test_a_reader_that_does_not_read_holds_the_writer_back(pairs: Pairs) -> None:
    client, ours, theirs, _ = pairs
    loop, counted = asyncio.get_running_loop(), Counted()
    passing = asyncio.ensure_future(splice(ours, theirs, counted))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await loop.sock_sendall(client, bytes(64 * 2**20))
    assert counted.up < 4 * 2**20
    passing.cancel()
    await asyncio.wait({passing})


async def test_what_comes_after_a_request_is_not_read(pairs: Pairs) -> None:
    client, ours, theirs, server = pairs
    loop = asyncio.get_running_loop()
    passing = asyncio.ensure_future(splice(ours, theirs, Counted(), upwards=False))
    await loop.sock_sendall(client, b"smuggled")
    await loop.sock_sendall(server, b"answer")
    assert await loop.sock_recv(client, 100) == b"answer"
    server.close()
    assert await passing == "closed"
    assert ours.recv(100) == b"smuggled"
