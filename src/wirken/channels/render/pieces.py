"""A model's text as the messages that one platform is sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from wirken.channels.render import discord, matrix, slack, teams, telegram, whatsapp
from wirken.channels.render.layout import laid_out
from wirken.channels.render.lines import Line, plain_text
from wirken.channels.render.markup import Dialect, written
from wirken.channels.render.reader import read, verbatim
from wirken.channels.render.split import split

DIALECTS: Final = {
    dialect.name: dialect
    for dialect in (
        telegram.DIALECT,
        discord.DIALECT,
        slack.DIALECT,
        matrix.DIALECT,
        teams.DIALECT,
        whatsapp.DIALECT,
    )
}


@dataclass(frozen=True, slots=True)
class Piece:
    """One message: the platform's markup, and the same for a reader, or a platform's answer, without any."""

    markup: str
    plain: str


def rendered(source: str, dialect: Dialect) -> tuple[Piece, ...]:
    """Return the messages that say `source`, in order; none if there is nothing to see in it.

    Each fits the platform's limit and stands by itself. Nothing in `source` can call a person, hide where a link
    leads, or leave a code block.
    """
    return tuple(_piece(lines, dialect) for lines in in_pieces(source, dialect))


def literal(text: str, dialect: Dialect) -> tuple[Piece, ...]:
    """Return the messages that say `text` as it stands: no mark in it is read, and each sign can be seen."""
    return tuple(_piece(lines, dialect) for lines in _split(laid_out(verbatim(text), masked=dialect.masked), dialect))


def in_pieces(source: str, dialect: Dialect) -> tuple[tuple[Line, ...], ...]:
    """Return the lines of each message that says `source`."""
    return _split(laid_out(read(source), masked=dialect.masked), dialect)


def _split(lines: tuple[Line, ...], dialect: Dialect) -> tuple[tuple[Line, ...], ...]:
    found = split(lines, lambda part: _fits(part, dialect), dialect.most)
    return tuple(kept for part in found if (kept := _without_edges(part)))


def _fits(lines: Sequence[Line], dialect: Dialect) -> bool:
    if sum(len(run.text) for line in lines for run in line.runs) > dialect.most:
        return False  # known without writing all of it
    return dialect.fits(*_both(lines, dialect))


def _both(lines: Sequence[Line], dialect: Dialect) -> tuple[str, str]:
    return written(lines, dialect), plain_text(lines)


def _piece(lines: Sequence[Line], dialect: Dialect) -> Piece:
    return Piece(*_both(lines, dialect))


def _without_edges(lines: tuple[Line, ...]) -> tuple[Line, ...]:
    """`lines` without empty ones at either end; platforms refuse messages of blanks."""
    start, end = 0, len(lines)
    while start < end and not lines[start].text.strip():
        start += 1
    while start < end and not lines[end - 1].text.strip():
        end -= 1
    return lines[start:end]
