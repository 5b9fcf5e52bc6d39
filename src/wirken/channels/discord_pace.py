"""Rate limits of Discord's REST interface, as its headers tell them ("Rate Limits"). Computes and touches nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from wirken.channels.contract import SlowDown
from wirken.channels.recent import Recent
from wirken.domain import channel_limits as limits

_PAUSE: Final = "Discord's limit for this is used up for now."


class Route(NamedTuple):
    """A call. `template` is its path without ids, `major` the id by which Discord counts besides the bucket."""

    method: str
    path: str
    template: str
    major: str = ""

    @property
    def name(self) -> str:
        return f"{self.method} {self.template}"


class Paces:
    """Which calls must wait, and how long. Times are seconds of a steady clock."""

    def __init__(self) -> None:
        self._buckets = Recent[str, str](limits.DISCORD_KNOWN)
        self._free = Recent[tuple[str, str], float](limits.DISCORD_KNOWN)
        self._all_free = 0.0

    def check(self, route: Route, now: float) -> None:
        """Raise `SlowDown` where a call would be refused for being one too many."""
        if now < self._all_free:
            raise SlowDown(_PAUSE, self._all_free - now, everywhere=True)
        free = self._free.get(self._key(route), 0.0)
        if now < free:
            raise SlowDown(_PAUSE, free - now)

    def answered(self, route: Route, headers: Mapping[str, str], now: float) -> None:
        """Take what the headers of an answer say."""
        if (bucket := headers.get("X-RateLimit-Bucket", "")) and len(bucket) <= limits.DISCORD_NAME:
            self._buckets.put(route.name, bucket)
        if headers.get("X-RateLimit-Remaining") == "0":
            self._free.put(self._key(route), now + _seconds(headers.get("X-RateLimit-Reset-After", "")))

    def slowed(self, route: Route, slow: SlowDown, now: float) -> None:
        """Take a refusal for being one too many."""
        if slow.everywhere:
            self._all_free = now + slow.seconds
        else:
            self._free.put(self._key(route), now + slow.seconds)

    def _key(self, route: Route) -> tuple[str, str]:
        return self._buckets.get(route.name, route.name), route.major


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        return 0.0
    return min(seconds, limits.DISCORD_LONGEST_PAUSE) if seconds > 0 else 0.0
