"""Which message's turn runs in each conversation, and the sign that an answer to it is being written."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Generic

from wirken.channels.attempts import Attempts
from wirken.channels.contract import Platform, Undeliverable
from wirken.channels.jobs import Jobs
from wirken.domain import adapter_limits as limits
from wirken.domain.limits import TURN_QUEUE
from wirken.domain.platforms import P, SessionHandle


@dataclass(slots=True)
class _Turns:
    """The messages of one conversation that wait for the end of their turns, in order; when a sign of life came."""

    last: float
    waiting: deque[str] = field(default_factory=lambda: deque(maxlen=TURN_QUEUE + 1))
    typing: asyncio.Task[None] | None = None


class UnderWay(Generic[P]):
    """Turns from `Accepted` to `Over`. After `limits.TYPING_SILENT` seconds without any sign nobody types any more."""

    def __init__(self, platform: Platform[P], attempts: Attempts) -> None:
        self._platform, self._attempts = platform, attempts
        self._turns: OrderedDict[str, _Turns] = OrderedDict()
        self._jobs = Jobs(limits.UNDERWAY)

    def accepted(self, handle: SessionHandle[P], platform_id: str) -> None:
        """A message's turn is coming."""
        turns = self._turns.get(handle.conversation)
        if turns is None:
            turns = self._turns[handle.conversation] = _Turns(0.0)
            if len(self._turns) > limits.UNDERWAY:
                self._forget(next(iter(self._turns)))
        if platform_id not in turns.waiting:
            turns.waiting.append(platform_id)
        turns.last = self._now()
        if self._platform.traits.typing_every > 0 and (turns.typing is None or turns.typing.done()):
            turns.typing = self._jobs.start(self._type(handle, turns))

    def current(self, conversation: str) -> str:
        """Return the message whose turn runs, empty where none is known of."""
        turns = self._turns.get(conversation)
        return turns.waiting[0] if turns is not None and turns.waiting else ""

    def alive(self, conversation: str) -> None:
        """Something was heard of a turn."""
        if (turns := self._turns.get(conversation)) is not None:
            turns.last = self._now()

    def over(self, conversation: str, platform_id: str) -> None:
        """A message's turn has ended, or its answer is there."""
        turns = self._turns.get(conversation)
        if turns is None:
            return
        if platform_id in turns.waiting:
            turns.waiting.remove(platform_id)
        if not turns.waiting:
            self._forget(conversation)

    async def end(self) -> None:
        await self._jobs.end()

    def _forget(self, conversation: str) -> None:
        turns = self._turns.pop(conversation)
        if turns.typing is not None:
            turns.typing.cancel()

    def _now(self) -> float:
        return self._attempts.timing.clock.monotonic()

    async def _type(self, handle: SessionHandle[P], turns: _Turns) -> None:
        every = self._platform.traits.typing_every
        while self._now() - turns.last < limits.TYPING_SILENT:
            try:
                await self._attempts.once(handle.conversation, lambda: self._platform.typing(handle), every)
            except Undeliverable:
                return
            await self._attempts.timing.sleep(every)
