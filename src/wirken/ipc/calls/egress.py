"""What is said on the way out: who asks the relay for a connection, and what the gateway decides about it.

A role reaches the relay over a Unix socket of its own, `<sockets>/relay-<role>.sock`, and that socket says which role
it is. What follows there is HTTP as to a proxy (RFC 9110, 7.6 and 9.3.6). Only the runner speaks for others: each
connection of its begins with a `Caller`, as a 4-byte big-endian length and MessagePack, at most
`relay_limits.RELAY_CALLER` bytes.

Outbound asks the gateway three times about each connection: may it be (`JudgeEgress`), where it leads, before it is
made (`ReachEgress`), and what went through it (`EndedEgress`).
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

from wirken.domain import limits, request_limits
from wirken.domain.egress import Ending, Verdict
from wirken.ipc.calls.runner import WirePermit

_Name = Annotated[str, msgspec.Meta(max_length=limits.SENTENCE)]
_Count = Annotated[int, msgspec.Meta(ge=0, lt=limits.ROW_NUMBER)]


class Caller(msgspec.Struct, frozen=True):
    """The tool call whose sandbox wants a connection, and the program in it that does, as far as it is known."""

    permit: WirePermit
    program: Annotated[str, msgspec.Meta(max_length=limits.SENTENCE)] = ""


class Redirect(msgspec.Struct, frozen=True):
    """What a server answered to the last request of a call: its status and its Location, as it stands there."""

    status: Annotated[int, msgspec.Meta(ge=300, le=399)]
    location: Annotated[str, msgspec.Meta(min_length=1, max_length=request_limits.URL)]


class JudgeEgress(msgspec.Struct, frozen=True, kw_only=True, tag="judge_egress"):
    """May this host be reached? `caller` is there for the runner alone.

    `found` is `allowed`, or what the relay found wrong already; then the answer is only that it is on record.
    `host` may be any text then, else it is in its one spelling. Answered by an `EgressRuling`, after a person's
    answer where one is asked. A redirect is on record before it is judged.
    """

    role: _Name
    host: _Name
    port: Annotated[int, msgspec.Meta(ge=0, le=65_535)]
    found: Verdict = "allowed"
    caller: Caller | None = None
    redirect: Redirect | None = None
    """Of a tool's own request that was sent on: the gateway works out what follows, and judges that."""


class EgressRuling(msgspec.Struct, frozen=True):
    """`ticket` names an allowed connection in what is said of it later; `said` is for whoever wanted it."""

    verdict: Verdict
    said: str = ""
    ticket: int = 0


class ReachEgress(msgspec.Struct, frozen=True, tag="reach_egress"):
    """An allowed connection leads to `address`, or cannot be made: the verdict says why. Answered once on record.

    Several addresses, with blanks between, are tried in this order.
    """

    ticket: int
    verdict: Verdict
    address: _Name = ""


class EndedEgress(msgspec.Struct, frozen=True, kw_only=True, tag="ended_egress"):
    """A connection has ended. Answered once on record."""

    ticket: int
    address: _Name
    """The one that took the connection; empty where none did."""
    bytes_up: _Count
    bytes_down: _Count
    duration_ms: _Count
    ended: Ending


class OnRecord(msgspec.Struct, frozen=True):
    """What was said is on disk."""


class StopEgress(msgspec.Struct, frozen=True, tag="stop_egress"):
    """The gateway says: this call is over, end its connections. Answered with `OnRecord` once all have ended."""

    permit: WirePermit


EgressQuestion: TypeAlias = JudgeEgress | ReachEgress | EndedEgress
