"""Addresses of requests have one reading."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirken.domain.errors import UsageError
from wirken.domain.hosts import IpLiteral
from wirken.domain.urls import Target, target


@pytest.mark.parametrize(
    ("url", "meant"),
    [
        ("https://example.org", Target("https", "example.org", "/")),
        ("HTTPS://Example.ORG./a/b?c=d#e", Target("https", "example.org", "/a/b?c=d")),
        ("http://example.org:80/", Target("http", "example.org", "/")),
        ("https://example.org:443?x", Target("https", "example.org", "/?x")),
        ("https://example.org/a..b/...c?d=../e", Target("https", "example.org", "/a..b/...c?d=../e")),
    ],
)
def test_an_address_is_read_one_way(url: str, meant: Target) -> None:
    assert target(url) == meant
    assert target(meant.url) == meant


@pytest.mark.parametrize(
    "url",
    [
        "", "example.org", "//example.org", "ftp://example.org/", "file:///etc/passwd", "javascript:alert(1)",
        "https://", "https:///x", "https://user@example.org/", "https://user:word@example.org/",
        "https://example.org@evil.test/", "https://example.org:8443/", "https://example.org:80/",
        "http://example.org:443/", "https://example.org\\@evil.test/", "https://exa mple.org/",
        "https://example.org/\r\nHost: evil.test", "https://exämple.org/", "https://example.org/a/../b",
        "https://example.org/a/%2E%2e/b", "https://example.org/a/..%2fb", "https://example.org/a%2F..%2Fb",
        "https://example.org/a/..;/b", "https://example.org/a/..;x=1/b", "https://example.org/a/%2e%2e%3B/b",
        "https://example.org/a/..%5cb", "https://example.org/a%5c..", "https://example.org/a/%252e%252E/b",
        "https://example.org/a/..%25252fb", "https://example.org/a/..%00/b",
        "https://example.org/.", "https://example.org/a/..", "https://localhost/",
        "https://example.org/\x00", "https://[::1]/", "https://127.0.0.1/", "https://2130706433/", "https://0x7f.1/",
    ],
)  # fmt: skip
def test_what_readers_could_take_for_something_else_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        target(url)


@pytest.mark.parametrize("path", ["/a%2Fb", "/a/..b", "/a/b..", "/a%2fb.c%2F.d", "/a/...", "/a;v=.", "/a/b?c=/../d"])
def test_what_only_looks_like_a_way_up_is_none(path: str) -> None:
    assert target(f"https://example.org{path}").path == path


def test_an_address_of_numbers_is_told_apart() -> None:
    with pytest.raises(IpLiteral):
        target("https://169.254.169.254/latest/meta-data")


@given(st.text())
def test_any_text_gets_an_answer(text: str) -> None:
    for url in (text, f"https://{text}", f"https://example.org/{text}"):
        try:
            found = target(url)
        except UsageError:
            continue
        assert target(found.url) == found
