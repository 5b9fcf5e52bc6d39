"""How fast messages and tool calls may come: token buckets, by person and by channel."""

from __future__ import annotations

from typing import NamedTuple

from wirken.config.model import LimitsConfig
from wirken.domain import limits
from wirken.domain.clock import Clock


class Bucket(NamedTuple):
    """What was left in it `at` (monotonic seconds)."""

    level: float
    at: float


class Held(NamedTuple):
    """Someone who is too fast. `whose` is principal or channel; `first`: the first time in this window."""

    what: str
    whose: str
    name: str
    per_minute: int
    wait: float
    first: bool

    @property
    def said(self) -> str:
        """One sentence for whoever is held off."""
        by = f"on channel '{self.name}'" if self.whose == "channel" else f"of '{self.name}'"
        return f"More than {self.per_minute} {self.what} {by} in a minute; the next is taken in {self.wait:.0f} s."


class PaceUse(NamedTuple):
    """A limit, and what is `left` at once for the one who used most of it."""

    what: str
    whose: str
    per_minute: int
    left: int


def level(bucket: Bucket | None, per_minute: int, now: float) -> float:
    """Return what is in a bucket now: it holds a minute's worth, and fills evenly in a minute."""
    if bucket is None:
        return float(per_minute)
    return min(float(per_minute), bucket.level + max(0.0, now - bucket.at) * per_minute / limits.RATE_WINDOW)


def wait(found: float, per_minute: int) -> float:
    """Return the seconds until a whole one is in a bucket that holds `found`; at least one."""
    return max(1.0, (1.0 - found) * limits.RATE_WINDOW / per_minute)


class Paces:
    """The buckets of everyone. Nothing is kept across a restart: a minute later nobody could tell."""

    def __init__(self, config: LimitsConfig, clock: Clock) -> None:
        self._clock = clock
        self._limits = {
            ("messages", "principal"): config.messages_per_minute,
            ("messages", "channel"): config.channel_messages_per_minute,
            ("tool calls", "principal"): config.tool_calls_per_minute,
            ("tool calls", "channel"): config.channel_tool_calls_per_minute,
        }
        self._buckets: dict[tuple[str, str, str], Bucket] = {}
        self._noted: dict[tuple[str, str, str], float] = {}

    def message(self, principal: str, channel: str) -> Held | None:
        """Take one message of this person on this channel, or say why it must wait; then nothing is taken."""
        return self._take("messages", principal, channel)

    def tool_call(self, principal: str, channel: str) -> Held | None:
        """The same for one tool call."""
        return self._take("tool calls", principal, channel)

    def uses(self) -> tuple[PaceUse, ...]:
        """Return how far each limit is used now."""
        now = self._clock.monotonic()
        return tuple(
            PaceUse(what, whose, per_minute, int(min([float(per_minute), *self._levels(what, whose, per_minute, now)])))
            for (what, whose), per_minute in self._limits.items()
        )

    def _levels(self, what: str, whose: str, per_minute: int, now: float) -> list[float]:
        return [level(bucket, per_minute, now) for key, bucket in self._buckets.items() if key[:2] == (what, whose)]

    def _take(self, what: str, principal: str, channel: str) -> Held | None:
        now = self._clock.monotonic()
        keys = [(what, "principal", principal), (what, "channel", channel)]
        limited = [(key, per_minute) for key in keys if (per_minute := self._limits[key[:2]])]
        levels = {key: level(self._buckets.get(key), per_minute, now) for key, per_minute in limited}
        for key, per_minute in limited:
            if levels[key] < 1:
                return Held(*key, per_minute, wait(levels[key], per_minute), self._first(key, now))
        for key, found in levels.items():
            self._buckets.pop(key, None)
            self._buckets[key] = Bucket(found - 1, now)
        self._forget(now)
        return None

    def _first(self, key: tuple[str, str, str], now: float) -> bool:
        noted = self._noted.get(key)
        if noted is not None and now - noted < limits.RATE_WINDOW:
            return False
        self._noted[key] = now
        return True

    def _forget(self, now: float) -> None:
        """Drop the longest unused buckets beyond `limits.RATE_SUBJECTS`, and notes that are over."""
        while len(self._buckets) > limits.RATE_SUBJECTS:
            del self._buckets[next(iter(self._buckets))]
        for key in [key for key, noted in self._noted.items() if now - noted >= limits.RATE_WINDOW]:
            del self._noted[key]
