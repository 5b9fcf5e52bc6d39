"""Keeps the platform connected: after a pause when it is lost, at once after the machine slept, never once revoked."""

from __future__ import annotations

import asyncio
from typing import Final, Generic

from wirken.channels.contract import House, Platform, Revoked, SlowDown, Undeliverable
from wirken.channels.states import States
from wirken.channels.timing import Pauses, Rests, Timing
from wirken.domain import adapter_limits as limits
from wirken.domain.errors import Unavailable
from wirken.domain.platforms import P

_ENDED: Final = "The connection to the platform ended."
_SLEPT: Final = "The machine slept; connecting again."


class Keeper(Generic[P]):
    """Runs one platform."""

    def __init__(self, platform: Platform[P], timing: Timing, states: States, rests: Rests) -> None:
        self._platform, self._timing, self._states, self._rests = platform, timing, states, rests
        self._woken = asyncio.Event()

    async def keep(self, house: House[P]) -> None:
        """Be connected until the token is refused; then wait to be ended."""
        pauses = Pauses(self._timing.chance, limits.RECONNECT_FIRST, limits.RECONNECT_LONGEST)
        while not self._states.revoked:
            self._woken.clear()
            began = self._timing.clock.monotonic()
            try:
                await self._run(house)
            except SlowDown as slow:
                self._states.away(str(slow))
                await self._timing.sleep(min(max(slow.seconds, 0.0), limits.SLOW_DOWN))
                continue
            except (Unavailable, Undeliverable) as error:  # a refusal on the way to being connected passes, too
                self._states.away(str(error))
            except Revoked as error:
                self._states.revoke(str(error))
                break
            if self._woken.is_set():
                pauses.forget()
                continue
            if self._timing.clock.monotonic() - began >= limits.RECONNECT_FORGET:
                pauses.forget()
            await self._rests.rest(pauses.next())
        await asyncio.Event().wait()

    async def watch(self) -> None:
        """Notice that the machine slept: the wall clock went on, the steady one stood still (clock_gettime(2))."""
        clock = self._timing.clock
        wall, steady = clock.now(), clock.monotonic()
        while True:
            await self._timing.sleep(limits.WATCH)
            ahead = (clock.now() - wall) / 1000 - (clock.monotonic() - steady)
            wall, steady = clock.now(), clock.monotonic()
            if ahead >= limits.SUSPENDED:
                self._woken.set()
                self._rests.wake()

    async def _run(self, house: House[P]) -> None:
        """Run the platform until it ends, or until the machine has slept. Raises what the platform raises."""
        running = asyncio.ensure_future(self._platform.run(house))
        woken = asyncio.ensure_future(self._woken.wait())
        try:
            await asyncio.wait({running, woken}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            woken.cancel()
            running.cancel()
            await asyncio.wait({running})
        if running.cancelled():
            self._states.away(_SLEPT)
        else:
            running.result()
            self._states.away(_ENDED)
