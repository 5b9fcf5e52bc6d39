from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirken.domain import relay_limits
from wirken.outbound.proxy_request import Unacceptable, Wanted, parse


def head(first: str, *headers: str) -> bytes:
    return "\r\n".join((first, *headers, "", "")).encode("latin-1")


def refused(raw: bytes) -> Unacceptable:
    with pytest.raises(Unacceptable) as caught:
        parse(raw)
    return caught.value


def connect(target: str, *more: str, host: str = "") -> bytes:
    return head(f"CONNECT {target} HTTP/1.1", f"Host: {host or target}", *more)


@pytest.mark.parametrize(
    "raw",
    [
        connect("pypi.org:443"),
        connect("PyPI.org.:443", host="pypi.org"),
        connect("pypi.org:443", "User-Agent: pip/24", "Proxy-Connection: keep-alive", "Content-Length: 0"),
        head("CONNECT pypi.org:443 HTTP/1.0"),
        head("CONNECT pypi.org:443 HTTP/1.0", "Host: pypi.org:443"),
    ],
)
def test_a_tunnel_to_443_is_read(raw: bytes) -> None:
    assert parse(raw) == Wanted("pypi.org", 443)
    assert parse(raw).tunnels


@pytest.mark.parametrize(
    ("raw", "verdict"),
    [
        (connect("127.0.0.1:443"), "ip_literal"),
        (connect("127.1:443"), "ip_literal"),
        (connect("2130706433:443"), "ip_literal"),
        (connect("0x7f000001:443"), "ip_literal"),
        (connect("0177.0.0.1:443"), "ip_literal"),
        (connect("127.0.0.1.:443"), "ip_literal"),
        (connect("[::1]:443"), "ip_literal"),
        (connect("[::ffff:10.0.0.1]:443"), "ip_literal"),
        (connect("::1:443"), "ip_literal"),
        (connect("pypi.org:80"), "port_not_allowed"),
        (connect("pypi.org:8443"), "port_not_allowed"),
        (connect("pypi.org:0"), "port_not_allowed"),
        (connect("pypi.org"), "port_not_allowed"),
        (connect("pypi.org:99999"), "malformed"),
        (connect("pypi.org:443x"), "ip_literal"),
        (connect("pypi.org:"), "ip_literal"),
        (connect("localhost:443"), "malformed"),
        (connect("user@pypi.org:443"), "malformed"),
        (connect("pypi.org:443/"), "malformed"),
        (connect("https://pypi.org:443"), "malformed"),
        (connect("pypi.org:443", host="evil.example:443"), "malformed"),
        (connect("pypi.org:443", host="pypi.org:80"), "malformed"),
        (connect("pypi.org:443", "Host: pypi.org:443"), "malformed"),
        (connect("pypi.org:443", "Content-Length: 5"), "malformed"),
        (connect("pypi.org:443", "Transfer-Encoding: chunked"), "malformed"),
        (head("CONNECT pypi.org:443 HTTP/1.1"), "malformed"),
        (head("connect pypi.org:443 HTTP/1.1", "Host: pypi.org:443"), "malformed"),
        (head("CONNECT  pypi.org:443 HTTP/1.1", "Host: pypi.org:443"), "malformed"),
        (head("CONNECT pypi.org:443 HTTP/2.0", "Host: pypi.org:443"), "malformed"),
        (head("CONNECT pypi.org:443 HTTP/1.1", "Host : pypi.org:443"), "malformed"),
        (b"CONNECT pypi.org:443 HTTP/1.1\nHost: pypi.org:443\r\n\r\n", "malformed"),
        (b"CONNECT pypi.org:443 HTTP/1.1\r\nHost: pypi.org:443\n\r\n\r\n", "malformed"),
        (b"CONNECT pypi.org:443 HTTP/1.1\r\nHost: pypi.org:443\r\r\n\r\n", "malformed"),
        (b"CONNECT pypi.org:443 HTTP/1.1\r\nHost: pypi.org:443\r\nA: b\x00c\r\n\r\n", "malformed"),
        (b"CONNECT pypi.org:443 HTTP/1.1\r\nHost: pypi.org:443\r\n", "malformed"),
        (b"CONNECT pypi.org:443 HTTP/1.1\r\nHost: pypi.org:443\r\nA: b\r\n c\r\n\r\n", "malformed"),
        (b"\x16\x03\x01\x02\x00\r\n\r\n", "malformed"),
        (b"\r\n\r\n", "malformed"),
        (b"\x05\x01\x00\r\n\r\n", "malformed"),
        (head("TRACE http://example.org/ HTTP/1.1", "Host: example.org"), "method_not_allowed"),
        (head("BREW http://example.org/ HTTP/1.1", "Host: example.org"), "method_not_allowed"),
        (head("GET http://10.0.0.1/ HTTP/1.1", "Host: 10.0.0.1"), "ip_literal"),
        (head("GET http://[::1]/ HTTP/1.1", "Host: [::1]"), "ip_literal"),
        (head("GET http://169.254.169.254/latest HTTP/1.1", "Host: 169.254.169.254"), "ip_literal"),
        (head("GET http://example.org:8080/ HTTP/1.1", "Host: example.org:8080"), "port_not_allowed"),
        (head("GET https://example.org/ HTTP/1.1", "Host: example.org"), "malformed"),
        (head("GET ftp://example.org/ HTTP/1.1", "Host: example.org"), "malformed"),
        (head("GET / HTTP/1.1", "Host: example.org"), "malformed"),
        (head("OPTIONS * HTTP/1.1", "Host: example.org"), "malformed"),
        (head("GET http://example.org/ HTTP/1.0", "Host: example.org"), "malformed"),
        (head("GET http://example.org/ HTTP/1.1"), "malformed"),
        (head("GET http://example.org/ HTTP/1.1", "Host: evil.example"), "malformed"),
        (head("GET http://example.org/ HTTP/1.1", "Host: example.org", "host: example.org"), "malformed"),
        (head("GET http://u:p@example.org/ HTTP/1.1", "Host: example.org"), "malformed"),
        (head("GET http://example.org\\@evil.example/ HTTP/1.1", "Host: example.org"), "malformed"),
        (head("GET http://example.org/#f HTTP/1.1", "Host: example.org"), "malformed"),
        (head("POST http://example.org/ HTTP/1.1", "Host: example.org", "Transfer-Encoding: chunked"), "malformed"),
        (
            head("POST http://example.org/ HTTP/1.1", "Host: example.org", "Content-Length: 3", "Transfer-Encoding: x"),
            "malformed",
        ),
        (
            head("POST http://example.org/ HTTP/1.1", "Host: example.org", "Content-Length: 3", "Content-Length: 3"),
            "malformed",
        ),
        (head("POST http://example.org/ HTTP/1.1", "Host: example.org", "Content-Length: +3"), "malformed"),
        (head("POST http://example.org/ HTTP/1.1", "Host: example.org", "Content-Length: 3, 3"), "malformed"),
        (head("POST http://example.org/ HTTP/1.1", "Host: example.org", "Content-Length: " + "1" * 16), "malformed"),
        (head("GET http://example.org/ HTTP/1.1", "Host: example.org", "Connection: content-length"), "malformed"),
        (head("GET http://example.org/ HTTP/1.1", "Host: example.org", "X: caf\xe9"), "malformed"),
    ],
)
def test_what_is_not_plainly_a_request_is_refused(raw: bytes, verdict: str) -> None:
    assert refused(raw).verdict == verdict


