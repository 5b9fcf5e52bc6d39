from __future__ import annotations

import asyncio
import hashlib
import os
import socket

import pytest

from wirken.domain import limits
from wirken.ipc.pump import Ends, pump


async def ends() -> tuple[Ends, Ends]:
    """Return our side and the far side of one connection."""
    near, far = socket.socketpair()
    return (
        Ends(*await asyncio.open_unix_connection(sock=near, limit=limits.PUMP)),
        Ends(*await asyncio.open_unix_connection(sock=far, limit=2**26)),
    )


async def test_both_directions_pass_and_each_ends_by_itself() -> None:
    one, client = await ends()
    other, server = await ends()
    pumping = asyncio.create_task(pump(one, other))
    request, answer = os.urandom(2**20), os.urandom(2**20)
    client.writer.write(request)
    client.writer.write_eof()
    assert await server.reader.read() == request
    server.writer.write(answer)
    await server.close()
    assert hashlib.sha256(await client.reader.read()).digest() == hashlib.sha256(answer).digest()
    await asyncio.wait_for(pumping, 5)
    await client.close()


async def test_a_broken_connection_ends_both_and_is_no_error() -> None:
    one, client = await ends()
    other, server = await ends()
    pumping = asyncio.create_task(pump(one, other))
    client.writer.write(b"x")
    await server.reader.read(1)
    client.drop()
    server.writer.write(b"y" * 2**24)
    await asyncio.wait_for(pumping, 5)
    await server.close()


async def test_a_receiver_that_does_not_read_holds_the_sender_back() -> None:
    one, client = await ends()
    other, server = await ends()
    server.reader._limit = 0  # type: ignore[attr-defined]  # a peer that stops reading at once
    pumping = asyncio.create_task(pump(one, other))
    sent = 0
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            while sent < 2**26:
                client.writer.write(b"z" * 2**16)
                await client.writer.drain()
                sent += 2**16
    assert sent < 2**23
    pumping.cancel()
    await asyncio.wait({pumping})
    assert one.writer.is_closing()
    assert other.writer.is_closing()
    client.drop()
    server.drop()
