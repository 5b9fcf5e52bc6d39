"""Medians and quartiles of repeated measurements. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable

import msgspec


class Samples(msgspec.Struct, frozen=True):
    """What many repetitions come to: median and quartiles, not means, because noise only ever adds."""

    n: int = 0
    median: float = 0.0
    low: float = 0.0
    high: float = 0.0


def samples(values: Iterable[float]) -> Samples:
    """Return median and quartiles of at least one value. Raises `ValueError` for none."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("nothing was measured")
    if len(ordered) == 1:
        return Samples(1, ordered[0], ordered[0], ordered[0])
    low, _, high = statistics.quantiles(ordered, n=4, method="inclusive")
    return Samples(len(ordered), statistics.median(ordered), low, high)


def one(value: float) -> Samples:
    """Return a single measurement."""
    return samples((value,))


def around(values: list[float], position: int, reach: int) -> list[float]:
    """Return the values at `position` and up to `reach` places to both sides (positions count from 1).

    Raises `ValueError` where the position lies outside.
    """
    if not 1 <= position <= len(values):
        raise ValueError(f"there is no value {position} of {len(values)}")
    return values[max(0, position - 1 - reach) : position + reach]


def percentile(values: Iterable[float], share: float) -> float:
    """Return the value below which `share` (0 to 1) of the values lie, by the nearest rank."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("nothing was measured")
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
