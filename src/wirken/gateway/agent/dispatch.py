"""Decide, record, act: the only function that starts a tool stands here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, assert_never

from wirken.domain import limits
from wirken.domain.actions import Allowed, CanonicalCall, Denied, NeedsApproval, ToolCall, Verdict
from wirken.domain.errors import Refused, Unavailable
from wirken.domain.events import ToolPermitted, ToolResultFact, Trust
from wirken.domain.text import clip
from wirken.gateway.agent.results import invalid, refusal
from wirken.gateway.agent.seat import Seat
from wirken.gateway.log import AuditLog
from wirken.gateway.matters import DRIFTED, Matter
from wirken.gateway.sessions import Session
from wirken.gateway.tools.catalogue import InvalidCall, Tool, available, check
from wirken.ipc.calls.runner import Ran
from wirken.permissions.findings import Judged
from wirken.record.permit import Permit

LOST: Final = "The outcome is unknown: the process that ran this was lost before it answered. It was not run again."


class Runs(Protocol):
    """Whatever carries out a permitted call; it takes a permit and nothing less."""

    async def __call__(self, permit: Permit, seat: Seat) -> Ran: ...


class Asks(Protocol):
    """Whoever asks a person; a refusal is on record when it returns."""

    async def ask(self, matter: Matter, seconds: float) -> Allowed | Denied: ...


@dataclass(frozen=True, slots=True)
class Dispatcher:
    """Takes a proposed call through validation, decision, record and run.

    `placed` classifies a call where it would run now: while a person thought about it, that may have changed.
    """

    log: AuditLog
    tools: dict[str, Tool]
    decide: Callable[[Judged, Seat], Verdict]
    approvals: Asks
    run: Runs
    placed: Callable[[CanonicalCall, Seat], Judged]

    async def dispatch(self, session: Session, seat: Seat, call: ToolCall) -> None:
        """Carry out one call, or refuse it; either way the session ends up with its result row."""
        try:
            check(_offered(self.tools, session, seat), call.name, call.arguments)
        except InvalidCall as error:
            await session.record((Trust.GATEWAY, invalid(call, str(error))))
            return
        judged = self._judged(call, seat)
        canonical, verdict = judged.call, self.decide(judged, seat)
        match verdict:
            case Denied():
                await session.record(*refusal(session, call, verdict))
            case Allowed():
                await self._run(session, seat, call, canonical, verdict)
            case NeedsApproval():
                await self._ask(seat, Matter(session, call, canonical, verdict))
            case _:
                assert_never(verdict)

    async def _ask(self, seat: Seat, matter: Matter) -> None:
        """Ask a person and, after a yes, run exactly what was shown."""
        if not seat.interactive:
            await matter.refuse("not_interactive", "")
            return
        verdict = await self.approvals.ask(matter, seat.patience)
        if isinstance(verdict, Denied):
            return
        if self._judged(matter.call, seat).call.digest() != matter.canonical.digest():
            await matter.refuse("drifted", DRIFTED)
            return
        await self._run(matter.session, seat, matter.call, matter.canonical, verdict)

    async def _run(
        self, session: Session, seat: Seat, call: ToolCall, canonical: CanonicalCall, verdict: Allowed
    ) -> None:
        permit = await self.log_permit(session, call, canonical, verdict)
        try:
            ran = await self.run(permit, seat)
        except Refused as error:
            ran = Ran(outcome="failed", output=str(error))
        except Unavailable:
            ran = Ran(outcome="unknown", output=LOST)
        await session.record((Trust.TOOL, _ran(call, ran)))

    def _judged(self, call: ToolCall, seat: Seat) -> Judged:
        worded = CanonicalCall(
            tool=call.name,
            arguments=call.arguments,
            agent=seat.agent,
            session=seat.session,
            principal=seat.principal,
            channel=seat.channel,
            place=seat.place,
        )
        return self.placed(worded, seat)

    async def log_permit(self, session: Session, call: ToolCall, canonical: CanonicalCall, verdict: Allowed) -> Permit:
        """Record the permit row and return the permit; from here on the call may run, once."""
        fact = ToolPermitted(
            call_id=call.id,
            tool=call.name,
            call=canonical.canonical().decode(),
            call_sha256=canonical.digest(),
            action_keys=verdict.keys,
            tier=verdict.tier.value,
            rule=verdict.rule,
            by=verdict.by,
        )
        seq = self.log.head(session.id).seq + 1
        session.take(seq, fact, self.log.latest)
        return await self.log.permit(fact, canonical)


def _offered(tools: dict[str, Tool], session: Session, seat: Seat) -> dict[str, Tool]:
    """Return the tools that there are: none for somebody who may not use them, or where none were offered."""
    offered = session.tools is not None and bool(session.tools.tools)
    return available(tools, seat.channel) if offered and seat.role.may_use_tools else {}


def _ran(call: ToolCall, ran: Ran) -> ToolResultFact:
    kept, cut = clip(ran.output, limits.TOOL_OUTPUT)
    if ran.exit_code:
        kept = f"{kept.rstrip()}\n[exit code {ran.exit_code}]".lstrip()
    return ToolResultFact(
        call_id=call.id,
        tool=call.name,
        success=ran.outcome == "ok",
        outcome=ran.outcome,
        output=kept,
        exit_code=ran.exit_code,
        ended_by=ran.ended_by,
        truncated_bytes=ran.truncated_bytes + cut,
        duration_ms=ran.duration_ms,
    )
