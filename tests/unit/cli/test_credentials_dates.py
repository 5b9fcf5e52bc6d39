from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirken.cli.aging import BadExpiry, expiry, state
from wirken.domain import limits
from wirken.ipc.calls.vault import CredentialRow

DAY = 86_400_000
NOW = 1_795_000_000_000


def row(*, expires: int = 0, due: int = NOW + 60 * DAY) -> CredentialRow:
    return CredentialRow("x", NOW - DAY, 0, expires, 0, due)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (row(), "ok"),
        (row(expires=NOW), "expired"),
        (row(expires=NOW + 1), "expires soon"),
        (row(expires=NOW + 7 * DAY), "expires soon"),
        (row(expires=NOW + 7 * DAY + 1), "ok"),
        (row(due=NOW), "rotation due"),
        (row(due=NOW + 7 * DAY), "rotation soon"),
        (row(due=NOW + 7 * DAY + 1), "ok"),
        (row(expires=NOW - 1, due=NOW - 1), "expired"),
        (row(expires=NOW + 1, due=NOW - 1), "rotation due"),
    ],
)
def test_the_most_urgent_thing_is_said(given: CredentialRow, expected: str) -> None:
    assert state(given, NOW) == expected


def test_days_count_from_now_and_a_date_is_good_until_its_end() -> None:
    assert expiry("90d", NOW) == NOW + 90 * DAY
    ends = time.localtime(expiry("2027-01-31", NOW) / 1000)
    assert (ends.tm_year, ends.tm_mon, ends.tm_mday, ends.tm_hour, ends.tm_min) == (2027, 2, 1, 0, 0)


@pytest.mark.parametrize(
    "text", ["", "0d", "90", "90 d", "-1d", "never", "2020-01-01", "2027-02-30", "99999d", "9999-12-31", "2027-1-31"]
)
def test_anything_else_and_the_past_are_refused(text: str) -> None:
    with pytest.raises(BadExpiry):
        expiry(text, NOW)


@given(st.text())
def test_no_text_is_more_than_refused(text: str) -> None:
    try:
        ends = expiry(text, NOW)
    except BadExpiry as error:
        assert len(text) < 3 or text not in str(error)
    else:
        assert NOW < ends <= NOW + limits.EXPIRY_LONGEST * 1000
