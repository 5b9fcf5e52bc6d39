"""What is sent, as pieces in the platform's markup: a bounded number, and long text without holding up the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from wirken.channels.render.pieces import DIALECTS, Piece, literal, rendered
from wirken.domain import adapter_limits as limits

_EMPTY: Final = "(The answer is empty.)"
_MORE: Final = "(The rest of this answer is too long for here: {} more messages. All of it is on record.)"


class Writing:
    """Writes in one dialect."""

    def __init__(self, dialect: str) -> None:
        self._dialect = DIALECTS[dialect]

    async def markdown(self, text: str) -> tuple[Piece, ...]:
        """Return the messages that say Markdown `text`: at least one, `limits.PIECES` at most."""
        return await _aside(text, self._markdown)

    async def plain(self, text: str) -> tuple[Piece, ...]:
        """Return all messages that say `text` as it stands; none if there is nothing to see in it."""
        return await _aside(text, lambda text: literal(text, self._dialect))

    def start(self, text: str) -> Piece | None:
        """Return the first message of Markdown `text`, None if there is nothing to see yet. For short text."""
        return next(iter(rendered(text, self._dialect)), None)

    def _markdown(self, text: str) -> tuple[Piece, ...]:
        pieces = rendered(text, self._dialect) or rendered(_EMPTY, self._dialect)
        if len(pieces) <= limits.PIECES:
            return pieces
        kept = limits.PIECES - 1
        return (*pieces[:kept], *rendered(_MORE.format(len(pieces) - kept), self._dialect))


async def _aside(text: str, write: Callable[[str], tuple[Piece, ...]]) -> tuple[Piece, ...]:
    """Write here what takes some milliseconds, and longer text in a thread: a heartbeat must not wait for it."""
    return write(text) if len(text) <= limits.WRITE_AT_ONCE else await asyncio.to_thread(write, text)
