"""What a request is and what comes back, without the library that makes it (`fetch` loads that)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from wirken.domain.errors import Unavailable
from wirken.outbound.resolve import Address

Fields: TypeAlias = list[tuple[bytes, bytes]]


class FetchFailed(Unavailable):
    """No answer came; the sentence is one for the model and names no address."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One request. `addresses` were judged, and nothing else is connected to."""

    method: str
    scheme: str
    host: str
    port: int
    path: str
    headers: Fields
    body: bytes = b""
    addresses: Sequence[Address] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `cut`: the body is longer than request_limits.RESPONSE_BODY, and the rest was not read."""

    status: int
    reason: str
    headers: dict[str, str]
    """Lower-case names; of several with one name, the first."""
    body: bytes
    cut: bool
    address: str = ""
    """The one that took the connection."""


Fetch: TypeAlias = Callable[[Wanted], Awaitable[Answer]]
"""Makes one request. Raises `FetchFailed`."""
