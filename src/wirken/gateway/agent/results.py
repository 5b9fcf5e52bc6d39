"""The rows of a call that was not carried out: why, and what the model reads instead of a result."""

from __future__ import annotations

from wirken.domain import limits
from wirken.domain.actions import Denied, ToolCall
from wirken.domain.events import Fact, Outcome, PermissionDenied, ToolResultFact, Trust
from wirken.gateway.sessions import Session

LAST_DENIAL = f"This was the refusal number {limits.DENIALS_PER_TURN} in this turn, so the turn ends here."


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


def denial_row(session: Session, call: ToolCall, verdict: Denied) -> tuple[tuple[Trust, Fact], ...]:
    """Return the denial alone, of what is no call of the model's."""
    fact = PermissionDenied(
        call_id=call.id,
        tool=call.name,
        action_key=verdict.keys[0],
        action_keys=verdict.keys,
        tier=verdict.tier.value,
        rule=verdict.rule,
        by=verdict.by,
    )
    return ((Trust.GATEWAY, fact),)


def refusal(session: Session, call: ToolCall, verdict: Denied) -> tuple[tuple[Trust, Fact], ...]:
    """Return the denial and its result, for one commit: a call is never denied without the model being told."""
    last = session.turn is not None and session.turn.denials + 1 == limits.DENIALS_PER_TURN
    said = f"{verdict.said} {LAST_DENIAL}" if last else verdict.said
    return (*denial_row(session, call, verdict), (Trust.GATEWAY, result(call, "denied", said)))
