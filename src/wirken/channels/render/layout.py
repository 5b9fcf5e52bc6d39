"""A tree laid out in lines: bullets, numbers, tables and rules become characters that every platform shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final, assert_never

from wirken.channels.render import links, tables
from wirken.channels.render.hygiene import inert
from wirken.channels.render.lines import Kind, Line, Run, Style, joined
from wirken.channels.render.tree import (
    Block,
    Blocks,
    Code,
    CodeBlock,
    Emphasis,
    Heading,
    Inline,
    Inlines,
    Items,
    Link,
    Paragraph,
    Quote,
    Rule,
    Strike,
    Strong,
    Table,
    Text,
)

_STEP: Final = (
    "\u00a0" * 3
)  # no-break spaces: platforms drop ordinary ones at the start of a line, or take them for code
_BULLET: Final = "• "
_RULE: Final = "—" * 8


def laid_out(blocks: Blocks, *, masked: bool) -> tuple[Line, ...]:
    """Return the lines of `blocks`. `masked`: the platform has links whose text is not their address."""
    layout = _Layout(masked=masked)
    layout.blocks(blocks, _Place())
    return tuple(layout.lines)


@dataclass(frozen=True, slots=True)
class _Place:
    quoted: bool = False
    depth: int = 0  # lists around

    @property
    def indent(self) -> str:
        return _STEP * self.depth


class _Layout:
    """Collects lines; `_mark` is the bullet or number that the next line of prose begins with."""

    def __init__(self, *, masked: bool) -> None:
        self.lines: list[Line] = []
        self._masked = masked
        self._mark = ""
        self._codes = 0

    def blocks(self, blocks: Blocks, place: _Place) -> None:
        for at, block in enumerate(blocks):
            if at and not place.depth:
                self._gap(place)
            self._block(block, place)

    def _block(self, block: Block, place: _Place) -> None:
        match block:
            case Paragraph(parts):
                self._prose(parts, place)
            case Heading(level, parts):
                self._prose(parts, place, Kind.HEADING, level)
            case CodeBlock(text, language):
                self._code(text.split("\n"), language, place)
            case Quote(inner):
                self.blocks(inner, replace(place, quoted=True))
            case Items():
                self._items(block, place)
            case Table():
                self._table(block, place)
            case Rule():
                self._add((Run(_RULE),), place)
            case _:
                assert_never(block)

    def _gap(self, place: _Place) -> None:
        """An empty line; after a heading it belongs to what follows."""
        if self.lines:
            before = self.lines[-1]
            self.lines.append(Line(quoted=place.quoted and before.quoted, keep=before.kind is Kind.HEADING))

    def _items(self, block: Items, place: _Place) -> None:
        within = replace(place, depth=place.depth + 1)
        for at, item in enumerate(block.items):
            self._flush(place)
            self._mark = place.indent + (_BULLET if block.first is None else f"{block.first + at}. ")
            self.blocks(item, within)
        self._flush(place)

    def _flush(self, place: _Place) -> None:
        """The mark of an item that has no line of prose, on a line of its own."""
        if self._mark:
            self._add((), place)

    def _prose(self, parts: Inlines, place: _Place, kind: Kind = Kind.PROSE, level: int = 0) -> None:
        for runs in _rows(self._runs(parts, Style.PLAIN)):
            self._add(runs, place, kind, level)

    def _add(
        self, runs: Iterable[Run], place: _Place, kind: Kind = Kind.PROSE, level: int = 0, *, keep: bool = False
    ) -> None:
        before, self._mark = self._mark or place.indent, ""
        line = joined((Run(before), *runs))
        self.lines.append(Line(line, kind, place.quoted, level, keep=keep or kind is Kind.HEADING))

    def _code(self, rows: Iterable[str], language: str, place: _Place) -> None:
        self._flush(place)
        self._codes += 1
        for row in rows:  # not quoted: platforms have no code blocks in quotes
            self.lines.append(Line(joined((Run(row),)), Kind.CODE, block=self._codes, language=language))

    def _table(self, block: Table, place: _Place) -> None:
        cells = [[self._plain(cell) for cell in row] for row in (block.head, *block.rows)]
        drawn = tables.drawn(cells)
        if drawn is not None:
            self._code(drawn, "", place)
            return
        for at, row in enumerate(block.rows):
            if at:
                self.lines.append(Line())
            for name, cell in zip(block.head, row, strict=True):
                last = cell is row[-1]
                head = (*self._runs(name, Style.STRONG), Run(": "))
                self._add((*head, *self._runs(cell, Style.PLAIN)), place, keep=not last)
        if not block.rows:
            self._add(joined(run for name in block.head for run in (*self._runs(name, Style.STRONG), Run("  "))), place)

    def _plain(self, parts: Inlines) -> str:
        return " ".join("".join(run.text for run in self._runs(parts, Style.PLAIN, masked=False)).split())

    def _runs(self, parts: Inlines, style: Style, *, masked: bool | None = None) -> tuple[Run, ...]:
        hides = self._masked if masked is None else masked
        return joined(run for part in parts for run in self._run(part, style, masked=hides))

    def _run(self, part: Inline, style: Style, *, masked: bool) -> Iterator[Run]:
        match part:
            case Text(text):
                yield Run(inert(text), style)
            case Code(text):
                yield Run(text, Style.CODE)
            case Strong(inner):
                yield from self._runs(inner, style | Style.STRONG, masked=masked)
            case Emphasis(inner):
                yield from self._runs(inner, style | Style.EMPHASIS, masked=masked)
            case Strike(inner):
                yield from self._runs(inner, style | Style.STRIKE, masked=masked)
            case Link(inner, target):
                for text, leads in links.honest(_label(inner), target, masked=masked):
                    yield Run(text, style, target) if leads else Run(inert(text), style)
            case _:
                assert_never(part)


def _label(parts: Inlines) -> str:
    """The text of a link, in one line."""
    return " ".join("".join(_words(parts)).split())


def _words(parts: Inlines) -> Iterator[str]:
    for part in parts:
        match part:
            case Text(text) | Code(text):
                yield text
            case Strong(inner) | Emphasis(inner) | Strike(inner) | Link(inner, _):
                yield from _words(inner)
            case _:
                assert_never(part)


def _rows(runs: Iterable[Run]) -> Iterator[tuple[Run, ...]]:
    """Runs parted at their line feeds."""
    row: list[Run] = []
    for run in runs:
        first, *others = run.text.split("\n")
        row.append(replace(run, text=first))
        for text in others:
            yield joined(row)
            row = [replace(run, text=text)]
    yield joined(row)
