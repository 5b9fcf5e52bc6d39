"""Messages of a session whose files are not settled: no turn takes one up until its row `files_kept` stands."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from wirken.domain.events import FilesKept, UserMessageFact


@dataclass(slots=True)
class Bringing:
    """What the rows say, and what is being done about it."""

    messages: dict[int, UserMessageFact] = field(default_factory=dict)
    """By row."""
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while files of one of them are written."""
    held: int = 0
    """Messages with files that are on their way now; see `held_up`."""

    @property
    def idle(self) -> bool:
        """Nothing is being done, and nothing has to be."""
        return not self.messages and not self.held

    @contextlib.contextmanager
    def held_up(self) -> Iterator[None]:
        """Let no turn start inside the block: a message is on its way whose files take a moment."""
        self.held += 1
        try:
            yield
        finally:
            self.held -= 1

    def follow(self, seq: int, fact: UserMessageFact | FilesKept) -> tuple[int, UserMessageFact] | None:
        """Follow one row; return the message that waits for its turn from now on, with its row, if one does."""
        if isinstance(fact, FilesKept):
            settled = self.messages.pop(fact.message_seq, None)
            return None if settled is None else (fact.message_seq, settled)
        if fact.files:
            self.messages[seq] = fact
            return None
        return seq, fact
