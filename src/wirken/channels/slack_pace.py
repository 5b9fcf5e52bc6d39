"""How often messages may be edited over all conversations: a few at once, then at a steady pace."""

from __future__ import annotations

from wirken.domain.clock import Clock


class Pace:
    """`most` in a row, one more every `gap` seconds."""

    def __init__(self, clock: Clock, most: int, gap: float) -> None:
        self._clock, self._most, self._gap = clock, most, gap
        self._full = clock.monotonic()
        """When as many are possible in a row as can be; each one taken puts that off."""

    def take(self) -> float:
        """Return 0 and count one more, or the seconds until it is possible."""
        now = self._clock.monotonic()
        left = self._full - (self._most - 1) * self._gap - now
        if left > 0:
            return left
        self._full = max(self._full, now) + self._gap
        return 0.0
