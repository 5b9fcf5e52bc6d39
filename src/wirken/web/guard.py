"""Who may speak to the page: names and origins of this machine only, and headers that confine what we send.

Pure decisions over a request's headers, and the ASGI wrapper that applies them before any route acts.
docs/page.md, "What the page refuses".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from wirken.web.answers import Problem, problem_response

# Any port, for `ssh -L 8080:127.0.0.1:18790 host`; only names that no DNS server can point elsewhere.
_OURS: Final = re.compile(rb"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?")
_JSON: Final = re.compile(rb"application/json(;[ ]*charset=utf-8)?")

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types wirken-markdown"
)

HEADERS: Final[tuple[tuple[bytes, bytes], ...]] = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-embedder-policy", b"require-corp"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (
        b"permissions-policy",
        b"camera=(), microphone=(), geolocation=(), payment=(), usb=(), clipboard-read=()",
    ),
    (b"cache-control", b"no-store"),
)

_NAMES: Final = "Open the page as http://localhost:18790, http://127.0.0.1:18790 or http://[::1]:18790."


@dataclass(frozen=True, slots=True)
class Asked:
    """What a verdict is made from. Header values are lower-case; a tuple holds every occurrence."""

    method: str
    path: str
    hosts: tuple[bytes, ...]
    origins: tuple[bytes, ...]
    sites: tuple[bytes, ...]
    modes: tuple[bytes, ...]
    content_types: tuple[bytes, ...]


def first_problem(asked: Asked) -> Problem | None:
    """Return why this request is refused, or None."""
    return next((no for rule in _RULES if (no := rule(asked))), None)


def _method(asked: Asked) -> Problem | None:
    if asked.method in ("GET", "HEAD", "POST"):
        return None
    return Problem(405, "This method is not used here.", "The page reads with GET and acts with POST.")


def _host(asked: Asked) -> Problem | None:
    """A name that somebody else's DNS points here (rebinding) is not ours."""
    if len(asked.hosts) == 1 and _OURS.fullmatch(asked.hosts[0]):
        return None
    return Problem(421, "The page does not answer under this name.", _NAMES)


def _origin(asked: Asked) -> Problem | None:
    """Our page's origin is the Host it was loaded from; another port of this machine is another program."""
    if not asked.origins:
        return None
    if len(asked.origins) == 1 and asked.origins[0] == b"http://" + asked.hosts[0]:
        return None
    return Problem(403, "Another page may not speak to this one.", _NAMES)


def _site(asked: Asked) -> Problem | None:
    """What another site makes the browser send is refused; following a link to the page itself is not."""
    if all(site in (b"same-origin", b"none") for site in asked.sites):
        return None
    if asked.method == "GET" and asked.path == "/" and asked.modes == (b"navigate",):
        return None
    return Problem(403, "Another page may not speak to this one.", _NAMES)


def _acting(asked: Asked) -> Problem | None:
    """An action needs proof of where it comes from, and a type that no cross-site form can send."""
    if asked.method != "POST":
        return None
    if not asked.origins and not asked.sites:
        return Problem(403, "An action has to say where it comes from.", "Send an Origin header equal to the page's.")
    if len(asked.content_types) == 1 and _JSON.fullmatch(asked.content_types[0]):
        return None
    return Problem(415, "An action is sent as JSON.", "Content-Type: application/json")


_RULES: Final = (_method, _host, _origin, _site, _acting)


def read(method: str, path: str, headers: Iterable[tuple[bytes, bytes]]) -> Asked:
    """Collect what the rules look at. Header names are lower-case, as ASGI gives them."""
    found: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        if name in _READ:
            found.setdefault(name, []).append(value.lower())
    hosts, origins, sites, modes, types = (tuple(found.get(name, ())) for name in _READ)
    return Asked(method, path, hosts, origins, sites, modes, types)


_READ: Final = (b"host", b"origin", b"sec-fetch-site", b"sec-fetch-mode", b"content-type")


class Guard:
    """Refuses what `first_problem` names; adds `HEADERS` to every response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"the page serves HTTP only, not {scope['type']}")

        async def confined(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *HEADERS]
            await send(message)

        problem = first_problem(read(scope["method"], scope["path"], scope["headers"]))
        if problem is not None:
            await problem_response(problem)(scope, receive, confined)
            return
        await self._app(scope, receive, confined)
