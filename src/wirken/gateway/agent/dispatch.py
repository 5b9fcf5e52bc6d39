"""Decide, record, act: the only function that starts a tool stands here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, assert_never

from wirken.domain import limits
from wirken.domain.actions import Allowed, CanonicalCall, Denied, NeedsApproval, ToolCall, Verdict
from wirken.domain.errors import Refused, Unavailable
from wirken.domain.events import Outcome, PermissionDenied, ToolPermitted, ToolResultFact, Trust
from wirken.domain.ids import CallId
from wirken.domain.text import clip
from wirken.gateway.agent.seat import Seat
from wirken.gateway.log import AuditLog
from wirken.gateway.sessions import Session
from wirken.gateway.tools.catalogue import InvalidCall, Tool, check
from wirken.ipc.calls.runner import Ran
from wirken.record.permit import Permit

LOST: Final = "The outcome is unknown: the process that ran this was lost before it answered. It was not run again."


class Runs(Protocol):
    """Whatever carries out a permitted call; it takes a permit and nothing less."""

    async def __call__(self, permit: Permit, seat: Seat) -> Ran: ...


class Asks(Protocol):
    """Whoever asks a person."""

    async def ask(
        self, session: Session, call_id: CallId, call: CanonicalCall, needs: NeedsApproval, seconds: float
    ) -> Allowed | Denied: ...


@dataclass(frozen=True, slots=True)
class Dispatcher:
    """Takes a proposed call through validation, decision, record and run."""

    log: AuditLog
    tools: dict[str, Tool]
    decide: Callable[[CanonicalCall, Seat], Verdict]
    approvals: Asks
    run: Runs

    async def dispatch(self, session: Session, seat: Seat, call: ToolCall) -> None:
        """Carry out one call, or refuse it; either way the session ends up with its result row."""
        try:
            check(self.tools, call.name, call.arguments)
        except InvalidCall as error:
            await session.record((Trust.GATEWAY, invalid(call, str(error))))
            return
        canonical = CanonicalCall(
            tool=call.name,
            arguments=call.arguments,
            agent=seat.agent,
            session=seat.session,
            principal=seat.principal,
            channel=seat.channel,
            place=seat.place,
        )
        verdict = self.decide(canonical, seat)
        if isinstance(verdict, NeedsApproval):
            verdict = await self._ask(session, seat, call, canonical, verdict)
        match verdict:
            case Denied():
                await session.record(
                    (Trust.GATEWAY, _denied(call, verdict)),
                    (Trust.GATEWAY, result(call, "denied", verdict.said)),
                )
            case Allowed():
                await self._run(session, seat, call, canonical, verdict)
            case _:
                assert_never(verdict)

    async def _ask(
        self, session: Session, seat: Seat, call: ToolCall, canonical: CanonicalCall, needs: NeedsApproval
    ) -> Allowed | Denied:
        if not seat.interactive:
            said = f"Permission denied: '{call.name}' requires {needs.tier.value} approval."
            return Denied(needs.tier, needs.keys, "not_interactive", said)
        return await self.approvals.ask(session, call.id, canonical, needs, seat.patience)

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
        session.take(seq, fact)
        return await self.log.permit(fact, canonical)


def result(call: ToolCall, outcome: Outcome, said: str) -> ToolResultFact:
    """Return the result of a call that did not run to its end."""
    return ToolResultFact(
        call_id=call.id,
        tool=call.name,
        success=False,
        outcome=outcome,
        output=said,
        exit_code=None,
        ended_by="",
        truncated_bytes=0,
        duration_ms=0,
    )


def invalid(call: ToolCall, said: str) -> ToolResultFact:
    """Return the result of a call that no tool can take."""
    return result(call, "invalid", said)


def _denied(call: ToolCall, verdict: Denied) -> PermissionDenied:
    return PermissionDenied(
        call_id=call.id,
        tool=call.name,
        action_key=verdict.keys[0],
        action_keys=verdict.keys,
        tier=verdict.tier.value,
        rule=verdict.rule,
        by=verdict.by,
    )


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
