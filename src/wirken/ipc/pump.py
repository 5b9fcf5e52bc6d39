"""Carry bytes both ways between two connections until both have said their last."""

from __future__ import annotations

import asyncio
import contextlib
from typing import NamedTuple

from wirken.domain import limits


class Ends(NamedTuple):
    """One connection's two directions."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def close(self) -> None:
        """Close once everything is sent. A broken connection is closed already."""
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()

    def drop(self) -> None:
        """Close at once; what was not sent yet is lost."""
        self.writer.transport.abort()


async def pump(one: Ends, other: Ends) -> None:
    """Carry bytes between two connections. Each direction ends by itself, so that half-closed connections work.

    Holds a few times limits.PUMP bytes per direction at most (the readers' own limit is the caller's choice) and waits
    for the slower side. Both connections are closed at the end; where one breaks, both are dropped, and that is an end,
    not an error.
    """
    try:
        async with asyncio.TaskGroup() as both:
            both.create_task(_carry(one.reader, other.writer))
            both.create_task(_carry(other.reader, one.writer))
        await one.close()
        await other.close()
    except* OSError:
        pass
    finally:
        one.drop()
        other.drop()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(limits.PUMP):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
