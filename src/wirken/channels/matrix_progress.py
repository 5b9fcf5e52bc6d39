"""Up to where everything that came is on record: tokens in order, each kept once nothing before it is under way."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Final, TypeVar

T = TypeVar("T")


class Progress:
    """What one sync brought is under way together; syncs go on meanwhile, `keep` hears of them in order."""

    def __init__(self, keep: Callable[[str], None]) -> None:
        self._keep: Final = keep
        self._open: deque[tuple[str, set[asyncio.Task[None]]]] = deque()

    def __len__(self) -> int:
        return sum(len(tasks) for _, tasks in self._open)

    def add(self, token: str, works: list[Coroutine[object, object, None]]) -> None:
        """Begin `works`; `token` is kept when they and all before them are done."""
        self._open.append((token, {asyncio.ensure_future(work) for work in works}))
        self._reap()

    def _reap(self) -> None:
        """Raises what a work raised."""
        for _, tasks in self._open:
            for task in [task for task in tasks if task.done()]:
                tasks.discard(task)
                task.result()
        last = ""
        while self._open and not self._open[0][1]:
            last, _ = self._open.popleft()
        if last:
            self._keep(last)

    async def settle(self, most: int, seconds: float | None) -> None:
        """Return when at most `most` works are under way, or after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                while len(self) > most:
                    await asyncio.wait(self._tasks(), return_when=asyncio.FIRST_COMPLETED)
                    self._reap()
        except TimeoutError:
            return

    async def meanwhile(self, work: Coroutine[object, object, T]) -> T:
        """Return what `work` returns. Raises at once what something under way raises."""
        task = asyncio.ensure_future(work)
        try:
            while not task.done():
                await asyncio.wait({task, *self._tasks()}, return_when=asyncio.FIRST_COMPLETED)
                self._reap()
            return task.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def stop(self) -> None:
        """Cancel what is under way, and return when it has ended."""
        tasks = self._tasks()
        self._open.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _tasks(self) -> set[asyncio.Task[None]]:
        return {task for _, tasks in self._open for task in tasks}
