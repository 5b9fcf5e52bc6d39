"""What a container says, taken out of the engine's multiplexed stream. Bytes in, bytes out.

Engine API, "Stream format" of `ContainerAttach`: a header of 8 bytes (kind, three zeros, length in big-endian
order), then as many bytes of output.
"""

from __future__ import annotations

from typing import Final

from wirken.domain.errors import ProtocolError

_HEADER: Final = 8  # bytes
OUT: Final = 1
ERR: Final = 2


class Demultiplexer:
    """Keeps at most a header between two feeds, whatever length it announces."""

    def __init__(self) -> None:
        self._header = bytearray()
        self._left = 0
        self._kind = OUT

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Return the output in these bytes, `OUT` and `ERR` in their order. Raises `ProtocolError`."""
        found = []
        while data:
            if self._left == 0:
                wanted = _HEADER - len(self._header)
                self._header += data[:wanted]
                data = data[wanted:]
                if len(self._header) == _HEADER:
                    self._left = self._announced()
                    self._header.clear()
                continue
            part = data[: self._left]
            found.append((self._kind, part))
            data = data[self._left :]
            self._left -= len(part)
        return found

    def _announced(self) -> int:
        self._kind = self._header[0]
        if self._kind not in (OUT, ERR) or any(self._header[1:4]):
            raise ProtocolError("The container engine's stream cannot be read.")
        return int.from_bytes(self._header[4:], "big")
