from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirken.domain.quiet import BadHours, Quiet, hours

BERLIN = ZoneInfo("Europe/Berlin")
MINUTE = 60_000


def ms(text: str, zone: ZoneInfo = BERLIN, fold: int = 0) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).timestamp() * 1000)


def quiet(text: str, zone: ZoneInfo = BERLIN) -> Quiet:
    return Quiet(*hours(text), zone)


@pytest.mark.parametrize(
    ("at", "ends"),
    [
        ("2026-11-20T21:59:59.999", ""),
        ("2026-11-20T22:00:00", "2026-11-21T07:00:00"),
        ("2026-11-20T23:59:59.999", "2026-11-21T07:00:00"),
        ("2026-11-21T00:00:00", "2026-11-21T07:00:00"),
        ("2026-11-21T06:59:59.999", "2026-11-21T07:00:00"),
        ("2026-11-21T07:00:00", ""),
        ("2026-12-31T23:30:00", "2027-01-01T07:00:00"),
    ],
)
def test_quiet_hours_past_midnight_include_their_start_and_not_their_end(at: str, ends: str) -> None:
    assert quiet("22:00-07:00").until(ms(at)) == (ms(ends) if ends else 0)


@pytest.mark.parametrize(
    ("at", "ends"),
    [("12:59:59.999", False), ("13:00:00", True), ("14:59:59.999", True), ("15:00:00", False), ("00:00:00", False)],
)
def test_quiet_hours_within_a_day(at: str, ends: bool) -> None:
    assert quiet("13:00-15:00").until(ms(f"2026-11-20T{at}")) == (ms("2026-11-20T15:00:00") if ends else 0)


def test_they_are_those_of_the_zone_and_not_of_the_machine() -> None:
    at = ms("2026-11-20T22:30:00")
    assert quiet("22:00-07:00").until(at)
    assert not quiet("22:00-07:00", ZoneInfo("America/New_York")).until(at)
    assert Quiet(*hours("21:00-22:00"), UTC).until(at) == at + 30 * MINUTE


def test_a_night_in_which_clocks_are_put_forward_is_an_hour_shorter() -> None:
    begin, end = ms("2026-03-28T22:00:00"), ms("2026-03-29T07:00:00")
    assert end - begin == 8 * 60 * MINUTE
    assert quiet("22:00-07:00").until(begin) == end and quiet("22:00-07:00").until(end) == 0


def test_a_night_in_which_clocks_are_put_back_is_an_hour_longer() -> None:
    begin, end = ms("2026-10-24T22:00:00"), ms("2026-10-25T07:00:00")
    assert end - begin == 10 * 60 * MINUTE
    twice = (ms("2026-10-25T02:30:00"), ms("2026-10-25T02:30:00", fold=1))
    assert twice[1] - twice[0] == 60 * MINUTE
    assert [quiet("22:00-07:00").until(at) for at in (begin, *twice, end - 1)] == [end] * 4


def test_a_time_that_clocks_show_twice_counts_the_first_time_only() -> None:
    one = quiet("22:00-02:30")
    first = ms("2026-10-25T02:30:00")
    assert one.until(first - 1) == first
    assert [one.until(at) for at in (first, first + 30 * MINUTE, ms("2026-10-25T02:10:00", fold=1))] == [0, 0, 0]


def test_a_time_that_clocks_skip_does_not_cut_quiet_hours_short() -> None:
    jump = ms("2026-03-29T03:00:00")  # where 02:00 would be
    one = quiet("22:00-02:30")
    assert one.until(jump - 1) == one.until(jump) == jump + 30 * MINUTE
    assert one.until(jump + 30 * MINUTE) == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "22:00",
        "22:00-24:00",
        "7:00-22:00",
        "22:60-07:00",
        "22:00 - 07:00",
        "22:00-07:00\n",
        "22.00-07.00",
        "٢2:00-07:00",
    ],
)
def test_what_is_no_part_of_a_day_is_refused(text: str) -> None:
    with pytest.raises(BadHours):
        hours(text)


def test_hours_that_end_when_they_begin_are_refused() -> None:
    with pytest.raises(BadHours, match="none, or all day"):
        hours("07:00-07:00")


@given(
    st.integers(ms("2024-01-01T00:00:00"), ms("2030-01-01T00:00:00")),
    st.integers(0, 1439),
    st.integers(0, 1439),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Africa/Casablanca"]),
)
def test_they_end_after_now_within_a_day_and_a_shift_and_last_until_then(
    now: int, start: int, end: int, zone: str
) -> None:
    if start == end:
        return
    one = quiet(f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}", ZoneInfo(zone))
    ends = one.until(now)
    if ends:
        assert now < ends <= now + 26 * 60 * MINUTE
        assert {one.until(at) for at in (now + (ends - now) // 2, ends - 1)} == {ends}
