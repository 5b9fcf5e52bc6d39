"""How long to wait before asking again, and when to stop."""

from __future__ import annotations

from collections.abc import Callable

from wirken.domain import limits
from wirken.outbound.failures import ModelFailure


class Retries:
    """The pauses of one question: growing, jittered, at most `total` seconds in all, `tries` attempts.

    `jitter` returns a number from 0 to 1, so that many askers do not come back at the same moment.
    """

    def __init__(
        self,
        jitter: Callable[[], float],
        *,
        tries: int = limits.PROVIDER_TRIES,
        first: float = limits.MODEL_RETRY_FIRST,
        total: float = limits.MODEL_RETRY_WAIT,
    ) -> None:
        self._jitter = jitter
        self._left = tries - 1
        self._pause = first
        self._budget = total

    def pause(self, failure: ModelFailure) -> float | None:
        """Return the seconds to wait before the next attempt; `None` means: report the failure."""
        if not failure.again or self._left <= 0:
            return None
        wait = failure.after if failure.after is not None else self._pause * (0.5 + self._jitter() / 2)
        if wait > self._budget:
            return None
        self._left -= 1
        self._pause *= 2
        self._budget -= wait
        return wait
