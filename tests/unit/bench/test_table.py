"""The table for people."""

from __future__ import annotations

import pytest
from bench.figure import Figure, Reference, Target, missing
from bench.stats import one
from bench.table import number, table

GOOD = Figure("quick thing", "ms", one(4.98), Target("at most", 10), Reference("plain", one(1.12)))
BAD = Figure("slow thing", "ms", one(411), Target("at most", 250), note="it starts the vault")
PLAIN = Figure("heavy thing", "MB", one(3.3))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.064, "0.06"), (1.5, "1.50"), (2.0, "2"), (13.71, "13.7"), (411.2, "411"), (41_234.5, "41,234")],
)
def test_numbers_have_about_three_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_a_row_shows_value_target_reference_ratio_and_verdict() -> None:
    row = next(line for line in table([GOOD]).splitlines() if line.startswith("quick thing"))
    assert row.split() == "quick thing 4.98 ms <= 10 ms 1.12 plain 4.45 1 met".split()


def test_columns_stand_below_each_other() -> None:
    header, rule, *rows = table([GOOD, BAD, PLAIN]).splitlines()[:5]
    assert all(row[header.index("TARGET") - 1] == " " for row in rows)
    assert set(rule) == {"-", " "}


def test_what_was_missed_is_named_at_the_end_with_its_number() -> None:
    last = table([GOOD, BAD, PLAIN]).rstrip().splitlines()[-2:]
    assert last == ["1 of 2 targets are met. Not met:", "  MISSED: slow thing (411 ms, asked <= 250 ms)"]


def test_all_met_is_said_plainly() -> None:
    assert table([GOOD, PLAIN]).rstrip().endswith("All 1 targets are met.")


def test_what_could_not_be_measured_counts_as_not_met_and_says_why() -> None:
    text = table([GOOD, missing("memory", "only root may look")])
    assert "memory: only root may look" in text
    assert text.rstrip().endswith("NOT MEASURED: memory")
