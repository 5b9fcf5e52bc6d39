"""The connections of permitted calls: judged while the call runs, ended with it, and all on record in its session."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import msgspec

from wirken.domain import limits, relay_limits
from wirken.domain.egress import EgressClosed, EgressFact, EgressVerdict, Verdict
from wirken.domain.errors import WirkenError
from wirken.domain.events import Trust
from wirken.domain.ids import SessionId
from wirken.domain.text import brief
from wirken.gateway.agent.model import OUTBOUND
from wirken.gateway.agent.seat import Seat
from wirken.gateway.egress.hosts import Answered, CallOver, Hosts, MakesHosts
from wirken.gateway.egress.redirects import MakesRedirects, Redirects
from wirken.gateway.sessions import Session
from wirken.gateway.wings import Wings
from wirken.ipc.calls.egress import EgressRuling, EndedEgress, JudgeEgress, OnRecord, ReachEgress, StopEgress
from wirken.ipc.calls.runner import Ran, WirePermit
from wirken.record.permit import Permit

_log: Final = logging.getLogger("wirken.gateway")
_TOO_MANY: Final = f"A command may try {relay_limits.EGRESS_ATTEMPTS} connections, and this one has."


@dataclass(slots=True)
class Running:
    """A permitted call while it runs, and what it has tried to reach."""

    name: WirePermit
    permit: Permit
    session: Session
    hosts: Hosts
    redirects: Redirects
    attempts: int = 0
    over: bool = False

    def noted(self, ran: Ran) -> Ran:
        """Return what came of the call; where its time is up, with a word on who used some of it."""
        waited = int(self.hosts.waited)
        if ran.ended_by != "time" or waited < 1:
            return ran
        note = f"[{waited} s of its time went by while a person was asked which hosts it may reach]"
        return msgspec.structs.replace(ran, output=f"{ran.output}\n{note}".lstrip())


@dataclass(slots=True)
class _Ticket:
    """One allowed connection. `address` once that is on record."""

    call: Running
    number: int
    wanted: JudgeEgress
    answered: Answered
    address: str = ""


@dataclass(slots=True)
class CallEgress:
    """`session` finds a session in use; `numbers` gives tickets their numbers."""

    wings: Wings
    session: Callable[[SessionId], Session]
    hosts: MakesHosts
    redirects: MakesRedirects
    numbers: Iterator[int]
    _running: dict[tuple[str, int, str], Running] = field(default_factory=dict)
    _tickets: dict[int, _Ticket] = field(default_factory=dict)

    def __contains__(self, ticket: int) -> bool:
        return ticket in self._tickets

    @asynccontextmanager
    async def during(self, permit: Permit, seat: Seat) -> AsyncIterator[Running]:
        """While the block lasts, this call's connections are judged; at its end they end, and that is on record."""
        session = self.session(permit.session)
        name = WirePermit(permit.session, permit.seq, permit.call_sha256)
        hosts, redirects = self.hosts(permit, seat, session), self.redirects(permit, seat, session)
        call = Running(name, permit, session, hosts, redirects)
        self._running[_key(name)] = call
        try:
            yield call
        finally:
            del self._running[_key(name)]
            call.over = True
            call.hosts.close()
            call.redirects.close()
            await asyncio.shield(self._finished(call))

    async def judge(self, asked: JudgeEgress) -> EgressRuling:
        """Return the verdict, on record unless the connection may be. Raises `CallOver`, `RecordFailed`."""
        call = None if asked.caller is None else self._running.get(_key(asked.caller.permit))
        if call is None:
            _log.warning("a connection was wanted for a call that does not run")
            raise CallOver("No such call runs now.")
        if call.attempts >= relay_limits.EGRESS_ATTEMPTS:
            return EgressRuling("not_allowed", _TOO_MANY)
        call.attempts += 1
        number = call.attempts
        answered = await self._answered(call, asked)
        if call.over:
            raise CallOver("The command has ended.")
        if answered.verdict != "allowed":
            await _record(call, _verdict(_Ticket(call, number, asked, answered), answered.verdict))
            return EgressRuling(answered.verdict, answered.said)
        ticket = next(self.numbers)
        self._tickets[ticket] = _Ticket(call, number, asked, answered)
        return EgressRuling("allowed", ticket=ticket)

    async def reach(self, said: ReachEgress) -> OnRecord:
        """Put on record where an allowed connection leads, or why nowhere. Raises `CallOver`, `RecordFailed`."""
        ticket = self._tickets.get(said.ticket)
        if ticket is None or ticket.call.over:
            raise CallOver("The command has ended.")
        if said.verdict == "allowed":
            ticket.address = said.address
        elif not ticket.address:
            del self._tickets[said.ticket]
        await _record(ticket.call, _verdict(ticket, said.verdict))
        return OnRecord()

    async def ended(self, said: EndedEgress) -> OnRecord:
        """Put on record what passed. Raises `CallOver`, `RecordFailed`."""
        ticket = self._tickets.pop(said.ticket, None)
        if ticket is None:
            raise CallOver("No such connection.")
        await _record(ticket.call, _closed(ticket, said))
        return OnRecord()

    async def _answered(self, call: Running, asked: JudgeEgress) -> Answered:
        if asked.found != "allowed":
            return Answered(asked.found, "relay")
        if call.attempts == relay_limits.EGRESS_ATTEMPTS:
            return Answered("not_allowed", "limit", _TOO_MANY)
        if asked.redirect is not None:
            return await call.redirects.answered(asked, asked.redirect)
        program = "" if asked.caller is None else asked.caller.program
        return await call.hosts.answered(asked.host, asked.port, program)

    async def _finished(self, call: Running) -> None:
        """End what is left of a call's connections. What outbound does not say in time is noted without it."""
        if any(ticket.call is call for ticket in self._tickets.values()):
            with contextlib.suppress(WirkenError, TimeoutError):
                async with asyncio.timeout(relay_limits.EGRESS_END):
                    link = await self.wings.get(OUTBOUND)
                    await link.call(StopEgress(call.name), OnRecord)
        for number in [number for number, ticket in self._tickets.items() if ticket.call is call]:
            ticket = self._tickets.pop(number)
            if ticket.address:
                lost = EndedEgress(ticket=number, address="", bytes_up=0, bytes_down=0, duration_ms=0, ended="broken")
                await _record(call, _closed(ticket, lost))


def _key(name: WirePermit) -> tuple[str, int, str]:
    return name.session, name.seq, name.call_sha256


async def _record(call: Running, fact: EgressFact) -> None:
    await call.session.record((Trust.GATEWAY, fact))


def _verdict(ticket: _Ticket, verdict: Verdict) -> EgressVerdict:
    wanted, answered = ticket.wanted, ticket.answered
    return EgressVerdict(
        call_id=ticket.call.permit.call_id,
        connection=ticket.number,
        verdict=verdict,
        host=brief(wanted.host, relay_limits.HOST),
        port=wanted.port,
        rule=answered.rule if verdict == answered.verdict else "relay",
        program="" if wanted.caller is None else brief(wanted.caller.program, limits.EGRESS_PROGRAM),
        by=answered.by,
        lease=answered.lease,
        address=brief(ticket.address),
    )


def _closed(ticket: _Ticket, said: EndedEgress) -> EgressClosed:
    return EgressClosed(
        call_id=ticket.call.permit.call_id,
        connection=ticket.number,
        host=ticket.wanted.host,
        address=brief(said.address),
        bytes_up=said.bytes_up,
        bytes_down=said.bytes_down,
        duration_ms=said.duration_ms,
        ended=said.ended,
    )
