"""Bytes in, complete lines out: the floor under both stream decoders."""

from __future__ import annotations

from wirken.outbound.failures import AnswerTooLong


class LineDecoder:
    """Split a byte stream at LF, CR LF or CR, however it is cut into pieces.

    A line longer than `limit` bytes raises `AnswerTooLong`, so that no more than that is ever held.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._held = 0
        self._after_cr = False

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that `data` completes, without their ends."""
        if self._after_cr and data:
            self._after_cr = False
            data = data.removeprefix(b"\n")
        if not data:
            return []
        if b"\n" not in data and b"\r" not in data:
            self._hold(data)
            return []
        self._after_cr = data.endswith(b"\r")
        lines = b"".join((*self._parts, data)).splitlines()
        self._parts.clear()
        self._held = 0
        if not data.endswith((b"\n", b"\r")):
            self._hold(lines.pop())
        if any(len(line) > self._limit for line in lines):
            raise AnswerTooLong("The model sent a line that is too long to be part of an answer.")
        return lines

    def finish(self) -> bytes:
        """Return what was left without a line end, possibly nothing."""
        rest = b"".join(self._parts)
        self._parts.clear()
        self._held = 0
        return rest

    def _hold(self, data: bytes) -> None:
        self._parts.append(data)
        self._held += len(data)
        if self._held > self._limit:
            raise AnswerTooLong("The model sent a line that is too long to be part of an answer.")
