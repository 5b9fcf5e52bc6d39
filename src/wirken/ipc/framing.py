"""Split a byte stream into frames and back: 4-byte big-endian length, then the payload. Does no I/O."""

from __future__ import annotations

import struct
from typing import Final

from wirken.domain import limits
from wirken.domain.errors import ProtocolError

_LENGTH: Final = struct.Struct(">I")


class FrameTooLong(ProtocolError):
    """The peer announced more bytes than this connection allows."""

    hint = "Update the adapter; it speaks another protocol version."


class FrameEmpty(ProtocolError):
    """The peer announced a frame of no bytes, which no message has."""


def encode_frame(payload: bytes, limit: int = limits.FRAME) -> bytes:
    """Return `payload` with its length before it. Raises `FrameTooLong` over `limit` bytes, `FrameEmpty` for none."""
    if not payload:
        raise FrameEmpty("A frame of no bytes cannot be sent.")
    if len(payload) > limit:
        raise FrameTooLong(f"A frame of {len(payload)} bytes passes the limit of {limit}.")
    return _LENGTH.pack(len(payload)) + payload


class FrameDecoder:
    """Collects bytes as they come and gives whole frames.

    A length over `limit` or of zero is refused as soon as its four bytes are there, before anything is kept.
    After a refusal the stream cannot be trusted any more: drop the connection.
    """

    def __init__(self, limit: int = limits.FRAME) -> None:
        self._limit = limit
        self._kept = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Return the frames that `data` completes. Raises `FrameTooLong` or `FrameEmpty`."""
        self._kept += data
        frames: list[bytes] = []
        start = 0
        while len(self._kept) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._kept, start)
            self._check(length)
            end = start + _LENGTH.size + length
            if len(self._kept) < end:
                break
            frames.append(bytes(memoryview(self._kept)[start + _LENGTH.size : end]))
            start = end
        if start:
            del self._kept[:start]
        return frames

    @property
    def pending(self) -> int:
        """Bytes of an unfinished frame; not zero at the end of a stream means it was cut."""
        return len(self._kept)

    def _check(self, length: int) -> None:
        if length > self._limit:
            raise FrameTooLong(f"The peer announced a frame of {length} bytes; {self._limit} are allowed.")
        if length == 0:
            raise FrameEmpty("The peer announced an empty frame.")
