"""Where servers send a permitted request on to: on record, then judged as if the request had been asked for there.

A redirect within the origin that was decided about, with the same credential, needs no new decision. Any other is
judged by the rules of every request: grants, gates, and a person where one is needed, while the request waits.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, assert_never

import msgspec

from wirken.config.requests import HttpCredential, still
from wirken.domain import limits, request_limits
from wirken.domain.actions import Allowed, CanonicalCall, CredentialUse, Denied, NeedsApproval, ToolCall, Verdict
from wirken.domain.egress import HttpRedirect
from wirken.domain.events import Trust
from wirken.domain.ids import CallId
from wirken.domain.redirects import Asked, BadRedirect, following, same_origin
from wirken.domain.text import clip
from wirken.gateway.agent.results import denial_row
from wirken.gateway.agent.seat import Seat
from wirken.gateway.egress.hosts import Answered, Asks, CallOver
from wirken.gateway.matters import DRIFTED, Matter
from wirken.gateway.sessions import Session
from wirken.gateway.tools.catalogue import command_line
from wirken.ipc.calls.egress import JudgeEgress, Redirect
from wirken.permissions.findings import Judged
from wirken.record.permit import Permit


class Places(Protocol):
    """Whatever classifies a request where it would go now, with this credential and no other."""

    def redirected(self, call: CanonicalCall, seat: Seat, credential: CredentialUse | None) -> Judged: ...


@dataclass(frozen=True, slots=True)
class Rules:
    """What judges requests, and whom to ask."""

    places: Places
    decide: Callable[[Judged, Seat], Verdict]
    asks: Asks
    bindings: Mapping[str, HttpCredential]


@dataclass(slots=True)
class Redirects:
    """One call's way: the request as it was last allowed, the credential that it carries, and what allowed it."""

    rules: Rules
    permit: Permit
    seat: Seat
    session: Session
    _hops: int = 0
    _now: Asked | None = None
    _carried: CredentialUse | None = None
    _allowed: Answered = field(default_factory=lambda: Answered("allowed", "call"))
    _deciding: asyncio.Task[Answered] | None = None

    async def answered(self, asked: JudgeEgress, hop: Redirect) -> Answered:
        """Return what is decided about one redirect, which is on record by then. Raises `CallOver`, `RecordFailed`."""
        if self.permit.call.tool != "http_request" or self._deciding is not None:
            return Answered("not_allowed", "redirect", "Only a request of a tool's is sent on, once at a time.")
        self._hops += 1
        if self._hops > request_limits.REDIRECTS:
            said = f"{request_limits.REDIRECTS} redirects of one request are followed, and this is one more."
            return Answered("not_allowed", "limit", said)
        now = self._request()
        try:
            further = following(now, hop.status, hop.location)
        except BadRedirect as error:
            return Answered("malformed", "redirect", str(error))
        here, to = now.target(), further.target()
        if (asked.host, asked.port) != (to.host, to.port):
            return Answered("not_allowed", "redirect", f"{asked.host} is not where the redirect leads.")
        carried = still(self.rules.bindings, self._carried, here, further.method, to)
        await self.session.record((Trust.GATEWAY, self._row(hop, further, carried)))
        answered = self._allowed
        if not same_origin(here, to) or carried != self._carried:
            answered = await self._undisturbed(further, carried)
        if answered.verdict == "allowed":
            self._now, self._carried, self._allowed = further, carried, answered
        return answered

    def close(self) -> None:
        """Take back the question that is open."""
        if self._deciding is not None:
            self._deciding.cancel()

    def _request(self) -> Asked:
        if self._now is None:
            self._carried = self.permit.call.place.credential
            self._now = msgspec.json.decode(self.permit.call.arguments, type=Asked)
        return self._now

    def _row(self, hop: Redirect, further: Asked, carried: CredentialUse | None) -> HttpRedirect:
        return HttpRedirect(
            call_id=self.permit.call_id,
            hop=self._hops,
            status=hop.status,
            method=further.method,
            url=further.url,
            credential="" if carried is None else carried.name,
        )

    async def _undisturbed(self, further: Asked, carried: CredentialUse | None) -> Answered:
        """Decide in a task of its own, which ends with the call and not with the link."""
        self._deciding = asyncio.get_running_loop().create_task(self._decided(further, carried))
        try:
            await asyncio.wait({self._deciding})
            if self._deciding.cancelled():
                raise CallOver("The request has ended.")
            return self._deciding.result()
        finally:
            self._deciding.cancel()
            self._deciding = None

    async def _decided(self, further: Asked, carried: CredentialUse | None) -> Answered:
        worded = msgspec.structs.replace(self.permit.call, arguments=json.dumps(msgspec.structs.asdict(further)))
        judged = self.rules.places.redirected(worded, self.seat, carried)
        verdict = self.rules.decide(judged, self.seat)
        match verdict:
            case Denied():
                return Answered("not_allowed", verdict.rule, verdict.said)
            case Allowed():
                return Answered("allowed", verdict.rule)
            case NeedsApproval():
                return await self._asked(self._matter(judged.call, verdict), worded, carried)
            case _:
                assert_never(verdict)

    async def _asked(self, matter: Matter, worded: CanonicalCall, carried: CredentialUse | None) -> Answered:
        host = _host_of(matter.canonical)
        if not self.seat.interactive:
            return Answered("not_allowed", "not_interactive", f"{host} needs approval, and nobody is there to ask.")
        lease = matter.canonical.digest()
        verdict = await self.rules.asks.ask(matter, self.seat.patience)
        if isinstance(verdict, Denied):
            why = "a person said no" if verdict.rule == "denied_by_person" else "nobody answered in time"
            return Answered("not_allowed", verdict.rule, f"{host} was not allowed: {why}.", verdict.by, lease)
        if self.rules.places.redirected(worded, self.seat, carried).call.digest() != lease:
            return Answered("not_allowed", "drifted", DRIFTED, verdict.by, lease)
        return Answered("allowed", "approval", by=verdict.by, lease=lease)

    def _matter(self, canonical: CanonicalCall, needs: NeedsApproval) -> Matter:
        """Return the question: a call of its own, so that its hash is of what is shown, and of what would be sent."""
        call = ToolCall(CallId(f"{self.permit.call_id}/redirect{self._hops}"), canonical.tool, canonical.arguments)
        asked_for, _ = clip(command_line(self.permit.call), limits.QUESTION_TEXT)
        sent = (
            f"A server sent this request on to there (redirect {self._hops}); what was asked for is: {asked_for}",
            "The request waits. Without a yes the model reads where it was to go, and nothing is sent there.",
        )
        needs = msgspec.structs.replace(needs, reasons=(*needs.reasons, *sent))
        return Matter(self.session, call, canonical, needs, rows=denial_row)


def _host_of(call: CanonicalCall) -> str:
    """Return the host of a request whose address was read already."""
    return msgspec.json.decode(call.arguments, type=Asked).target().host


MakesRedirects = Callable[[Permit, Seat, Session], Redirects]
"""Begins a call's way."""
