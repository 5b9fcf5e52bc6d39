"""Medians and quartiles."""

from __future__ import annotations

import pytest
from bench.stats import around, one, percentile, samples
from hypothesis import given
from hypothesis import strategies as st


def test_one_slow_repetition_does_not_move_the_median() -> None:
    assert samples([3.0, 1.0, 2.0, 900.0, 2.0]).median == 2.0


def test_quartiles_enclose_the_median() -> None:
    found = samples(float(value) for value in range(1, 10))
    assert (found.n, found.low, found.median, found.high) == (9, 3.0, 5.0, 7.0)


def test_a_single_measurement_is_its_own_median() -> None:
    assert (one(4.5).n, one(4.5).low, one(4.5).median, one(4.5).high) == (1, 4.5, 4.5, 4.5)


def test_nothing_measured_is_an_error_and_no_zero() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        samples([])
    with pytest.raises(ValueError, match="nothing was measured"):
        percentile([], 0.5)


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_the_order_of_repetitions_does_not_matter(values: list[float]) -> None:
    assert samples(values) == samples(values[::-1])
    assert samples(values).low <= samples(values).median <= samples(values).high


def test_around_counts_turns_from_one() -> None:
    turns = [float(number) for number in range(1, 503)]
    assert around(turns, 5, 2) == [3.0, 4.0, 5.0, 6.0, 7.0]
    assert around(turns, 500, 2) == [498.0, 499.0, 500.0, 501.0, 502.0]
    assert around(turns, 1, 2) == [1.0, 2.0, 3.0]
    with pytest.raises(ValueError, match="there is no value 503"):
        around(turns, 503, 2)


def test_a_percentile_is_a_value_that_was_measured() -> None:
    values = [float(number) for number in range(100)]
    assert percentile(values, 0.95) == 95.0
    assert percentile(values, 1.0) == 99.0
