"""In which order children are started and stopped, and by when."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from wirken.confine.roles import START_ORDER, STOP_STAGES, role_of
from wirken.domain import limits

DEADLINES: Final = (limits.STOP_CONVERSING, limits.STOP_WORKING, limits.STOP_TIME)
"""Seconds since the stop began after which a stage no longer holds up the next; after the last, all die."""


def start_order(role_ids: Iterable[str]) -> list[str]:
    """Return these in the order in which they are started; those of one role as they came."""
    return sorted(role_ids, key=lambda role_id: START_ORDER.index(role_of(role_id).name))


def stage_of(role_id: str) -> int:
    """Return the stage in which this child is asked to stop."""
    name = role_of(role_id).name
    return next(number for number, stage in enumerate(STOP_STAGES) if name in stage)


def stage_reached(running: Iterable[str], elapsed: float) -> int:
    """Return the stage that may be asked to stop now, given who still runs. One past the last: kill."""
    lowest = min((stage_of(role_id) for role_id in running), default=len(DEADLINES))
    overdue = sum(1 for deadline in DEADLINES if elapsed >= deadline)
    return max(lowest, overdue)


def next_deadline(elapsed: float) -> float | None:
    """Return seconds until the next stage is forced; None when none is left."""
    return next((deadline - elapsed for deadline in DEADLINES if deadline > elapsed), None)
