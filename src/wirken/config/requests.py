"""What tools may ask of the web: `[http_credentials.NAME]`, which binds a vault entry, and `[web_search]`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal, TypeAlias

import msgspec

from wirken.domain.actions import CredentialUse
from wirken.domain.errors import ConfigError, UsageError
from wirken.domain.hosts import host_name
from wirken.domain.redirects import same_origin
from wirken.domain.urls import Target, target

Method: TypeAlias = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]

_Entry = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
_Header = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9-]{1,64}$")]
_Prefix = Annotated[str, msgspec.Meta(pattern=r"^/[!->@-~]*$", max_length=1024)]
_Format = Annotated[str, msgspec.Meta(pattern=r"^[ -z|~]*\{\}[ -z|~]*$", max_length=128)]

FRAMING: Final = frozenset(
    (
        "host content-length transfer-encoding connection keep-alive upgrade te trailer expect proxy-connection "
        "http2-settings accept-encoding"
    ).split()
)
"""Headers by which two readers of one request could differ (RFC 9110, 7.6.1; RFC 9112, 6.3): nobody sets them."""

ENGINES: Final = {"brave": "https://api.search.brave.com", "tavily": "https://api.tavily.com"}
"""Where the hosted engines are; a SearXNG is wherever its operator runs it."""


class BadRequests(ConfigError):
    """A credential's binding, or the search engine, cannot be used as it stands."""


class HttpCredential(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[http_credentials.NAME]`: the vault's entry `credential` goes, in a header, to this host and nowhere else.

    `path`: the request's path begins with it, at a slash. `format`: the header's value, `{}` stands for the entry.
    `tier`: `tier3` asks for each request that uses it, `tier2` on the first.
    """

    credential: _Entry
    host: str
    path: _Prefix = "/"
    methods: Annotated[tuple[Method, ...], msgspec.Meta(min_length=1)] = ("GET",)
    header: _Header = "Authorization"
    format: _Format = "Bearer {}"
    tier: Literal["tier2", "tier3"] = "tier3"

    def serves(self, method: str, wanted: Target) -> bool:
        """Does this entry go with such a request? Never over plain http."""
        path = wanted.path.partition("?")[0]
        below = path == self.path or path.startswith(self.path.rstrip("/") + "/")
        return wanted.scheme == "https" and wanted.host == host_name(self.host) and method in self.methods and below


class WebSearch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[web_search]`. `base_url` for SearXNG, `credential` (a vault entry) for the others."""

    kind: Literal["", "searxng", "brave", "tavily"] = ""
    base_url: Annotated[str, msgspec.Meta(pattern=r"^(https?://[^\s/?#]+[^\s?#]*)?$")] = ""
    credential: Annotated[str, msgspec.Meta(pattern=r"^([a-z0-9][a-z0-9._-]{0,63})?$")] = ""

    @property
    def address(self) -> str:
        """The base of the engine's address; empty where none is configured."""
        return (self.base_url or ENGINES.get(self.kind, "")) if self.kind else ""


def use(bindings: Mapping[str, HttpCredential], method: str, wanted: Target) -> CredentialUse | None:
    """Return which credential goes with a request: of those that serve it, the one with the longest path."""
    serving = [(len(entry.path), name) for name, entry in bindings.items() if entry.serves(method, wanted)]
    if not serving:
        return None
    _, name = max(serving)
    return CredentialUse(name, bindings[name].tier)


def still(
    bindings: Mapping[str, HttpCredential], carried: CredentialUse | None, here: Target, method: str, to: Target
) -> CredentialUse | None:
    """Return the credential that goes on with a redirect: the one that the request carries, within its own place.

    No other one ever comes along: whoever answered chose where to go, and nobody meant a credential for that.
    """
    if carried is None or not same_origin(here, to):
        return None
    return carried if use(bindings, method, to) == carried else None


def check(bindings: Mapping[str, HttpCredential], search: WebSearch) -> None:
    """Raises `BadRequests` for hosts that are none, two bindings for the same place, a search that cannot work."""
    places: dict[tuple[str, str, str], str] = {}
    for name, entry in bindings.items():
        try:
            host = target(f"https://{host_name(entry.host)}{entry.path}").host
        except UsageError as error:
            raise BadRequests(f"[http_credentials.{name}]: {error}", hint=error.advice) from None
        if entry.header.lower() in FRAMING:
            raise BadRequests(f"[http_credentials.{name}]: the header {entry.header} says how a request is read.")
        for method in entry.methods:
            other = places.setdefault((host, entry.path.rstrip("/"), method), name)
            if other != name:
                raise BadRequests(f"[http_credentials.{name}] is for the same requests as {other}.")
    if search.kind == "searxng" and not search.base_url:
        raise BadRequests("[web_search] has no base_url for SearXNG.", hint='Write base_url = "http://127.0.0.1:8888".')
    if search.kind in ENGINES and not search.credential:
        raise BadRequests(
            f"[web_search] has no credential for {search.kind}.",
            hint='Store its key with `wirken credentials add search` and write credential = "search".',
        )
