"""A clock that can be moved forward, as a machine's is that was suspended."""

from __future__ import annotations

from wirken.domain.clock import SystemClock


class Later(SystemClock):
    """This machine's clock, `ahead` seconds in front; the monotonic one stands still meanwhile."""

    ahead = 0.0

    def now(self) -> int:
        return super().now() + int(self.ahead * 1000)
