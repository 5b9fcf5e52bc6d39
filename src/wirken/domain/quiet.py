"""Quiet hours: a part of every day in which nobody is to be disturbed. Pure; the time is an argument."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Final

from wirken.domain.errors import UsageError

_FORM: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])")


class BadHours(UsageError):
    """A text that names no part of a day."""

    hint = "Write it like 22:00-07:00."


@dataclass(frozen=True, slots=True)
class Quiet:
    """From `start`, inclusive, to `end`, exclusive, by the clocks of `zone`; past midnight where `end` is earlier.

    A time that the clocks show twice in a day counts the first time. One that they skip counts as if they had not
    been put forward yet (PEP 495, fold 0), so that no quiet hours are cut short by that.
    """

    start: time
    end: time
    zone: tzinfo

    def until(self, now: int) -> int:
        """Return when the quiet hours end in which `now` lies; 0 outside of them. Both in ms since the epoch."""
        today = datetime.fromtimestamp(now // 1000, self.zone).date()
        days = (today - timedelta(days=1), today)
        return max((end for begin, end in map(self._of, days) if begin <= now < end), default=0)

    def _of(self, day: date) -> tuple[int, int]:
        """Return when the quiet hours that begin on `day` begin and end."""
        last = day if self.start < self.end else day + timedelta(days=1)
        return self._at(day, self.start), self._at(last, self.end)

    def _at(self, day: date, clock: time) -> int:
        return int(datetime.combine(day, clock, self.zone).timestamp()) * 1000


def hours(text: str) -> tuple[time, time]:
    """Return start and end of `22:00-07:00`. Raises `BadHours`, also where both are the same."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise BadHours("These are no quiet hours.")
    start, end = time(int(found[1]), int(found[2])), time(int(found[3]), int(found[4]))
    if start == end:
        raise BadHours("Quiet hours that end when they begin are none, or all day.")
    return start, end
