"""Which updates are confirmed: none before the gateway has it."""

from __future__ import annotations

from collections.abc import Iterable


class Window:
    """The updates that came and are not confirmed. `offset` never passes one that is not done.

    Asking with an offset confirms everything below it, and shows again what is not below it ("Getting updates"). So
    what is done above one that is not has to be remembered here. Ids rise, but start anywhere after a quiet week.
    """

    def __init__(self) -> None:
        self._open: set[int] = set()
        self._done: set[int] = set()
        self._last = 0

    @property
    def offset(self) -> int:
        return min(self._open) if self._open else self._last

    @property
    def waits(self) -> bool:
        """Is there an update that is not done?"""
        return bool(self._open)

    def new(self, came: Iterable[int]) -> set[int]:
        """Take the ids of a whole answer; return those that were not there before."""
        ids = set(came)
        fresh = ids - self._open - self._done
        self._done &= ids
        self._open |= fresh
        if ids:
            self._last = max(ids) + 1
        return fresh

    def done(self, number: int) -> None:
        self._open.discard(number)
        self._done.add(number)
