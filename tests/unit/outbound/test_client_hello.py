from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import hellos
from tests.support.hellos import extension, hello, records, server_name

from wirken.domain import relay_limits
from wirken.outbound.client_hello import HelloReader, NoName

GOOD = hello(extension(43, b"\x02\x03\x04"), server_name(b"PyPI.org"), extension(16, b"\x00\x03\x02h2"))


def name(raw: bytes) -> str | None:
    return HelloReader().feed(raw)


def test_the_name_in_a_real_first_message_is_read() -> None:
    assert name(hellos.real("pypi.org")) == "pypi.org"


def test_a_real_first_message_without_a_name_names_nobody() -> None:
    with pytest.raises(NoName):
        name(hellos.real(None))


@given(st.lists(st.integers(1, 200), min_size=1, max_size=20), st.integers(1, 400))
def test_however_it_is_cut_the_same_name_is_read(cuts: list[int], size: int) -> None:
    raw = records(GOOD, size)
    reader, at, found = HelloReader(), 0, None
    for cut in (*cuts, len(raw)):
        assert found is None
        found = reader.feed(raw[at : at + cut])
        at += cut
        if at >= len(raw):
            break
    assert found == "pypi.org"
    assert bytes(reader.raw) == raw


def test_what_follows_the_message_is_kept_for_the_server() -> None:
    reader = HelloReader()
    assert reader.feed(records(GOOD) + b"early") == "pypi.org"
    assert bytes(reader.raw) == records(GOOD) + b"early"


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x80\x2e\x01\x03\x01",
        b"\x17\x03\x03\x00\x05hello",
        b"\x15\x03\x01\x00\x02\x02\x28",
        b"\x16\x02\x00\x00\x05hello",
        b"\x16\x03\x01\x00\x00",
        b"\x16\x03\x01\x40\x01" + bytes(0x4001),
        records(b"\x02" + GOOD[1:]),
        records(hello()),
        records(hello(extension(43, b"\x02\x03\x04"))),
        records(hello(server_name(b"pypi.org"), server_name(b"pypi.org"))),
        records(hello(server_name(b"pypi.org", b"evil.example"))),
        records(hello(server_name())),
        records(hello(server_name(b"pypi.org", kind=1))),
        records(hello(server_name(b"pypi.org")[:-1] + b"\x00\x00")),
        records(hello(server_name(b"p\xc3\xbcpi.org"))),
        records(hello(server_name(b"pypi.org"), tail=b"more")),
        records(hello(extension(0, b"\x00\xff\x00\x00\x08pypi.org"))),
        records(b"\x01\x00\x00\x05short"),
        records(b"\x01\xff\xff\xff"),
        records(GOOD[:60]) + b"\x17\x03\x03\x00\x05hello",
    ],
)
def test_what_does_not_plainly_name_one_server_is_refused(raw: bytes) -> None:
    with pytest.raises(NoName):
        name(raw)


def test_a_message_has_a_longest_length() -> None:
    reader = HelloReader()
    assert reader.feed(bytes([22, 3, 1, 64, 0]) + b"\x01\x00\x7f\x00" + bytes(2**14 - 4)) is None
    with pytest.raises(NoName):
        reader.feed(bytes(relay_limits.CLIENT_HELLO))
    padding = relay_limits.CLIENT_HELLO - len(records(hello(server_name(b"a.example"), extension(21, b"")), 2**14)) - 10
    longest = records(hello(server_name(b"a.example"), extension(21, bytes(padding))), 2**14)
    assert relay_limits.CLIENT_HELLO - 10 <= len(longest) <= relay_limits.CLIENT_HELLO
    assert name(longest) == "a.example"
    with pytest.raises(NoName):
        name(records(hello(server_name(b"a.example"), extension(21, bytes(padding + 11))), 2**14))


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_else(raw: bytes) -> None:
    for start in (b"", b"\x16\x03\x01", records(GOOD[:50])):
        try:
            name(start + raw)
        except NoName:
            continue


@given(st.integers(9, len(GOOD) - 1), st.integers(0, 255))
def test_a_changed_byte_never_makes_another_name_out_of_nothing(at: int, value: int) -> None:
    changed = bytearray(GOOD)
    changed[at] = value
    try:
        found = name(records(bytes(changed)))
    except NoName:
        return
    assert found is None or found.encode() in bytes(changed).lower()
