"""Pass bytes between two sockets, both ways, with one bounded buffer each and an eye on the clock."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from dataclasses import dataclass

from wirken.domain import relay_limits
from wirken.domain.egress import Ending


@dataclass(slots=True)
class Counted:
    """Bytes that passed, and when the last of them did (the loop's clock)."""

    up: int = 0
    down: int = 0
    last: float = 0.0


async def splice(
    client: socket.socket,
    server: socket.socket,
    counted: Counted,
    *,
    upwards: bool = True,
    idle: float = relay_limits.RELAY_IDLE,
    longest: float = relay_limits.RELAY_LONGEST,
) -> Ending:
    """Pass bytes on until both ends have closed, nothing moves for `idle` seconds, or `longest` are over.

    An end that closes its half has that passed on, and the other half goes on. `upwards`: the client may send more;
    without, what it still sends is not read.
    """
    loop = asyncio.get_running_loop()
    counted.last = loop.time()
    tasks = [loop.create_task(_pump(server, client, counted, up=False))]
    if upwards:
        tasks.append(loop.create_task(_pump(client, server, counted, up=True)))
    end = counted.last + longest
    try:
        while True:
            until = min(end, counted.last + idle)
            done, waiting = await asyncio.wait(
                tasks, timeout=max(0.0, until - loop.time()), return_when=asyncio.FIRST_EXCEPTION
            )
            if not waiting or any(task.exception() for task in done):
                return "broken" if any(task.exception() for task in done) else "closed"
            if loop.time() >= end:
                return "time"
            if loop.time() >= counted.last + idle:
                return "idle"
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pump(source: socket.socket, sink: socket.socket, counted: Counted, *, up: bool) -> None:
    """Pass bytes one way until the source closes its half, then close the sink's."""
    loop = asyncio.get_running_loop()
    buffer = bytearray(relay_limits.RELAY_BUFFER)
    view = memoryview(buffer)
    burst = 0
    while count := await loop.sock_recv_into(source, buffer):
        await loop.sock_sendall(sink, view[:count])
        if up:
            counted.up += count
        else:
            counted.down += count
        counted.last = loop.time()
        burst += 1
        if burst == relay_limits.RELAY_BURST:  # sockets that are always ready would never let go
            burst = 0
            await asyncio.sleep(0)
    with contextlib.suppress(OSError):  # it may be gone already
        sink.shutdown(socket.SHUT_WR)
