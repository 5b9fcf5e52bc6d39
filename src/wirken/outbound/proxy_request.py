"""Read the head of one request to a proxy, strictly: what is not plainly one of two forms is refused.

`CONNECT name:443` (RFC 9110, 9.3.6) and absolute-form requests of plain HTTP on port 80 (RFC 9112, 3.2.2); processes of
ours may name other ports, which their rows then judge. Two readers of one head must not see two requests, so there are
no folded lines, bare line feeds, doubled lengths or chunked bodies.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from wirken.domain import relay_limits
from wirken.domain.egress import Verdict
from wirken.domain.errors import ProtocolError
from wirken.domain.hosts import BadHost, IpLiteral, host_name

TLS_PORT: Final = 443
HTTP_PORT: Final = 80
END: Final = b"\r\n\r\n"

Headers: TypeAlias = list[tuple[str, str]]

_LINE: Final = re.compile(r"([A-Z]{1,16}) ([!-~]+) HTTP/1\.([01])")
_HEADER: Final = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t -~]*?)[ \t]*")
_AUTHORITY: Final = re.compile(r"(?P<host>[^/?#@\\]+?)(?::(?P<port>[0-9]{1,5}))?")
_ABSOLUTE: Final = re.compile(r"[hH][tT][tT][pP]://(?P<authority>[^/?#]*)(?P<path>[^#]*)")
_METHODS: Final = frozenset("GET HEAD POST PUT PATCH DELETE OPTIONS".split())
_HOP_BY_HOP: Final = frozenset(
    "connection proxy-connection keep-alive proxy-authorization proxy-authenticate te trailer upgrade".split()
)
"""Of this connection alone (RFC 9110, 7.6.1); `transfer-encoding` is refused instead."""
_FRAMING: Final = frozenset("host content-length transfer-encoding".split())


class Unacceptable(ProtocolError):
    """A request that is refused before anybody is asked. `host` and `port` as far as they could be read."""

    def __init__(self, verdict: Verdict, said: str, host: str = "", port: int = 0) -> None:
        super().__init__(said)
        self.verdict, self.host, self.port = verdict, host, port


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request asks for. `head` and then `body` bytes are to be sent there; CONNECT has neither."""

    host: str
    port: int
    head: bytes = b""
    body: int = 0

    @property
    def tunnels(self) -> bool:
        return not self.head


def parse(head: bytes, *, any_port: bool = False) -> Wanted:
    """Return what a request's head, its last empty line included, asks for. Raises `Unacceptable`.

    `any_port`: who judges the host judges the port too.
    """
    first, *lines = _text(head).split("\r\n")[:-2]
    line = _LINE.fullmatch(first)
    if line is None:
        raise _malformed("The request line is none of HTTP/1.")
    method, target, minor = line.groups()
    headers = _headers(lines)
    if method == "CONNECT":
        return _tunnel(target, minor, headers, any_port=any_port)
    if method not in _METHODS:
        raise Unacceptable("method_not_allowed", f"The method {method} is not relayed.")
    return _plain(method, target, minor, headers, any_port=any_port)


def _text(head: bytes) -> str:
    if len(head) > relay_limits.RELAY_HEAD or not head.endswith(END) or not head.isascii():
        raise _malformed("The request's head is too long, or not ASCII.")
    text = head.decode("ascii")
    if "\r" in text.replace("\r\n", "") or "\n" in text.replace("\r\n", ""):
        raise _malformed("The request has a bare line ending.")
    return text


def _headers(lines: Sequence[str]) -> Headers:
    found: Headers = []
    for line in lines:
        header = _HEADER.fullmatch(line)
        if header is None:
            raise _malformed("A header line is malformed.")
        found.append((header[1].lower(), header[2]))
    if len(found) > relay_limits.RELAY_HEADERS:
        raise _malformed("The request has too many headers.")
    return found