def test_what_was_refused_is_named_as_far_as_it_could_be_read() -> None:
    no = refused(connect("pypi.org:22"))
    assert (no.verdict, no.host, no.port) == ("port_not_allowed", "pypi.org", 22)
    assert refused(connect("127.1:443")).host == "127.1"


def test_who_judges_ports_gets_to_see_every_one_but_0() -> None:
    assert parse(connect("matrix.org:8448"), any_port=True) == Wanted("matrix.org", 8448)
    raw = head("GET http://own.example:8008/a HTTP/1.1", "Host: own.example:8008")
    wanted = parse(raw, any_port=True)
    assert (wanted.host, wanted.port) == ("own.example", 8008)
    assert wanted.head.startswith(b"GET /a HTTP/1.1\r\nHost: own.example:8008\r\n")
    for zero in (connect("pypi.org:0"), head("GET http://pypi.org:0/ HTTP/1.1", "Host: pypi.org:0")):
        with pytest.raises(Unacceptable) as caught:
            parse(zero, any_port=True)
        assert caught.value.verdict == "port_not_allowed"


def test_a_plain_request_goes_on_without_what_was_for_the_proxy() -> None:
    raw = head(
        "POST HTTP://Example.org/a?b=c HTTP/1.1",
        "Accept: */*",
        "HOST: example.ORG:80",
        "Proxy-Authorization: Basic c2VjcmV0",
        "Connection: keep-alive, X-Mine",
        "X-Mine: 1",
        "Keep-Alive: 5",
        "Upgrade: h2c",
        "TE: trailers",
        "Content-Length: 3",
    )
    wanted = parse(raw)
    assert (wanted.host, wanted.port, wanted.body, wanted.tunnels) == ("example.org", 80, 3, False)
    assert wanted.head == head(
        "POST /a?b=c HTTP/1.1", "Host: example.org", "accept: */*", "content-length: 3", "Connection: close"
    )


@pytest.mark.parametrize(("url", "path"), [("http://example.org", "/"), ("http://example.org?q", "/?q")])
def test_an_address_without_a_path_has_one(url: str, path: str) -> None:
    assert parse(head(f"GET {url} HTTP/1.1", "Host: example.org")).head.startswith(f"GET {path} ".encode())


def test_a_head_has_a_longest_length_and_a_number_of_headers() -> None:
    most = relay_limits.RELAY_HEAD - len(connect("pypi.org:443", "A: "))
    fits = connect("pypi.org:443", "A: " + "b" * most)
    assert len(fits) == relay_limits.RELAY_HEAD and parse(fits)
    assert refused(connect("pypi.org:443", "A: " + "b" * (most + 1))).verdict == "malformed"
    assert parse(connect("pypi.org:443", *["A: b"] * (relay_limits.RELAY_HEADERS - 1)))
    assert refused(connect("pypi.org:443", *["A: b"] * relay_limits.RELAY_HEADERS)).verdict == "malformed"


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(raw: bytes) -> None:
    with contextlib.suppress(Unacceptable):
        parse(raw + b"\r\n\r\n")


@given(st.binary(max_size=40), st.integers(0, 60))
def test_whatever_is_put_into_a_good_request_it_leads_to_the_same_host_or_nowhere(junk: bytes, at: int) -> None:
    raw = head("GET http://example.org/ HTTP/1.1", "Host: example.org")
    mutated = raw[:at] + junk + raw[at:]
    try:
        wanted = parse(mutated)
    except Unacceptable:
        return
    assert wanted.head.count(b"\r\n\r\n") == 1
    assert wanted.head.split(b"\r\n")[1] == b"Host: " + wanted.host.encode()
