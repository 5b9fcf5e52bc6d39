"""Time and chance as arguments, pauses that grow, and rests that a better moment cuts short."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import TypeVar

from wirken.domain.clock import Clock

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Timing:
    """What an adapter knows of time. `chance` returns a number from 0 to 1."""

    clock: Clock
    sleep: Callable[[float], Awaitable[None]]
    chance: Callable[[], float]

    async def within(self, seconds: float, work: Coroutine[object, object, T]) -> T:
        """Return what `work` returns, or cancel it after `seconds` and raise `TimeoutError`."""
        task = asyncio.ensure_future(work)
        over = asyncio.ensure_future(self.sleep(seconds))
        try:
            await asyncio.wait({task, over}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise TimeoutError
            return task.result()
        finally:
            over.cancel()
            if not task.done():
                task.cancel()
                await asyncio.wait({task})


class Pauses:
    """Pauses that double from `first` to `longest` seconds, each shortened by up to a half: many shall not meet."""

    def __init__(self, chance: Callable[[], float], first: float, longest: float) -> None:
        self._chance, self._first, self._longest = chance, first, longest
        self._pause = first

    def next(self) -> float:
        """Return the seconds to wait now."""
        pause = self._pause
        self._pause = min(pause * 2, self._longest)
        return pause * (0.5 + self._chance() / 2)

    def forget(self) -> None:
        """Begin anew: it went well for a while."""
        self._pause = self._first


@dataclass(slots=True)
class Rests:
    """Rests between two tries; `wake` ends all of them, because it is worth trying now."""

    timing: Timing
    _resting: set[asyncio.Future[None]] = field(default_factory=set)

    async def rest(self, seconds: float) -> None:
        """Return after `seconds`, or once woken."""
        early = asyncio.get_running_loop().create_future()
        over = asyncio.ensure_future(self.timing.sleep(seconds))
        self._resting.add(early)
        try:
            await asyncio.wait({early, over}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._resting.discard(early)
            over.cancel()

    def wake(self) -> None:
        """End every rest."""
        for early in self._resting:
            if not early.done():
                early.set_result(None)
