"""Carry bytes both ways between two connections until both have said their last."""

from __future__ import annotations

import asyncio
import socket

from wirken.domain import limits


async def pump(one: socket.socket, other: socket.socket, linger: float | None = None) -> None:
    """Carry bytes between two non-blocking sockets until both have closed their half, or one breaks.

    Each direction ends by itself, so that half-closed connections work; a break is an end, not an error. Once `other`
    has closed its half, `one` has `linger` seconds to do so too; None: as long as it likes. Holds limits.PUMP bytes per
    direction and waits for the slower side. The caller closes the sockets.
    """
    try:
        async with asyncio.TaskGroup() as both:
            up = both.create_task(_carry(one, other))
            down = both.create_task(_carry(other, one))
            await asyncio.wait({down})
            await asyncio.wait({up}, timeout=linger)
            up.cancel()
    except* OSError:
        pass


async def _carry(source: socket.socket, sink: socket.socket) -> None:
    """Carry bytes one way until the source has closed its half, then close the sink's. Raises `OSError`."""
    loop = asyncio.get_running_loop()
    buffer = memoryview(bytearray(limits.PUMP))
    burst = 0
    while count := await loop.sock_recv_into(source, buffer):
        await loop.sock_sendall(sink, buffer[:count])
        burst += 1
        if burst == limits.PUMP_BURST:  # sockets that are always ready would never let another task run
            burst = 0
            await asyncio.sleep(0)
    sink.shutdown(socket.SHUT_WR)