def _tunnel(target: str, minor: str, headers: Headers, *, any_port: bool) -> Wanted:
    host, port = _authority(target)
    if not port or not (any_port or port == TLS_PORT):
        raise Unacceptable("port_not_allowed", f"CONNECT leads to port {TLS_PORT} only.", host, port or 0)
    _check_host(headers, host, port, wanted=minor == "1")
    if _body(headers):
        raise _malformed("CONNECT has no body.", host, port)
    return Wanted(host, port)


def _plain(method: str, target: str, minor: str, headers: Headers, *, any_port: bool) -> Wanted:
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None or minor != "1":
        raise _malformed("Plain requests are HTTP/1.1 and name a whole http:// address.")
    host, given = _authority(absolute["authority"])
    port = HTTP_PORT if given is None else given
    if not port or not (any_port or port == HTTP_PORT):
        raise Unacceptable("port_not_allowed", f"Plain HTTP leads to port {HTTP_PORT} only.", host, port)
    _check_host(headers, host, port, wanted=True)
    body = _body(headers)
    path = absolute["path"]
    path = path if path.startswith("/") else f"/{path}"
    kept = _end_to_end(headers, host)
    named = host if port == HTTP_PORT else f"{host}:{port}"
    lines = (f"{method} {path} HTTP/1.1", f"Host: {named}", *(f"{name}: {value}" for name, value in kept))
    return Wanted(host, port, "\r\n".join((*lines, "Connection: close", "", "")).encode("ascii"), body)


def _authority(text: str) -> tuple[str, int | None]:
    """Return host and port of a target. Raises `Unacceptable`; an address is refused in every spelling."""
    if text.startswith("["):
        raise Unacceptable("ip_literal", "Addresses are not reached, names are.", text[: relay_limits.HOST])
    found = _AUTHORITY.fullmatch(text)
    if found is None:
        raise _malformed("The target names no host.")
    port = None if found["port"] is None else int(found["port"])
    if port is not None and port > 65_535:
        raise _malformed("The target's port is none.")
    try:
        return host_name(found["host"]), port
    except IpLiteral:
        raise Unacceptable(
            "ip_literal", "Addresses are not reached, names are.", found["host"][: relay_limits.HOST], port or 0
        ) from None
    except BadHost:
        raise _malformed("The target names no full host.") from None


def _check_host(headers: Headers, host: str, port: int, *, wanted: bool) -> None:
    """Raises `Unacceptable` unless one Host header names the target (RFC 9112, 3.2; HTTP/1.0 has none)."""
    given = [value for name, value in headers if name == "host"]
    if not given and not wanted:
        return
    if len(given) != 1:
        raise _malformed("The request needs one Host header.", host, port)
    if _authority(given[0]) not in ((host, None), (host, port)):
        raise _malformed("The Host header names another host than the target.", host, port)


def _body(headers: Headers) -> int:
    """Return the length of the body. Raises `Unacceptable` for every other way to say where it ends."""
    if any(name == "transfer-encoding" for name, _ in headers):
        raise _malformed("A body is relayed with its Content-Length, and not in chunks.")
    lengths = [value for name, value in headers if name == "content-length"]
    if not lengths:
        return 0
    if len(lengths) > 1 or not lengths[0].isdigit() or len(lengths[0]) > _DIGITS:
        raise _malformed("The Content-Length is none.")
    return int(lengths[0])


def _end_to_end(headers: Headers, host: str) -> Headers:
    """Return the headers that go on, without those of this connection and the Host, which is written anew."""
    named = {token.strip().lower() for name, value in headers if name == "connection" for token in value.split(",")}
    if named & _FRAMING:
        raise _malformed("The Connection header names what frames the request.", host, HTTP_PORT)
    return [(name, value) for name, value in headers if name not in _HOP_BY_HOP | named | {"host"}]


def _malformed(said: str, host: str = "", port: int = 0) -> Unacceptable:
    return Unacceptable("malformed", said, host, port)


_DIGITS: Final = 15
"""Of a length: a petabyte, and exact in every reader's numbers."""
