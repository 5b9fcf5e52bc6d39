"""How fast something may come: what comes faster waits, so that whoever hurries slows down nobody else. Does no I/O."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Pace:
    """`per_second` of something on average, and `burst` of it at once."""

    per_second: float
    burst: float
    _level: float = 0.0
    """What came and has not seeped away yet."""
    _at: float = 0.0

    def took(self, amount: float, now: float) -> float:
        """Count what came at `now` (monotonic seconds); return for how many seconds nothing more may be taken."""
        self._level = max(0.0, self._level - max(0.0, now - self._at) * self.per_second) + amount
        self._at = now
        return max(0.0, self._level - self.burst) / self.per_second
