"""An event loop whose clock stands still until a test moves it, while sockets are as fast as they are.

So a limit of hours is met to the millisecond, on a machine of any speed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")

_TURNS: Final = 20
"""Turns of the loop after which whatever a timer woke has run, as far as it needs no socket."""
_LOOKS: Final = 10_000


class FrozenLoop(asyncio.SelectorEventLoop):
    """Time passes by `skip` alone."""

    def __init__(self) -> None:
        self._now = 1000.0
        super().__init__()

    def time(self) -> float:
        return self._now

    async def skip(self, seconds: float) -> None:
        """Let this time pass at once; return when what it ended has had its turns."""
        self._now += seconds
        for _ in range(_TURNS):
            await asyncio.sleep(0)

    async def until(self, condition: Callable[[], object]) -> None:
        """Return once something holds that needs sockets or threads, and no time of this clock."""
        for _ in range(_LOOKS):
            if condition():
                return
            await asyncio.sleep(0)
            time.sleep(0.001)  # others of this machine, which are to answer, need the processor
        raise AssertionError("it never came to that")

    async def soon(self, awaited: Awaitable[T]) -> T:
        """Return what needs sockets or threads, and no time of this clock; never wait for ever."""
        task = asyncio.ensure_future(awaited)
        try:
            await self.until(task.done)
        finally:
            task.cancel()
        return task.result()

    async def over(self, awaited: Awaitable[object], limit: float) -> None:
        """Return if `awaited` ends when `limit` is over, and not a millisecond before."""
        task = asyncio.ensure_future(awaited)
        await self.skip(0.0)
        await self.skip(limit - 0.001)
        assert not task.done(), "it ended too early"
        await self.skip(0.001)
        await self.soon(task)


def frozen(test: Callable[[FrozenLoop], Coroutine[Any, Any, None]]) -> None:
    """Run a test in such a loop."""
    with asyncio.Runner(loop_factory=FrozenLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, FrozenLoop)
        runner.run(test(loop))
