"""What every process does that carries out permitted calls: the call is the one that was permitted, and runs once."""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

from wirken.domain import limits
from wirken.domain.actions import CanonicalCall
from wirken.domain.errors import Refused
from wirken.ipc.calls.runner import WirePermit

_decoder: Final = msgspec.json.Decoder(CanonicalCall)


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
