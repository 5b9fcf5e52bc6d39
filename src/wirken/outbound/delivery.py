"""The last step before an event leaves this process: scrub it, pass it on, remember that it left."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias, assert_never

from wirken.domain.conversation import CallProposed, Completed, ModelEvent, TextDelta
from wirken.outbound.scrub import Scrubber, StreamScrubber

Emit: TypeAlias = Callable[[ModelEvent], Awaitable[None] | None]


class Delivery:
    """Passes the events of one attempt on, without the secrets that are held. `begun` once anything left."""

    def __init__(self, emit: Emit, scrubber: Scrubber) -> None:
        self._emit = emit
        self._scrubber = scrubber
        self._text = StreamScrubber(scrubber)
        self.begun = False

    async def put(self, event: ModelEvent) -> None:
        """Pass one event on; text that may be the beginning of a secret waits for its continuation."""
        clean = self._scrubber.clean
        match event:
            case TextDelta(text):
                await self._say(self._text.feed(text))
            case CallProposed(call, name, arguments):
                await self._say(self._text.finish())
                await self._pass(CallProposed(clean(call), clean(name), clean(arguments)))
            case Completed(reason, asked, answered, cached):
                await self._say(self._text.finish())
                await self._pass(Completed(clean(reason), asked, answered, cached))
            case _:
                assert_never(event)

    async def finish(self) -> None:
        """The attempt failed: what was said before still counts, once something has left."""
        rest = self._text.finish()
        if self.begun:
            await self._say(rest)

    async def _say(self, text: str) -> None:
        if text:
            await self._pass(TextDelta(text))

    async def _pass(self, event: ModelEvent) -> None:
        self.begun = True
        waiting = self._emit(event)
        if waiting is not None:
            await waiting
