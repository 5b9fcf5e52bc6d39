"""Newline-delimited JSON, decoded piece by piece: one document per line, blank lines skipped."""

from __future__ import annotations

from wirken.outbound.lines import LineDecoder


class NdjsonDecoder:
    """Bytes in, JSON documents (still as bytes) out. A line over `limit` bytes raises `AnswerTooLong`."""

    def __init__(self, limit: int) -> None:
        self._lines = LineDecoder(limit)

    def feed(self, data: bytes) -> list[bytes]:
        """Return the documents that `data` completes."""
        return [line for line in self._lines.feed(data) if line.strip()]

    def finish(self) -> list[bytes]:
        """Return the last document where the stream ended without a line end."""
        rest = self._lines.finish()
        return [rest] if rest.strip() else []
