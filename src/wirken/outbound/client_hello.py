"""Read the server's name from the first bytes of TLS, before any of them is sent on (RFC 8446, 4.1.2 and 5.1).

Sans-IO: bytes in, a verdict out, however records and reads are cut. With an encrypted ClientHello the outer name is
what stands here, and it is what counts: the network sees no other.
"""

from __future__ import annotations

from typing import Final

from wirken.domain import relay_limits
from wirken.domain.errors import ProtocolError

_HANDSHAKE: Final = 22
_CLIENT_HELLO: Final = 1
_SERVER_NAME: Final = 0  # the extension (RFC 6066, 3), and in it the kind of name
_RECORD: Final = 2**14  # bytes of one record's content at most


class NoName(ProtocolError):
    """These are not the first bytes of TLS, or they do not say plainly which server is meant."""


class HelloReader:
    """Collects a ClientHello. `bytes` in `raw` are all that was fed, to be sent on as they came."""

    def __init__(self) -> None:
        self.raw = bytearray()
        self._read = 0
        self._message = bytearray()

    def feed(self, data: bytes) -> str | None:
        """Return the server's name in lower case once the message is whole, else None. Raises `NoName`."""
        self.raw += data
        if len(self.raw) > relay_limits.CLIENT_HELLO:
            raise NoName("The first message is too long.")
        while self._next_record():
            if len(self._message) >= 4:
                if self._message[0] != _CLIENT_HELLO:
                    raise NoName("The first message is no ClientHello.")
                length = int.from_bytes(self._message[1:4])
                if length > relay_limits.CLIENT_HELLO:
                    raise NoName("The first message is too long.")
                if len(self._message) >= 4 + length:
                    return _name(bytes(self._message[4 : 4 + length]))
        return None

    def _next_record(self) -> bool:
        """Take the next record's content if it is there whole. Raises `NoName` for what is no handshake record."""
        header = self.raw[self._read : self._read + 5]
        if header and header[0] != _HANDSHAKE:
            raise NoName("What comes first is not TLS.")
        if len(header) < 5:
            return False
        length = int.from_bytes(header[3:5])
        if header[1] != 3 or not 0 < length <= _RECORD:
            raise NoName("The first record is none of TLS.")
        content = self.raw[self._read + 5 : self._read + 5 + length]
        if len(content) < length:
            return False
        self._message += content
        self._read += 5 + length
        return True


class _Reader:
    """Takes vectors off a message. Raises `NoName` where one is longer than what is left."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __bool__(self) -> bool:
        return bool(self._data)

    def take(self, count: int) -> bytes:
        if len(self._data) < count:
            raise NoName("The first message is cut short inside.")
        taken, self._data = self._data[:count], self._data[count:]
        return taken

    def rest(self) -> bytes:
        return self._data

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size))

    def vector(self, size: int) -> _Reader:
        """Take a length of `size` bytes and as many bytes as it says."""
        return _Reader(self.take(self.number(size)))


def _name(body: bytes) -> str:
    """Return the one name in a ClientHello. Raises `NoName` where there is none or more."""
    hello = _Reader(body)
    hello.take(2 + 32)  # legacy_version, random
    hello.vector(1)  # legacy_session_id
    hello.vector(2)  # cipher_suites
    hello.vector(1)  # legacy_compression_methods
    extensions = hello.vector(2)
    if hello:
        raise NoName("The first message is longer than what it holds.")
    found: list[_Reader] = []
    while extensions:
        kind, content = extensions.number(2), extensions.vector(2)
        if kind == _SERVER_NAME:
            found.append(content)
    if len(found) != 1:
        raise NoName("The first message does not name its server once.")
    names = found[0].vector(2)
    if found[0] or names.number(1) != _SERVER_NAME:
        raise NoName("The server's name has a form that is not known.")
    name = names.vector(2)
    if names:
        raise NoName("The first message names several servers.")
    try:
        return name.rest().decode("ascii").lower()
    except UnicodeDecodeError:
        raise NoName("The server's name is not ASCII.") from None
