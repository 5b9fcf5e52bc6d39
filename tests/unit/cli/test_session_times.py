from __future__ import annotations

import pytest

from wirken.cli.sessions import when


@pytest.mark.parametrize("ms", [9 * 10**18, -9 * 10**18, 2**63 - 1, -(2**63), 10**17])
def test_a_time_beyond_every_calendar_is_shown_as_the_number_it_is(ms: int) -> None:
    assert when(ms) == f"{ms} ms"


def test_a_time_is_shown_as_date_and_time() -> None:
    assert when(1_800_000_000_000).startswith("2027-01-1")
