"""What a request to the model consists of, as the fake received it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import msgspec


class _Request(msgspec.Struct):
    messages: list[msgspec.Raw]
    tools: msgspec.Raw = msgspec.Raw()


class _Role(msgspec.Struct):
    role: str


_request: Final = msgspec.json.Decoder(_Request)
_role: Final = msgspec.json.Decoder(_Role)


def prefix(body: bytes) -> bytes:
    """Return the bytes that prompt caches hit on: the tools, then the system prompt, as they were sent."""
    request = _request.decode(body)
    return bytes(request.tools) + b"".join(bytes(message) for message in _system(request))


def bare_size(body: bytes) -> int:
    """Return the bytes of the same request without tools and system prompt."""
    return len(body) - len(prefix(body))


def stable(bodies: Sequence[bytes]) -> bool:
    """Do the requests of each session only ever add messages? A request of one message begins a session."""
    return all(_continues(before, after) for before, after in pairwise(map(_request.decode, bodies)))


def _continues(before: _Request, after: _Request) -> bool:
    if len(after.messages) == len(_system(after)) + 1:
        return True
    earlier = [bytes(message) for message in before.messages]
    return [bytes(message) for message in after.messages[: len(earlier)]] == earlier


def _system(request: _Request) -> list[msgspec.Raw]:
    return [message for message in request.messages if _role.decode(message).role == "system"]
