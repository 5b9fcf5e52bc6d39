"""A server's answer as text: whatever encoding it claims, it is shown, and holds no secret that was sent there."""

from __future__ import annotations

import encodings.aliases

import pytest

from wirken.domain.secret import Secret
from wirken.outbound.answers import readable
from wirken.outbound.fetching import Answer
from wirken.outbound.scrub import MARK, Scrubber

KEY = "canary-A1b2C3d4E5f6"
CLAIMED = sorted({*encodings.aliases.aliases.values(), "idna", "punycode", "undefined", "unicode_escape", "utf-7"})

SHIFTED = b"\x1b$B"
"""In ISO-2022-JP, two letters are one sign from here on, the mark's as well."""


def answered(body: bytes, charset: str, *, cut: bool = False) -> str:
    scrubber = Scrubber()
    with scrubber.holding(Secret(KEY.encode())):
        return readable(Answer(200, "OK", {"content-type": f"text/plain; charset={charset}"}, body, cut), scrubber)


@pytest.mark.parametrize("charset", CLAIMED)
def test_any_bytes_in_any_claimed_encoding_can_be_shown(charset: str) -> None:
    for body in (bytes(range(1, 256)) * 2, b"xn--\xff." + b"a" * 70, b"\x1b$B\xff\x1b", b"+-+AAA", b""):
        assert answered(body, charset).startswith("HTTP 200 OK")


@pytest.mark.parametrize("charset", CLAIMED)
def test_an_echoed_secret_is_taken_out_whatever_encoding_the_server_claims(charset: str) -> None:
    for before in (b"", b"x", b"\x81", SHIFTED):
        whole = answered(before + KEY.encode() + b" and more", charset)
        assert MARK[1:] in whole or before == SHIFTED, "a byte before it may take the mark's first letter with it"
        assert KEY[1:] not in whole
        cut = answered(before + b"words " + KEY.encode()[:-1], charset, cut=True)
        assert "the rest is left out" in cut and "canary" not in cut


def test_the_encodings_of_the_web_are_read() -> None:
    for charset, text in (("windows-1252", "ä€"), ("Shift_JIS", "日本"), ("gb18030", "中文"), ("koi8-r", "да")):
        assert answered(text.encode(charset), charset).endswith(text)
