from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirken.domain.hosts import BadHost, IpLiteral, covers, host_name, pattern


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1",
        "127.0.0.1.",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0X7F.1",
        "0177.0.0.1",
        "017700000001",
        "0x",
        "example.0x7f",
        "1.2.3.4.5",
        "::1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "fe80::1%eth0",
        "fe80--1%lo.example.org",
    ],
)
def test_an_address_in_any_spelling_is_no_name(text: str) -> None:
    with pytest.raises(IpLiteral):
        host_name(text)


@given(st.one_of(st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map(str), st.integers(0, 2**32 - 1).map(hex)))
def test_no_address_is_a_name(text: str) -> None:
    with pytest.raises(IpLiteral):
        host_name(text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            ".",
            "localhost",
            "..",
            "a..b",
            ".a.b",
            "a.b..",
            "-a.example",
            "a-.example",
            "a_b.example",
            "a b.example",
        ),
        *(
            "a" * 64 + ".example",
            ".".join(["a" * 63] * 4),
            "ex\u0430mple.org",
            "\u212aernel.org",
            "a.b\n",
            "a.b\x00",
            "*.a.b",
        ),
        *("user@a.b", "a.b/c", "a.b?c", "a.b#c", "a.b\\c", "１２７.0.0.1"),
    ],
)
def test_what_is_no_full_host_name_is_refused(text: str) -> None:
    with pytest.raises(BadHost):
        host_name(text)


def test_a_name_has_one_spelling() -> None:
    assert host_name("PyPI.org.") == host_name("pypi.org") == "pypi.org"
    assert host_name("xn--bcher-kva.example") == "xn--bcher-kva.example"
    assert host_name("a" * 63 + ".example") and host_name("1.2.3.4.example")
    longest = ".".join(["a" * 63] * 3 + ["b" * 61])
    assert host_name(longest) == longest and len(longest) == 253


def test_a_pattern_covers_names_below_it_and_not_itself() -> None:
    patterns = ("pypi.org", "*.example.org")
    assert covers(patterns, "pypi.org") and covers(patterns, "a.example.org") and covers(patterns, "a.b.example.org")
    for other in ("example.org", "xpypi.org", "a.pypi.org", "badexample.org", "example.org.evil.net"):
        assert not covers(patterns, other), other


def test_a_pattern_needs_two_labels_below_which_it_counts() -> None:
    assert pattern("*.Example.ORG") == "*.example.org"
    for text in ("*", "*.", "*.org", "*.*.org", "a.*.org", "*.127.1"):
        with pytest.raises(BadHost):
            pattern(text)


@given(st.ip_addresses(v=4))
def test_names_made_of_addresses_stay_names(address: ipaddress.IPv4Address) -> None:
    assert host_name(f"{address}.nip.example") == f"{address}.nip.example"
