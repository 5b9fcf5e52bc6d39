"""The request that follows from a redirect (RFC 9110, 15.4). Pure: gateway and outbound each work it out alone."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urljoin

import msgspec

from wirken.domain import request_limits
from wirken.domain.errors import UsageError
from wirken.domain.urls import Target, target

FOLLOWED: Final = frozenset({301, 302, 303, 307, 308})
"""Statuses that name one other place to ask (RFC 9110, 15.4.2 to 15.4.9); 300 lets choose, 304 does not lead on."""

_ANYWHERE: Final = frozenset(
    "accept accept-language user-agent range content-type content-language content-encoding".split()
)
"""Headers that go on to another origin; any other may be a key meant for the first (RFC 9110, 15.4, item 3)."""

_OF_CONTENT: Final = frozenset(
    (
        "content-encoding content-language content-location content-type content-digest repr-digest digest "
        "last-modified"
    ).split()
)
"""Headers about a body, which go with it (RFC 9110, 15.4, item 5)."""


_REFERENCE: Final = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*://[^/?#]|(?![A-Za-z][A-Za-z0-9+.-]*:))[!-\[\]-~]*")
"""A scheme with a host behind it, or no scheme: `https:x` and `https:///x` have two readings. No blank, no control
(which `urljoin` would leave out), no backslash, nothing beyond ASCII (RFC 3986, 4.1)."""


class BadRedirect(UsageError):
    """A redirect that is not followed, whoever would approve it; the message is one for the model."""

    hint = ""


class Asked(msgspec.Struct, frozen=True):
    """A request as a tool's arguments word it."""

    url: str
    method: str = "GET"
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    body: str = ""

    def target(self) -> Target:
        """Return where it goes. Raises `BadUrl`, `BadHost`."""
        return target(self.url)


def following(asked: Asked, status: int, location: str) -> Asked:
    """Return the request that an answer sends `asked` on to. Raises `BadRedirect`.

    POST becomes GET after 301 and 302, any method but HEAD after 303; a body goes on with 307 and 308, and with other
    methods after 301 and 302.
    """
    if status not in FOLLOWED:
        raise BadRedirect(f"The status {status} leads nowhere.")
    if not _REFERENCE.fullmatch(location):
        raise BadRedirect("it leads to no address that may be asked for.")
    here = asked.target()
    try:
        to = target(urljoin(here.url, location)) if len(location) <= request_limits.URL else None
    except (UsageError, ValueError) as error:
        raise BadRedirect(f"it leads to no address that may be asked for: {error}") from None
    if to is None or len(to.url) > request_limits.URL:
        raise BadRedirect(f"it leads to an address of more than {request_limits.URL} characters.")
    if (here.scheme, to.scheme) == ("https", "http"):
        raise BadRedirect(f"it leads from https to {to.url}, which others on the way could read.")
    method, body = asked.method, asked.body
    if (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST"):
        method, body = "GET", ""
    dropped = _OF_CONTENT if method != asked.method else frozenset[str]()
    kept = {
        name: value
        for name, value in asked.headers.items()
        if name.lower() not in dropped and (same_origin(here, to) or name.lower() in _ANYWHERE)
    }
    return Asked(to.url, method, kept, body)


def same_origin(one: Target, other: Target) -> bool:
    """Have both the same scheme, host and port (RFC 6454, 5)?"""
    return (one.scheme, one.host, one.port) == (other.scheme, other.host, other.port)
