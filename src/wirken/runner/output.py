"""Keep the head and the tail of a command's output, however long it is. Bytes in, text out."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from wirken.domain import limits

_HEAD: Final = limits.EXEC_OUTPUT_HEAD
_TAIL: Final = limits.EXEC_OUTPUT_TAIL - limits.EXEC_OUTPUT_NOTES
_UNDECODABLE: Final = re.compile("[\udc80-\udcff]")
_CONTINUATION: Final = re.compile(rb"[\x80-\xbf]{0,3}")
_UNFINISHED: Final = re.compile(rb"(?:[\xc2-\xdf]|[\xe0-\xef][\x80-\xbf]?|[\xf0-\xf4][\x80-\xbf]{0,2})\Z")


class Kept(NamedTuple):
    """What is left of an output: at most HEAD + TAIL bytes of UTF-8, the note on the cut included."""

    text: str
    cut: int
    """Bytes of the output that `text` leaves out."""


NOTHING: Final = Kept("", 0)


class Capture:
    """Holds at most the limits' worth of output at any time; the middle of a longer one is forgotten."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._tail = bytearray()
        self._total = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the output."""
        self._total += len(data)
        room = _HEAD - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        self._tail += data[-_TAIL:]
        if len(self._tail) > 2 * _TAIL:
            del self._tail[:-_TAIL]

    def kept(self) -> Kept:
        """Return head and tail as text; bytes that are not UTF-8 become U+FFFD, each counted as itself."""
        if self._total <= _HEAD + _TAIL:
            whole = bytes(self._head + self._tail)
            if len(shown(whole).encode()) <= _HEAD + _TAIL:
                return Kept(shown(whole), 0)
            head, tail = whole, whole
        else:
            head, tail = bytes(self._head), bytes(self._tail[-_TAIL:])
        first = fitting_start(head, _HEAD)
        last = fitting_end(tail[-(self._total - len(first)) :], _TAIL)
        cut = self._total - len(first) - len(last)
        return Kept(f"{shown(first)}\n[… {cut} bytes of output left out …]\n{shown(last)}", cut)


def fitting_start(raw: bytes, room: int) -> bytes:
    """Return the longest start of `raw` that is shown in `room` bytes and ends with a whole character."""
    kept = raw[:room]
    if unfinished := _UNFINISHED.search(kept[-3:]):
        kept = kept[: len(kept) - len(unfinished.group())]
    while (excess := len(shown(kept).encode()) - room) > 0:
        text = kept.decode("utf-8", "surrogateescape")
        kept = text[: -max(1, excess // 4)].encode("utf-8", "surrogateescape")
    return kept


def fitting_end(raw: bytes, room: int) -> bytes:
    """Return the longest end of `raw` that is shown in `room` bytes and starts with a whole character."""
    kept = raw[-room:]
    if rest_of_character := _CONTINUATION.match(kept):
        kept = kept[rest_of_character.end() :]
    while (excess := len(shown(kept).encode()) - room) > 0:
        text = kept.decode("utf-8", "surrogateescape")
        kept = text[max(1, excess // 4) :].encode("utf-8", "surrogateescape")
    return kept


def shown(raw: bytes) -> str:
    return _UNDECODABLE.sub("\ufffd", raw.decode("utf-8", "surrogateescape"))
