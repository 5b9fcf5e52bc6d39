"""What the dates of a credential mean today. Pure; all times in ms since the epoch."""

from __future__ import annotations

import datetime
import re
from typing import Final, Literal, TypeAlias

from wirken.domain import limits
from wirken.domain.errors import UsageError
from wirken.ipc.calls.vault import CredentialRow

State: TypeAlias = Literal["ok", "rotation soon", "rotation due", "expires soon", "expired"]

_DAYS: Final = re.compile(r"([1-9][0-9]{0,4})d")
_DAY: Final = 86_400_000  # ms


class BadExpiry(UsageError):
    """An expiry that is no date and no number of days, or not one in the future."""

    hint = "Write a number of days, such as 90d, or the last day on which it is good, such as 2027-01-31."


def state(row: CredentialRow, now: int) -> State:
    """Return the most urgent thing to know about a credential."""
    warning = limits.ROTATION_WARNING * 1000
    if row.expires and now >= row.expires:
        return "expired"
    if now >= row.rotation_due:
        return "rotation due"
    if row.expires and now >= row.expires - warning:
        return "expires soon"
    return "rotation soon" if now >= row.rotation_due - warning else "ok"


def expiry(text: str, now: int) -> int:
    """Return the end of `90d` from now, or of the local day `2027-01-31`. Raises `BadExpiry`."""
    days = _DAYS.fullmatch(text)
    ends = now + int(days[1]) * _DAY if days else _end_of_day(text)
    if not now < ends <= now + limits.EXPIRY_LONGEST * 1000:
        raise BadExpiry(f"An expiry lies in the future, at most {limits.EXPIRY_LONGEST // 86_400} days away.")
    return ends


def _end_of_day(text: str) -> int:
    try:
        day = datetime.date.fromisoformat(text)
        midnight = datetime.datetime.combine(day + datetime.timedelta(days=1), datetime.time())
        return int(midnight.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise BadExpiry("This is no expiry.") from None
