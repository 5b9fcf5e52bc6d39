"""How long a dead child waits for its restart."""

from __future__ import annotations

from wirken.domain import limits


def next_delay(previous: float, up: float) -> float:
    """Return the seconds to wait: twice the previous wait, from RESTART_FIRST to RESTART_LONGEST.

    `previous` is 0.0 before the first death; `up` is how long the child lived. After RESTART_FORGET seconds
    of life earlier deaths no longer count.
    """
    if previous == 0.0 or up >= limits.RESTART_FORGET:
        return limits.RESTART_FIRST
    return min(previous * 2, limits.RESTART_LONGEST)
