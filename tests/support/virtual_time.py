"""Time that a test moves by hand, and time that runs faster than the machine's."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable

from wirken.channels.timing import Timing

START = 1_800_000_000_000
"""ms since the epoch."""
_ROUNDS = 30
"""Rounds of the event loop in which whatever can happen without time passing has happened, small frames included."""


class VirtualTime:
    """A clock and a sleep that stand still until `passes`. `chance` is what the test says."""

    def __init__(self, chance: float = 1.0) -> None:
        self.chance = chance
        self._steady = 0.0
        self._ahead = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    def timing(self) -> Timing:
        return Timing(self, self.sleep, lambda: self.chance)

    def now(self) -> int:
        return START + round((self._steady + self._ahead) * 1000)

    def monotonic(self) -> float:
        return self._steady

    async def sleep(self, seconds: float) -> None:
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._steady + max(seconds, 0.0), next(self._numbers), over))
        await over

    async def passes(self, seconds: float = 0.0) -> None:
        """Let time pass; whoever sleeps until then wakes in order, each with all that follows from it."""
        end = self._steady + seconds
        await settled()
        while self._sleepers and self._sleepers[0][0] <= end:
            at, _, over = heapq.heappop(self._sleepers)
            self._steady = max(self._steady, at)
            if not over.done():
                over.set_result(None)
                await settled()
        self._steady = end

    def machine_sleeps(self, seconds: float) -> None:
        """The wall clock goes on and nothing else does."""
        self._ahead += seconds


class FastTime:
    """The machine's time, `factor` times as fast, but for the wall clock."""

    def __init__(self, factor: float = 60.0) -> None:
        self._factor = factor

    def timing(self) -> Timing:
        return Timing(self, self.sleep, lambda: 0.5)

    def now(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic() * self._factor

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self._factor)


async def settled() -> None:
    """Let everything happen that needs no time."""
    for _ in range(_ROUNDS):
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Return once `condition` holds, in the machine's time; fails after `seconds`."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)
