"""The arguments of the tools that work here, parsed and checked once more: outbound trusts nobody."""

from __future__ import annotations

import re
from typing import Annotated, Final, TypeAlias

import msgspec

from wirken.config.requests import FRAMING, Method
from wirken.domain import redirects, request_limits
from wirken.domain.errors import WirkenError
from wirken.ipc.permitted import Unusable, arguments

FORBIDDEN: Final = FRAMING | {"authorization", "proxy-authorization", "cookie"}
"""Headers that a model may not set: those by which requests are read, and those that carry credentials, which an
operator binds instead."""

_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_VALUE: Final = re.compile(r"[ -~]*")


class NotAsked(WirkenError):
    """The arguments do not fit the tool; the message is one for the model."""


class RequestArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One request. `body` is text, sent as UTF-8."""

    url: Annotated[str, msgspec.Meta(min_length=1, max_length=request_limits.URL)]
    method: Method = "GET"
    headers: Annotated[dict[str, str], msgspec.Meta(max_length=request_limits.REQUEST_HEADERS)] = msgspec.field(
        default_factory=dict
    )
    body: Annotated[str, msgspec.Meta(max_length=request_limits.REQUEST_BODY)] = ""

    def worded(self) -> redirects.Asked:
        """Return the request, which can be made as it stands. Raises `NotAsked`."""
        self._fields()
        self._content()
        return redirects.Asked(self.url, self.method, self.headers, self.body)

    def _fields(self) -> None:
        for name, value in self.headers.items():
            if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
                raise NotAsked("http_request: a header's name or value has characters that none may have.")
            if name.lower() in FORBIDDEN:
                raise NotAsked(
                    f"http_request: the header {name} cannot be set. A credential is bound by the operator, under "
                    "[http_credentials] in config.toml, and then goes with the request by itself."
                )

    def _content(self) -> None:
        try:
            raw = self.body.encode()
        except UnicodeEncodeError:
            raise NotAsked("http_request: the body holds half a surrogate pair; it is not text.") from None
        if len(raw) > request_limits.REQUEST_BODY:
            raise NotAsked(f"http_request: the body is larger than {request_limits.REQUEST_BODY} bytes.")
        if raw and self.method in ("GET", "HEAD"):
            raise NotAsked(f"http_request: a {self.method} has no body.")


class SearchArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`count`: how many results at most."""

    query: Annotated[str, msgspec.Meta(min_length=1, max_length=request_limits.SEARCH_QUERY)]
    count: Annotated[int, msgspec.Meta(ge=1, le=request_limits.SEARCH_RESULTS)] = 5


Asked: TypeAlias = RequestArguments | SearchArguments

_TYPES: Final[dict[str, type[RequestArguments] | type[SearchArguments]]] = {
    "http_request": RequestArguments,
    "web_search": SearchArguments,
}


def parsed(tool: str, text: str) -> Asked:
    """Return the arguments of one of these tools. Raises `NotAsked`, also for a key that stands there twice."""
    if tool not in _TYPES:
        raise NotAsked(f"The outbound process knows no tool '{tool}'.")
    try:
        return arguments(text, _TYPES[tool])
    except Unusable as error:
        raise NotAsked(f"{tool}: the arguments cannot be used: {error}") from error
