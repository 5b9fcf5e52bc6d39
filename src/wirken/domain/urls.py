"""Addresses of requests, as they are judged: https or http, a host's name, and one reading only."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from wirken.domain.errors import UsageError
from wirken.domain.hosts import host_name

PORTS: Final = {"https": 443, "http": 80}

_URL: Final = re.compile(r"(https?)://([^/?#\\]+)([^#]*)(?:#.*)?", re.IGNORECASE)
_PLAIN: Final = re.compile(r"[!-\[\]-~]+")  # RFC 3986 has no blank, no control and no backslash
_DOTS: Final = re.compile(
    r"(?:^|/|%(?:25)*(?:2f|5c))(?:\.|%(?:25)*2e){1,2}(?=/|;|%(?:25)*(?:2f|5c|3b|3f|23|00)|$)", re.IGNORECASE
)
"""`.` and `..` as some server reads them: also between slashes that are encoded, once or several times, before
parameters (`..;`), and with a backslash for a slash."""


class BadUrl(UsageError):
    """A text is no address that a request could be made to."""

    hint = "Write https://host.example/path; no user, no port of its own, no `..` in the path."


class BadPort(BadUrl):
    """A request was meant for another port than its scheme's."""


class Target(NamedTuple):
    """Where a request goes. `path` begins with a slash and holds the query."""

    scheme: str
    host: str
    path: str

    @property
    def port(self) -> int:
        return PORTS[self.scheme]

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}{self.path}"


def target(url: str) -> Target:
    """Return where `url` leads (RFC 3986, without userinfo and fragment). Raises `BadUrl`, `BadHost`, `IpLiteral`.

    Only the ports of the schemes; no dot segments, which would let a path leave the prefix that it was judged by.
    """
    if not _PLAIN.fullmatch(url):
        raise BadUrl("This address holds a blank, a control character, a backslash, or a letter beyond ASCII.")
    found = _URL.fullmatch(url)
    if found is None:
        raise BadUrl("This is no http or https address.")
    scheme, authority, path = found[1].lower(), found[2], found[3]
    if "@" in authority:
        raise BadUrl("This address names a user.")
    host, _, port = authority.partition(":") if authority.count(":") == 1 else (authority, "", "")
    if port not in ("", str(PORTS[scheme])):
        raise BadPort(f"Requests go to port {PORTS[scheme]} for {scheme}, and to no other.")
    bare = path.partition("?")[0]
    if _DOTS.search(bare):
        raise BadUrl("The path of this address holds `.` or `..` as a part.")
    return Target(scheme, host_name(host), path if path.startswith("/") else f"/{path}")
