"""What is recorded of connections that leave the machine through the relay; part of `events.py`."""

from __future__ import annotations

from typing import Literal, TypeAlias

from wirken.domain.fact import _Fact

Verdict: TypeAlias = Literal[
    "allowed",
    "mode_none",
    "not_allowed",
    "ip_literal",
    "port_not_allowed",
    "method_not_allowed",
    "malformed",
    "resolution_failed",
    "private_address",
    "sni_mismatch",
]
"""Why a connection was made or not; each is a row."""

Ending: TypeAlias = Literal["closed", "refused", "unreachable", "sni_mismatch", "idle", "time", "broken", "stopped"]
"""How a connection ended. `refused`: none was made. `stopped`: with its call. `broken`: reset, or relay lost."""


class EgressVerdict(_Fact, frozen=True, kw_only=True, tag="egress_verdict"):
    """A permitted call wanted to reach a host; on disk before anything is sent there.

    `call_id` names the call, `connection` counts its attempts from 1. `program` is what the sandbox says of itself,
    which proves nothing. `rule`: what decided (`permissions.egress.Rule`, `grant`, `approval`, `relay`; `call` and
    `search` for tools that work in outbound, and where a redirect was refused, the rule that did); `by`: the
    principal who did, if one did; `lease`: of the question that was answered. `address`: where it leads, if allowed.
    """

    call_id: str
    connection: int
    verdict: Verdict
    host: str
    port: int
    rule: str
    program: str
    by: str
    lease: str
    address: str


class EgressClosed(_Fact, frozen=True, kw_only=True, tag="egress_closed"):
    """An allowed connection has ended: bytes as they passed the relay, from the call's side up, towards it down.

    Of a tool's own request: the bytes of its path, headers and body, and of the answer's.
    """

    call_id: str
    connection: int
    host: str
    address: str
    bytes_up: int
    bytes_down: int
    duration_ms: int
    ended: Ending


class HttpRedirect(_Fact, frozen=True, kw_only=True, tag="http_redirect"):
    """A server sent a permitted request on; on disk before that is judged. The verdict on it is the next of the call's.

    `hop` counts from 1; `method` and `url` are what would be asked there, `credential` the binding that would go along.
    """

    call_id: str
    hop: int
    status: int
    method: str
    url: str
    credential: str


class RelayUse(_Fact, frozen=True, kw_only=True, tag="relay_use"):
    """A process of ours used the relay: a host's first connection at once, further ones added up once an hour."""

    role: str
    host: str
    port: int
    verdict: Verdict
    connections: int
    bytes_up: int
    bytes_down: int


EgressFact: TypeAlias = EgressVerdict | EgressClosed | HttpRedirect | RelayUse
