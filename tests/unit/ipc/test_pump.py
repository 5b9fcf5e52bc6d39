from __future__ import annotations

import asyncio
import os
import socket

import pytest

from wirken.ipc.pump import pump


def pair() -> tuple[socket.socket, socket.socket]:
    """Return our side and the far side of one connection."""
    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)
    return near, far


async def received(sock: socket.socket) -> bytes:
    loop = asyncio.get_running_loop()
    pieces = []
    while piece := await loop.sock_recv(sock, 2**16):
        pieces.append(piece)
    return b"".join(pieces)


async def test_both_directions_pass_and_each_ends_by_itself() -> None:
    loop = asyncio.get_running_loop()
    (one, client), (other, server) = pair(), pair()
    with one, client, other, server:
        pumping = asyncio.create_task(pump(one, other))
        request, answer = os.urandom(2**21), os.urandom(2**21)

        async def ask() -> None:
            await loop.sock_sendall(client, request)
            client.shutdown(socket.SHUT_WR)

        asking = asyncio.create_task(ask())
        assert await received(server) == request
        await asking
        reading = asyncio.create_task(received(client))
        await loop.sock_sendall(server, answer)
        server.shutdown(socket.SHUT_WR)
        assert await reading == answer
        await asyncio.wait_for(pumping, 5)


async def test_a_broken_connection_is_an_end_and_no_error() -> None:
    loop = asyncio.get_running_loop()
    (one, client), (other, server) = pair(), pair()
    with one, other, server:
        pumping = asyncio.create_task(pump(one, other))
        await loop.sock_sendall(client, b"x")
        assert await loop.sock_recv(server, 9) == b"x"
        client.close()
        sending = asyncio.create_task(loop.sock_sendall(server, b"y" * 2**24))
        await asyncio.wait_for(pumping, 5)
        sending.cancel()


async def test_a_receiver_that_does_not_read_holds_the_sender_back_and_nobody_else() -> None:
    loop = asyncio.get_running_loop()
    (one, client), (other, server) = pair(), pair()
    with one, client, other, server:
        pumping = asyncio.create_task(pump(one, other))
        sent = 0
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                while sent < 2**26:
                    await loop.sock_sendall(client, b"z" * 2**16)
                    sent += 2**16
        assert sent < 2**23
        await loop.sock_sendall(server, b"still answers")
        assert await loop.sock_recv(client, 99) == b"still answers"
        pumping.cancel()
        await asyncio.wait({pumping})
        assert pumping.cancelled()


async def test_two_sockets_that_are_always_ready_let_others_have_their_turn() -> None:
    loop = asyncio.get_running_loop()
    (one, client), (other, server) = pair(), pair()
    turns, done = 0, asyncio.Event()

    def flood() -> None:
        block = b"f" * 2**18
        with socket.socket(fileno=os.dup(client.fileno())) as sock:
            sock.setblocking(True)
            for _ in range(800):
                sock.sendall(block)
            sock.shutdown(socket.SHUT_WR)

    def swallow() -> None:
        with socket.socket(fileno=os.dup(server.fileno())) as sock:
            sock.setblocking(True)
            while sock.recv(2**18):
                pass

    async def count() -> None:
        nonlocal turns
        while not done.is_set():
            turns += 1
            await asyncio.sleep(0.001)

    with one, client, other, server:
        pumping = asyncio.create_task(pump(one, other))
        counting = asyncio.create_task(count())
        await asyncio.gather(loop.run_in_executor(None, flood), loop.run_in_executor(None, swallow))
        done.set()
        await counting
        server.shutdown(socket.SHUT_WR)
        await asyncio.wait_for(pumping, 5)
    assert turns > 10
