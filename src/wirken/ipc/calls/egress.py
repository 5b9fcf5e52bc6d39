"""What is said on the way out: who asks the relay for a connection, on whose behalf.

A role reaches the relay over a Unix socket of its own, `<sockets>/relay-<role>.sock`, and that socket says which role
it is. What follows there is HTTP as to a proxy (RFC 9110, 7.6 and 9.3.6). Only the runner speaks for others: each
connection of its begins with a `Caller`, as a 4-byte big-endian length and MessagePack.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from wirken.domain import limits
from wirken.ipc.calls.runner import WirePermit


class Caller(msgspec.Struct, frozen=True):
    """The tool call whose sandbox wants a connection, and the program in it that does, as far as it is known."""

    permit: WirePermit
    program: Annotated[str, msgspec.Meta(max_length=limits.SENTENCE)] = ""
