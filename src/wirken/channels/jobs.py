"""Work beside the main way: held on to, bounded, ended together; what was not foreseen is said in the log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Final, TypeVar

from wirken.domain.errors import WirkenError

T = TypeVar("T")
_log: Final = logging.getLogger("wirken.channels")


class Jobs:
    """Tasks that nobody waits for, `most` at once."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, work: Coroutine[object, object, None]) -> asyncio.Task[None] | None:
        """Start `work`; None where too much is under way, and then it is never begun."""
        if len(self._tasks) >= self._most:
            work.close()
            return None
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    async def end(self) -> None:
        """Cancel all and return once they have ended."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(set(self._tasks))

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        unforeseen(task)


def unforeseen(task: asyncio.Future[T]) -> None:
    """Say in the log what ended a task that nobody may be waiting for."""
    if task.cancelled():
        return
    error = task.exception()
    if isinstance(error, WirkenError):
        _log.warning("given up: %s", error)
    elif error is not None:
        _log.error("something failed in a way that was not foreseen", exc_info=error)
