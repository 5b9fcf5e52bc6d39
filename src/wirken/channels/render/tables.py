"""Tables in letters of one width, where they are narrow enough to be read on a telephone."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Final

from wirken.domain import channel_limits as limits

_BETWEEN: Final = " │ "
_CROSSING: Final = "─┼─"


def drawn(rows: Sequence[Sequence[str]]) -> tuple[str, ...] | None:
    """Return the lines of a table whose first row is its head, or None if it is wider than `limits.TABLE_WIDTH`."""
    widths = [max(columns(row[at]) for row in rows) for at in range(len(rows[0]))]
    if sum(widths) + len(_BETWEEN) * (len(widths) - 1) > limits.TABLE_WIDTH:
        return None
    head, *body = (_BETWEEN.join(map(_padded, row, widths)).rstrip() for row in rows)
    return (head, _CROSSING.join("─" * width for width in widths), *body)


def columns(text: str) -> int:
    """Return how many columns `text` takes: two for wide signs (Unicode Annex 11), none for marks on others."""
    return sum(map(_columns, text))


def _columns(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def _padded(text: str, width: int) -> str:
    return text + " " * (width - columns(text))
