"""Figures as a table for people. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Final

from bench.figure import Figure, Verdict

HEADER: Final = ("FIGURE", "VALUE", "TARGET", "REFERENCE", "RATIO", "N", "")
_RIGHT: Final = frozenset((1, 4, 5))
_GOOD: Final = (Verdict.MET, Verdict.NONE)


def number(value: float) -> str:
    """Return a number with three significant digits, thousands apart."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) >= 100 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def table(figures: Sequence[Figure]) -> str:
    """Return the table, the notes below it, and a last line that names what was missed."""
    rows = [HEADER, *map(_row, figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    lines = [_line(row, widths) for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths).rstrip())
    return "\n".join([*lines, "", *_notes(figures), *_summary(figures)]) + "\n"


def _row(figure: Figure) -> tuple[str, ...]:
    reference, ratio = figure.reference, figure.ratio
    return (
        figure.name,
        f"{number(figure.samples.median)} {figure.unit}".rstrip() if figure.samples.n else "",
        figure.target.said(figure.unit) if figure.target else "",
        f"{number(reference.samples.median)}  {reference.name}" if reference else "",
        number(ratio) if ratio is not None else "",
        str(figure.samples.n or ""),
        figure.verdict.value,
    )


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    cells = (
        cell.rjust(width) if column in _RIGHT else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join(cells).rstrip()


def _notes(figures: Sequence[Figure]) -> list[str]:
    lines: list[str] = []
    for figure in figures:
        said = figure.unmeasured or figure.note
        if said:
            lines += textwrap.wrap(f"{figure.name}: {said}", 118, subsequent_indent="    ")
    return [*lines, ""] if lines else []


def _summary(figures: Sequence[Figure]) -> list[str]:
    asked = [figure for figure in figures if figure.target is not None or figure.unmeasured]
    missed = [figure for figure in asked if figure.verdict not in _GOOD]
    if not missed:
        return [f"All {len(asked)} targets are met."]
    return [
        f"{len(asked) - len(missed)} of {len(asked)} targets are met. Not met:",
        *(f"  {figure.verdict.value}: {figure.name}{_by_how_much(figure)}" for figure in missed),
    ]


def _by_how_much(figure: Figure) -> str:
    if figure.target is None or not figure.samples.n:
        return ""
    value = figure.ratio if figure.target.of == "ratio" else figure.samples.median
    if value is None:
        return ""
    said = f"{number(value)} x ref" if figure.target.of == "ratio" else f"{number(value)} {figure.unit}"
    return f" ({said}, asked {figure.target.said(figure.unit)})"
