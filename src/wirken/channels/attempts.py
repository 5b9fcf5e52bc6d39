"""Do something on the platform until it is done: pauses obeyed, outages outlasted, a revoked token waited out."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import TypeVar

from wirken.channels.contract import PlatformAway, Revoked, SlowDown
from wirken.channels.states import States
from wirken.channels.timing import Pauses, Rests, Timing
from wirken.domain import adapter_limits as limits

T = TypeVar("T")
_EVERYWHERE = ""


@dataclass(slots=True)
class Pace:
    """Until when a conversation, or all of them, must be left in peace because the platform said so."""

    timing: Timing
    _until: dict[str, float] = field(default_factory=dict)

    def slow(self, conversation: str, asked: SlowDown) -> None:
        """Obey a pause, `limits.SLOW_DOWN` at most; what is no number of seconds is none."""
        seconds = min(asked.seconds, limits.SLOW_DOWN) if asked.seconds > 0 else 0.0
        where = _EVERYWHERE if asked.everywhere else conversation
        until = self.timing.clock.monotonic() + seconds
        self._until[where] = max(until, self._until.get(where, until))
        if len(self._until) > limits.SLOWED:
            del self._until[min(self._until, key=self._until.__getitem__)]

    def left(self, conversation: str) -> float:
        """Return the seconds to wait before something may go to a conversation."""
        now = self.timing.clock.monotonic()
        left = 0.0
        for where in (_EVERYWHERE, conversation):
            until = self._until.get(where)
            if until is not None and until <= now:
                del self._until[where]
            elif until is not None:
                left = max(left, until - now)
        return left

    async def ready(self, conversation: str) -> None:
        """Return once something may go to a conversation."""
        while (left := self.left(conversation)) > 0:
            await self.timing.sleep(left)


@dataclass(frozen=True, slots=True)
class Attempts:
    """How everything that must arrive is sent, and how what may be left out is tried."""

    timing: Timing
    states: States
    pace: Pace
    rests: Rests

    async def until_done(
        self, conversation: str, act: Callable[[], Coroutine[object, object, T]], seconds: float = limits.SEND_TIME
    ) -> T:
        """Return what `act` returns, however often it has to be tried. Raises what trying again cannot mend."""
        pauses = Pauses(self.timing.chance, limits.SEND_FIRST, limits.SEND_LONGEST)
        while True:
            await self.states.usable.wait()
            await self.pace.ready(conversation)
            try:
                return await self.timing.within(seconds, act())
            except SlowDown as slow:
                self.pace.slow(conversation, slow)
            except (PlatformAway, TimeoutError):
                await self.rests.rest(pauses.next())
            except Revoked as error:
                self.states.revoke(str(error))

    async def once(
        self, conversation: str, act: Callable[[], Coroutine[object, object, T]], seconds: float
    ) -> T | None:
        """Return what `act` returns, or None where it cannot be had just now. Raises `Undeliverable`."""
        if self.pace.left(conversation) > 0 or not self.states.usable.is_set():
            return None
        try:
            return await self.timing.within(seconds, act())
        except SlowDown as slow:
            self.pace.slow(conversation, slow)
        except (PlatformAway, TimeoutError):
            pass
        except Revoked as error:
            self.states.revoke(str(error))
        return None
