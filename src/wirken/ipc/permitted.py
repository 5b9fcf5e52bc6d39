"""What every process does that carries out permitted calls: the call is the one that was permitted, and runs once."""

from __future__ import annotations

import hashlib
import json
from typing import Final, TypeVar

import msgspec

from wirken.domain import limits
from wirken.domain.actions import CanonicalCall
from wirken.domain.errors import Refused, WirkenError
from wirken.ipc.calls.runner import WirePermit

_decoder: Final = msgspec.json.Decoder(CanonicalCall)
T = TypeVar("T")


class Unusable(WirkenError):
    """A call's arguments are not those of its tool; the message says in what."""


def checked(permit: WirePermit, raw: bytes) -> CanonicalCall:
    """Return the call whose canonical bytes the permit's hash is of. Raises `Refused`."""
    if hashlib.sha256(raw).hexdigest() != permit.call_sha256:
        raise Refused("The call is not the one that was permitted.")
    try:
        call = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeError):
        raise Refused("The permitted call cannot be read.") from None
    if call.canonical() != raw or call.session != permit.session:
        raise Refused("The permitted call is not in its canonical form, or belongs to another session.")
    return call


def arguments(text: str, kind: type[T]) -> T:
    """Return a call's arguments, read strictly. Raises `Unusable`.

    Also for a key that stands there twice: two readers could take different ones.
    """
    try:
        raw = text.encode()
        json.loads(raw, object_pairs_hook=_unique)
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeError, ValueError, RecursionError) as error:
        raise Unusable(str(error)) from error


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands there twice")
    return found


class Used:
    """The permits that were used, the last limits.PERMITS_REMEMBERED of them."""

    def __init__(self) -> None:
        self._used: dict[tuple[str, int], None] = {}

    def use(self, permit: WirePermit) -> None:
        """Raises `Refused` for a permit that was used before."""
        key = (permit.session, permit.seq)
        if key in self._used:
            raise Refused("The permit was used before.")
        self._used[key] = None
        if len(self._used) > limits.PERMITS_REMEMBERED:
            del self._used[next(iter(self._used))]
