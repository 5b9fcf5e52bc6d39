"""What request follows from a redirect: methods, bodies and headers as RFC 9110, 15.4 has them, and what is refused."""

from __future__ import annotations

import pytest

from wirken.domain import request_limits
from wirken.domain.redirects import Asked, BadRedirect, following

HERE = "https://one.example/a/b?q"
OTHER = "https://other.example/x"


@pytest.mark.parametrize(
    ("status", "becomes"),
    [
        (301, {"GET": "GET", "HEAD": "HEAD", "POST": "GET", "PUT": "PUT", "PATCH": "PATCH", "DELETE": "DELETE"}),
        (302, {"GET": "GET", "HEAD": "HEAD", "POST": "GET", "PUT": "PUT", "PATCH": "PATCH", "DELETE": "DELETE"}),
        (303, {"GET": "GET", "HEAD": "HEAD", "POST": "GET", "PUT": "GET", "PATCH": "GET", "DELETE": "GET"}),
        (307, {"GET": "GET", "HEAD": "HEAD", "POST": "POST", "PUT": "PUT", "PATCH": "PATCH", "DELETE": "DELETE"}),
        (308, {"GET": "GET", "HEAD": "HEAD", "POST": "POST", "PUT": "PUT", "PATCH": "PATCH", "DELETE": "DELETE"}),
    ],
)
def test_the_status_decides_about_method_and_body(status: int, becomes: dict[str, str]) -> None:
    for method, then in becomes.items():
        body = "" if method in ("GET", "HEAD") else "body"
        further = following(Asked(HERE, method, {"Content-Type": "text/plain", "Accept": "*/*"}, body), status, OTHER)
        assert (further.url, further.method) == (OTHER, then)
        assert further.body == (body if then == method else "")
        assert ("Content-Type" in further.headers) == (then == method) and "Accept" in further.headers


@pytest.mark.parametrize("status", [200, 300, 304, 305, 306, 309, 399, 400])
def test_no_other_status_leads_on(status: int) -> None:
    with pytest.raises(BadRedirect):
        following(Asked(HERE), status, OTHER)


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/x", "https://one.example/x"),
        ("c", "https://one.example/a/c"),
        ("?r", "https://one.example/a/b?r"),
        ("../x", "https://one.example/x"),
        ("//other.example/x#part", OTHER),
        ("HTTPS://Other.Example:443/x", OTHER),
    ],
)
def test_a_place_is_read_against_the_one_before(location: str, url: str) -> None:
    assert following(Asked(HERE), 302, location).url == url


@pytest.mark.parametrize(
    "location",
    [
        "http://one.example/",
        "http://other.example/",
        "https://user@other.example/",
        "https://user:word@one.example/",
        "https://other.example:8443/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://0x7f000001/",
        "https://localhost/",
        "ftp://other.example/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "\\\\other.example/",
        "https://other.example\\@one.example/",
        "https:///x",
        "https:x",
        "https:/x",
        "/a\tb",
        "/a\x00b",
        "https://other.example/ x",
        "https://other.example/%2e%2e/x",
        "https://othér.example/",
        "https://other.example/\r\nX: y",
        "https://[",
    ],
)
def test_what_nobody_may_allow_is_refused(location: str) -> None:
    with pytest.raises(BadRedirect, match="leads"):
        following(Asked(HERE), 302, location)


def test_from_plain_http_to_https_is_a_place_like_any_other() -> None:
    assert following(Asked("http://one.example/"), 301, "https://one.example/").url == "https://one.example/"


def test_an_address_has_a_longest_length_as_it_stands_and_as_it_is_meant() -> None:
    longest = "https://other.example/" + "x" * (request_limits.URL - len("https://other.example/"))
    assert following(Asked(HERE), 302, longest).url == longest
    relative = "y" * (request_limits.URL - len("https://one.example/a/"))
    assert len(following(Asked(HERE), 302, relative).url) == request_limits.URL
    for location in (longest + "x", relative + "y"):
        with pytest.raises(BadRedirect, match=str(request_limits.URL)):
            following(Asked(HERE), 302, location)


def test_another_origin_gets_no_header_that_may_be_a_key() -> None:
    headers = {"Accept": "*/*", "accept-language": "en", "X-Api-Key": "k", "If-None-Match": '"1"', "Referer": HERE}
    assert following(Asked(HERE, "GET", headers), 302, "/x").headers == headers
    kept = {"Accept": "*/*", "accept-language": "en"}
    assert following(Asked(HERE, "GET", headers), 302, OTHER).headers == kept
    assert following(Asked("http://one.example/", "GET", headers), 302, HERE).headers == kept
