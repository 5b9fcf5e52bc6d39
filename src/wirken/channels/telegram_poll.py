"""Which updates are confirmed: none before the gateway has it, in order within a chat, chats side by side."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")


class Window:
    """The updates that came and are not confirmed. `offset` never passes one that is not done.

    Asking with an offset confirms everything below it, and shows again what is not below it ("Getting updates"). So
    what is done above one that is not has to be remembered here. Ids rise, but start anywhere after a quiet week.
    """

    def __init__(self) -> None:
        self._open: set[int] = set()
        self._done: set[int] = set()
        self._last = 0

    @property
    def offset(self) -> int:
        return min(self._open) if self._open else self._last

    @property
    def waits(self) -> bool:
        """Is there an update that is not done?"""
        return bool(self._open)

    def new(self, came: Iterable[int]) -> set[int]:
        """Take the ids of a whole answer; return those that were not there before."""
        ids = set(came)
        fresh = ids - self._open - self._done
        self._done &= ids
        self._open |= fresh
        if ids:
            self._last = max(ids) + 1
        return fresh

    def done(self, number: int) -> None:
        self._open.discard(number)
        self._done.add(number)


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
