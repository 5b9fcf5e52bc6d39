"""What a measurement says, what was asked of it, and whether it holds. Pure."""

from __future__ import annotations

import enum
from typing import Literal

import msgspec

from bench.stats import Samples


class Verdict(enum.StrEnum):
    """`ADJUSTED`: missed as it stands, met at the speed that the target assumes of its reference."""

    MET = "met"
    MISSED = "MISSED"
    ADJUSTED = "met adjusted"
    NONE = "-"
    UNMEASURED = "NOT MEASURED"


class Target(msgspec.Struct, frozen=True):
    """What is asked. `assumes` is the reference on the machine the target was written for; 0 where none is named."""

    kind: Literal["at most", "at least"]
    bound: float
    of: Literal["value", "ratio"] = "value"
    assumes: float = 0.0

    def holds(self, number: float) -> bool:
        return number <= self.bound if self.kind == "at most" else number >= self.bound

    def said(self, unit: str) -> str:
        """Return the target as the table shows it."""
        sign = "<=" if self.kind == "at most" else ">="
        if self.of == "ratio":
            return f"{sign} {self.bound:g} x ref"
        return f"{sign} {self.bound:g} {unit}" + (f" (ref {self.assumes:g})" if self.assumes else "")


class Reference(msgspec.Struct, frozen=True):
    """The plain thing beside a figure, in the figure's unit."""

    name: str
    samples: Samples


class Figure(msgspec.Struct, frozen=True):
    """One figure. `unmeasured` says why there is no number; `samples` is then empty."""

    name: str
    unit: str
    samples: Samples
    target: Target | None = None
    reference: Reference | None = None
    note: str = ""
    unmeasured: str = ""

    @property
    def ratio(self) -> float | None:
        """The figure over its reference; None where there is none."""
        if self.reference is None or not self.samples.n or not self.reference.samples.median:
            return None
        return self.samples.median / self.reference.samples.median

    @property
    def verdict(self) -> Verdict:
        if self.unmeasured:
            return Verdict.UNMEASURED
        if self.target is None:
            return Verdict.NONE
        number = self.ratio if self.target.of == "ratio" else self.samples.median
        if number is None:
            return Verdict.UNMEASURED
        if self.target.holds(number):
            return Verdict.MET
        return Verdict.ADJUSTED if self._holds_adjusted() else Verdict.MISSED

    def _holds_adjusted(self) -> bool:
        target, reference = self.target, self.reference
        if target is None or reference is None or not target.assumes or not reference.samples.median:
            return False
        return target.holds(self.samples.median * target.assumes / reference.samples.median)


def missing(name: str, why: str) -> Figure:
    """Return a figure that could not be measured."""
    return Figure(name, "", Samples(), unmeasured=why)


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A figure in bench.json: what was measured, and what follows from it."""

    name: str
    value: float | None
    unit: str
    target: str
    reference: str
    reference_value: float | None
    ratio: float | None
    n: int
    low: float | None
    high: float | None
    verdict: str
    note: str


def shown(figure: Figure) -> Shown:
    """Return the figure flat, for machines. `low` and `high` are the quartiles."""
    samples, reference = figure.samples, figure.reference
    return Shown(
        name=figure.name,
        value=samples.median if samples.n else None,
        unit=figure.unit,
        target=figure.target.said(figure.unit) if figure.target else "",
        reference=reference.name if reference else "",
        reference_value=reference.samples.median if reference and reference.samples.n else None,
        ratio=figure.ratio,
        n=samples.n,
        low=samples.low if samples.n else None,
        high=samples.high if samples.n else None,
        verdict=figure.verdict.value,
        note=figure.unmeasured or figure.note,
    )
