"""How lines are written in any dialect: runs nested properly, code lines gathered into blocks, quotes into quotes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final

from wirken.channels.render.hygiene import GAP
from wirken.channels.render.lines import Kind, Line, Run, Style

_ORDER: Final = (Style.STRONG, Style.EMPHASIS, Style.STRIKE)
_EDGES: Final = re.compile(r"(\s*)(.*?)(\s*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Dialect:
    """One platform's markup. Every function takes text as a reader sees it and returns markup, unless it says other."""

    name: str
    marks: Mapping[Style, tuple[str, str]]  # what opens and what closes STRONG, EMPHASIS and STRIKE
    prose: Callable[[str], str]
    code: Callable[[str], str]  # within a line
    fence: Callable[[str, str], str]  # a code block's text and its language
    link: Callable[[str, str], str]  # a link's text and its target
    start: Callable[[str], str]  # takes and returns the markup of a line: nothing there may act as a line's beginning
    heading: Callable[[int, str], str] | None  # takes markup; None where a heading is a strong line
    quote: Callable[[Sequence[str]], str]  # takes the markup of lines
    fits: Callable[[str, str], bool]  # whether one message holds this markup and this plain text
    most: int  # characters; no message holds more
    newline: str = "\n"
    gap: str = ""  # stands between a mark and a letter outside of it, where the mark would not work otherwise
    spaced: bool = True  # shows empty lines; False where `newline` makes paragraphs anyway
    tidy: Callable[[str], str] = str  # takes and returns the markup of a whole message
    masked: bool = True  # has links whose text is not their address


def written(lines: Sequence[Line], dialect: Dialect) -> str:
    """Return the markup of `lines`; it stands by itself, whatever was before it."""
    chunks = []
    for (quoted, block), group in groupby(lines, key=lambda line: (line.quoted, line.block)):
        members = list(group)
        if block:
            chunks.append(dialect.fence("\n".join(line.text for line in members), members[0].language))
        elif quoted:
            chunks.append(dialect.quote([_line(line, dialect) for line in members]))
        else:
            chunks.extend(_line(line, dialect) for line in members if dialect.spaced or line.text.strip())
    return dialect.tidy(dialect.newline.join(chunks))


def _line(line: Line, dialect: Dialect) -> str:
    if line.kind is Kind.HEADING:
        runs = [run if Style.CODE in run.style else replace(run, style=run.style | Style.STRONG) for run in line.runs]
        if dialect.heading is None:
            return dialect.start(spans(runs, dialect))
        return dialect.heading(
            line.level, spans([replace(run, style=run.style & ~Style.STRONG) for run in runs], dialect)
        )
    return dialect.start(spans(line.runs, dialect))


def spans(runs: Iterable[Run], dialect: Dialect) -> str:
    """Return `runs` as markup, each mark closed before the one that it stands in."""
    written: list[str] = []
    opened: list[Style] = []
    for run in _tight(runs):
        wanted = [style for style in _ORDER if style in run.style]
        shared = 0
        while shared < min(len(opened), len(wanted)) and opened[shared] == wanted[shared]:
            shared += 1
        closing = [dialect.marks[style][1] for style in reversed(opened[shared:])]
        opening = [dialect.marks[style][0] for style in wanted[shared:]]
        _turn(written, closing, opening, run.text[0], dialect.gap)
        written.append(_span(run, dialect))
        opened = wanted
    written.extend(dialect.marks[style][1] for style in reversed(opened))
    return "".join(written)


def _turn(written: list[str], closing: list[str], opening: list[str], after: str, gap: str) -> None:
    """Close and open marks, with a gap where a letter or another mark would touch them from outside."""
    before = written[-1][-1:] if written else ""
    written.extend(closing)
    between = closing and (opening or after.isalnum())
    if gap and (between or (opening and not closing and before.isalnum())):
        written.append(gap)
    written.extend(opening)


def _span(run: Run, dialect: Dialect) -> str:
    if run.target:
        return dialect.link(run.text, run.target)
    return dialect.code(run.text) if Style.CODE in run.style else dialect.prose(run.text)


def _tight(runs: Iterable[Run]) -> Iterator[Run]:
    """Yield `runs` with the blanks at their edges unstyled: no Markdown takes a mark beside a blank."""
    for run in runs:
        if run.style is Style.PLAIN or run.target or Style.CODE in run.style:
            yield run
            continue
        found = _EDGES.fullmatch(run.text)
        before, core, after = found.groups() if found else ("", run.text, "")
        yield from (
            Run(text, style) for text, style in ((before, Style.PLAIN), (core, run.style), (after, Style.PLAIN)) if text
        )


def utf16(text: str) -> int:
    """Return how many UTF-16 units `text` has."""
    return len(text.encode("utf-16-le")) // 2


def parted_ticks(code: str) -> str:
    """Return a code block's text with a `GAP` between neighbouring backticks, so that none ends the block."""
    return re.sub(r"`(?=`)", f"`{GAP}", code)


def ticked(text: str) -> str:
    """Return code within a line between more backticks than it holds in a row (CommonMark, 6.1)."""
    ticks = "`" * (1 + max((len(found) for found in re.findall("`+", text)), default=0))
    blank = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{ticks}{blank}{text}{blank}{ticks}"
