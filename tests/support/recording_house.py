"""A `House` that keeps what a platform's file hands over, and answers as a test tells it to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Generic

from wirken.channels.contract import Platform, Press, Received
from wirken.domain.platforms import P

WAIT = 30.0
"""Seconds after which a test gives up; nothing here takes one."""


class RecordingHouse(Generic[P]):
    """Everything that came, in order; `until` waits for something to be true of it."""

    def __init__(self) -> None:
        self.received: list[Received[P]] = []
        self.handled: list[Received[P]] = []
        """Those of `received` that were let through."""
        self.presses: list[Press[P]] = []
        self.connections: list[str] = []
        self.gone: list[str] = []
        self.told = "It counts."
        self.admitted: set[str] = set()
        self.asked: list[str] = []
        """Whether they are admitted."""
        self.gate: Callable[[Received[P]], asyncio.Future[None] | None] = lambda _: None
        """What a message has to wait for, if for anything."""
        self.trouble: list[Exception] = []
        """Raised by the next calls, one each."""
        self._changed = asyncio.Event()

    async def message(self, received: Received[P]) -> None:
        self.received.append(received)
        self._changed.set()
        if self.trouble:
            raise self.trouble.pop(0)
        if (gate := self.gate(received)) is not None:
            await gate
        self.handled.append(received)
        self._changed.set()

    async def pressed(self, press: Press[P]) -> str:
        self.presses.append(press)
        self._changed.set()
        if self.trouble:
            raise self.trouble.pop(0)
        return self.told

    async def admits(self, sender: str) -> bool:
        self.asked.append(sender)
        self._changed.set()
        if self.trouble:
            raise self.trouble.pop(0)
        return sender in self.admitted

    def connected(self, who: str) -> None:
        self.connections.append(who)
        self._changed.set()

    def away(self, why: str) -> None:
        self.gone.append(why)
        self._changed.set()

    async def until(self, true: Callable[[], object]) -> None:
        """Return once `true` is, which only something that is handed over can make it."""
        async with asyncio.timeout(WAIT):
            while not true():
                self._changed.clear()
                await self._changed.wait()

    async def texts(self, count: int) -> list[str]:
        """Return the texts of what was let through, once there are `count`."""
        await self.until(lambda: len(self.handled) >= count)
        return [received.text for received in self.handled]


@asynccontextmanager
async def running(platform: Platform[P], house: RecordingHouse[P]) -> AsyncIterator[asyncio.Task[None]]:
    """Run a platform that is connected when the block begins, and end it with the block."""
    task = asyncio.ensure_future(platform.run(house))
    task.add_done_callback(lambda _: house._changed.set())
    try:
        await house.until(lambda: house.connections or task.done())
        if task.done():
            task.result()
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
