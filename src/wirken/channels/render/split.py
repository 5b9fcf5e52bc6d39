"""Where one message ends and the next begins: between lines, else between words, else between signs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias

from wirken.channels.render.graphemes import may_cut
from wirken.channels.render.lines import Line, Run

Fits: TypeAlias = Callable[[Sequence[Line]], bool]


def split(lines: Sequence[Line], fits: Fits, most: int) -> Iterator[tuple[Line, ...]]:
    """Yield `lines` in pieces that fit; `most` characters fit at best, and one character always.

    Lines that are kept together stay so if one piece holds them. A line is cut only if no piece holds it.
    """
    rest = list(lines)
    at = 0
    while at < len(rest):
        count = _largest(len(rest) - at, lambda count: fits(rest[at : at + count]))  # noqa: B023  called at once
        piece = tuple(rest[at : at + count])
        at += count
        if at < len(rest) and not fits((rest[at],)):
            head, rest[at] = _cut(rest[at], piece, fits, most)
            yield (*piece, *head)
        elif at < len(rest):
            kept = _kept_back(piece)
            at -= kept
            yield piece[: len(piece) - kept]
        else:
            yield piece


def _kept_back(piece: tuple[Line, ...]) -> int:
    """How many lines at the end of `piece` belong to what follows; none if all of them do."""
    ending = len(piece)
    while ending and piece[ending - 1].keep:
        ending -= 1
    return len(piece) - ending if ending else 0


def _largest(limit: int, holds: Callable[[int], bool]) -> int:
    """The largest number up to `limit` that holds, if every smaller one does; found without trying far larger ones."""
    low, step = 0, 1
    while low + step <= limit and holds(low + step):
        low, step = low + step, step * 2
    high = min(low + step, limit + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def _cut(line: Line, before: tuple[Line, ...], fits: Fits, most: int) -> tuple[tuple[Line, ...], Line]:
    """As much of `line` as fits after the lines `before`, and the rest; nothing if no good place is there."""
    text = line.text
    longest = _largest(min(len(text) - 1, most), lambda at: fits((*before, _head(line, at))))
    at = _place(line, text, longest)
    if not at and before:
        return (), line
    if not at and line.runs[0].target:  # a link too long for any message is no link any more, and can be cut
        first = replace(line.runs[0], target="")
        return _cut(replace(line, runs=(first, *line.runs[1:])), before, fits, most)
    at = at or max(1, longest)
    return (_head(line, at),), _tail(line, at)


def _place(line: Line, text: str, longest: int) -> int:
    """The last good place up to `longest`: after a blank, or at least between two signs; 0 if there is none."""
    inside = {at for start, end in _links(line) for at in range(start + 1, min(end, longest + 1))}
    margin = len(text) - len(text.lstrip())
    places = [at for at in range(longest, 0, -1) if at not in inside]
    blanks = (at for at in places if at > margin and text[at - 1].isspace() and may_cut(text, at))
    return next(blanks, 0) or next((at for at in places if may_cut(text, at)), 0)


def _links(line: Line) -> list[tuple[int, int]]:
    spans, start = [], 0
    for run in line.runs:
        if run.target:
            spans.append((start, start + len(run.text)))
        start += len(run.text)
    return spans


def _head(line: Line, at: int) -> Line:
    """The line before its character `at`."""
    runs: list[Run] = []
    for run in line.runs:
        if at <= 0:
            break
        runs.append(run if len(run.text) <= at else replace(run, text=run.text[:at]))
        at -= len(run.text)
    return replace(line, runs=tuple(runs), keep=False)


def _tail(line: Line, at: int) -> Line:
    """The line from its character `at` on."""
    for number, run in enumerate(line.runs):
        if at < len(run.text):
            return replace(line, runs=(replace(run, text=run.text[at:]), *line.runs[number + 1 :]), continued=True)
        at -= len(run.text)
    return replace(line, runs=(), continued=True)
