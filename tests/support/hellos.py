"""First bytes of TLS: real ones of the ssl module, and ones made by hand."""

from __future__ import annotations

import ssl
import struct


def real(host: str | None) -> bytes:
    """Return what the ssl module sends first to `host`; without one, it names no server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=host)
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    raise AssertionError("a handshake ended without an answer")


def vector(size: int, data: bytes) -> bytes:
    return len(data).to_bytes(size, "big") + data


def extension(kind: int, data: bytes) -> bytes:
    return struct.pack(">H", kind) + vector(2, data)


def server_name(*names: bytes, kind: int = 0) -> bytes:
    return extension(0, vector(2, b"".join(bytes([kind]) + vector(2, name) for name in names)))


def hello(*extensions: bytes, tail: bytes = b"") -> bytes:
    """Return a ClientHello message with these extensions."""
    body = b"\x03\x03" + bytes(32) + vector(1, b"") + vector(2, b"\x13\x01") + vector(1, b"\x00")
    return b"\x01" + vector(3, body + vector(2, b"".join(extensions)) + tail)


def records(message: bytes, size: int = 2**14) -> bytes:
    """Return the message in records of at most `size` bytes."""
    return b"".join(b"\x16\x03\x01" + vector(2, message[at : at + size]) for at in range(0, len(message), size))
