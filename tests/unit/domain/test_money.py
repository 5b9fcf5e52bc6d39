from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirken.domain.money import FORM, MICROS, amount, micros, used_up, written


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("0.000001", 1),
        ("1", MICROS),
        ("2.50", 2_500_000),
        ("12.5", 12_500_000),
        ("999999999.999999", 10**15 - 1),
    ],
)
def test_an_amount_is_millionths(text: str, number: int) -> None:
    assert re.search(FORM, text)
    assert micros(text) == number


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", ".5", "1.", "1,5", "1e3", "1.0000000", "1000000000", " 1", "1\n", "٣"]
)
def test_nothing_else_is_an_amount(text: str) -> None:
    assert not re.search(FORM, text)


@given(st.integers(0, 10**15 - 1))
def test_what_is_written_is_read_as_the_same_amount(number: int) -> None:
    text = written(number)
    assert re.search(FORM, text) and micros(text) == number and len(text.partition(".")[2]) >= 2


def test_people_read_money_as_money_and_counts_as_counts() -> None:
    assert used_up("money", 100_000, 2_500_000) == "0.10 of 2.50 in money"
    assert used_up("tool_calls", 3, 5) == "3 of 5 tool calls"
    assert amount("money", 1) == "0.000001" and amount("tokens", 1_000_000) == "1000000"
