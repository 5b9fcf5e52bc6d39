"""Server-sent events, decoded piece by piece (WHATWG HTML, section 9.2.6)."""

from __future__ import annotations

from typing import Final

from wirken.outbound.failures import AnswerTooLong
from wirken.outbound.lines import LineDecoder

_BOM: Final = b"\xef\xbb\xbf"


class SseDecoder:
    """Bytes in, the `data` of each event out. Other fields and comments are skipped.

    An event whose data exceeds `limit` bytes raises `AnswerTooLong`.
    """

    def __init__(self, limit: int) -> None:
        self._lines = LineDecoder(limit)
        self._limit = limit
        self._data: list[bytes] = []
        self._size = 0
        self._first = True

    def feed(self, data: bytes) -> list[bytes]:
        """Return the data of the events that `data` completes."""
        return [event for line in self._lines.feed(data) if (event := self._take(line)) is not None]

    def finish(self) -> list[bytes]:
        """Return the last event where the stream ended without its blank line.

        The standard drops such an event; some servers end `data: [DONE]` so, and a torn one is no valid JSON.
        """
        rest = self._lines.finish()
        events = [] if not rest or (event := self._take(rest)) is None else [event]
        if (last := self._take(b"")) is not None:
            events.append(last)
        return events

    def _take(self, line: bytes) -> bytes | None:
        if self._first:
            self._first = False
            line = line.removeprefix(_BOM)
        if not line:
            return self._dispatch()
        name, _, value = line.partition(b":")
        if name == b"data":
            value = value.removeprefix(b" ")
            self._size += len(value) + 1
            if self._size > self._limit:
                raise AnswerTooLong("The model sent an event that is too long to be part of an answer.")
            self._data.append(value)
        return None

    def _dispatch(self) -> bytes | None:
        if not self._data:
            return None
        event = b"\n".join(self._data)
        self._data.clear()
        self._size = 0
        return event
