"""Runs work in lanes: one item after another within a lane, lanes side by side."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Lanes(Generic[T]):
    """Runs `handle` for one item after another within a lane, and lanes side by side."""

    def __init__(self, handle: Callable[[T], Awaitable[None]]) -> None:
        self._handle = handle
        self._waiting: dict[Hashable, deque[T]] = {}
        self._running: set[asyncio.Task[None]] = set()

    def put(self, lane: Hashable, item: T) -> None:
        if lane in self._waiting:
            self._waiting[lane].append(item)
            return
        self._waiting[lane] = deque((item,))
        self._running.add(asyncio.get_running_loop().create_task(self._run(lane)))

    async def _run(self, lane: Hashable) -> None:
        waiting = self._waiting[lane]
        try:
            while waiting:
                await self._handle(waiting.popleft())
        finally:
            del self._waiting[lane]

    async def settle(self, seconds: float) -> None:
        """Return when all lanes are empty, or after `seconds`. Raises what a `handle` raised."""
        if not self._running:
            return
        finished, self._running = await asyncio.wait(self._running, timeout=seconds)
        for task in finished:
            task.result()

    async def stop(self) -> None:
        """Cancel what runs, and return when it has ended."""
        running, self._running = self._running, set()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
