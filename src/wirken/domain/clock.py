"""Time as an argument: only a process's `__main__` asks the machine."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """What code needs to know about time."""

    def now(self) -> int:
        """Milliseconds since 1970-01-01T00:00:00Z."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards, from an arbitrary start."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()
