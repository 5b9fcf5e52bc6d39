"""Amounts of money: whole millionths of a currency unit, written as decimal numbers. Which currency, nobody here knows.

Millionths, because prices are per million tokens: an amount is an integer wherever it is counted or recorded.
"""

from __future__ import annotations

from typing import Final

MICROS: Final = 1_000_000
"""Millionths in one unit of currency."""

FORM: Final = r"^[0-9]{1,9}(\.[0-9]{1,6})?\Z"
"""How an amount is written; at most 10^15 millionths, which a row can hold."""


def micros(text: str) -> int:
    """Return the millionths that `text`, of the form `FORM`, stands for."""
    whole, _, part = text.partition(".")
    return int(whole) * MICROS + int(part.ljust(6, "0"))


def written(amount: int) -> str:
    """Return an amount as a decimal number with two digits behind the point, and more where they say something."""
    whole, part = divmod(amount, MICROS)
    digits = f"{part:06d}".rstrip("0")
    return f"{whole}.{digits.ljust(2, '0')}"


def amount(unit: str, number: int) -> str:
    """Return a number of a budget for people: money as written, anything else as it is."""
    return written(number) if unit == "money" else str(number)


def used_up(unit: str, used: int, limit: int) -> str:
    """Return "3 of 5 tool calls", "0.10 of 2.50 in money"."""
    of = "in money" if unit == "money" else unit.replace("_", " ")
    return f"{amount(unit, used)} of {amount(unit, limit)} {of}"
