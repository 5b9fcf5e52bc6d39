"""Questions to a person: one queue, answered by whichever surface answers first.

A yes is a single-use lease on the exact call that was shown: the answer repeats the lease, and the permit that
follows carries the same hash. No answer in time is a no.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass

from wirken.domain.actions import Allowed, CanonicalCall, Denied, NeedsApproval, Tier
from wirken.domain.clock import Clock
from wirken.domain.errors import Refused
from wirken.domain.events import ApprovalRequested, PermissionApproved, Trust
from wirken.domain.ids import CallId
from wirken.gateway.hub import Hub
from wirken.gateway.sessions import Session
from wirken.gateway.store import Holder, StateStore
from wirken.gateway.tools.catalogue import command_line
from wirken.ipc.calls.operator import AnswerApproval, ApprovalRow
from wirken.ipc.frames import Asked, Settled
from wirken.ipc.link import pack
from wirken.permissions.decide import denial


class AnswerRefused(Refused):
    """An answer that comes late, twice, for something else, or asks for more than may be given."""


@dataclass(frozen=True, slots=True)
class _Answer:
    choice: str
    reason: str
    by: str
    surface: str


@dataclass(slots=True)
class _Pending:
    row: ApprovalRow
    answered: asyncio.Future[_Answer]


class Approvals:
    """What waits for a person."""

    def __init__(self, hub: Hub, store: StateStore, clock: Clock) -> None:
        self._hub = hub
        self._store = store
        self._clock = clock
        self._pending: dict[str, _Pending] = {}

    def pending(self, channel: str = "") -> tuple[ApprovalRow, ...]:
        """Return the open questions, those of one channel's sessions if it is named."""
        rows = (waiting.row for waiting in self._pending.values())
        return tuple(row for row in rows if not channel or row.session.split("/")[1] == channel)

    async def ask(
        self, session: Session, call_id: CallId, call: CanonicalCall, needs: NeedsApproval, seconds: float
    ) -> Allowed | Denied:
        """Put the question to whoever follows the session and wait for the answer, `seconds` at most."""
        row = self._row(call_id, call, needs, seconds)
        await session.record((Trust.GATEWAY, _requested(row)))
        waiting = _Pending(row, asyncio.get_running_loop().create_future())
        self._pending[row.approval] = waiting
        self._hub.tell(session.id, Asked(session.id, pack(row)))
        decision = "withdrawn"
        try:
            async with asyncio.timeout(seconds):
                answer = await waiting.answered
            decision = answer.choice
        except TimeoutError:
            decision = "lapsed"
            return _denied(call, needs, "no_answer", "", f"Nobody answered within {seconds:.0f} s.")
        finally:
            self._pending.pop(row.approval, None)
            self._hub.tell(session.id, Settled(session.id, row.approval, decision))
        if answer.choice == "deny":
            return _denied(call, needs, "denied_by_person", answer.by, answer.reason)
        return await self._approved(session, call, needs, row, answer)

    def answer(self, given: AnswerApproval, session_channel: str, by: str, surface: str) -> ApprovalRow:
        """Take a person's answer. `session_channel` limits whose questions may be answered; empty: all.

        Raises `AnswerRefused`.
        """
        waiting = self._pending.get(given.approval)
        if waiting is None or waiting.answered.done():
            raise AnswerRefused("This question is not open any more: it was answered or has lapsed.")
        if session_channel and waiting.row.session.split("/")[1] != session_channel:
            raise AnswerRefused("This question belongs to another channel.")
        if given.lease != waiting.row.lease:
            raise AnswerRefused("The answer is for another call than the one that waits.")
        if given.choice == "30d" and waiting.row.tier != Tier.TWO:
            raise AnswerRefused("A Tier 3 call is approved once at a time; nothing is stored.")
        waiting.answered.set_result(_Answer(given.choice, given.reason, by, surface))
        return waiting.row

    async def _approved(
        self, session: Session, call: CanonicalCall, needs: NeedsApproval, row: ApprovalRow, answer: _Answer
    ) -> Allowed:
        fact = PermissionApproved(
            approval=row.approval,
            call_id=row.call_id,
            lease=row.lease,
            action_keys=row.action_keys,
            tier=row.tier,
            scope=answer.choice,
            by=answer.by,
            surface=answer.surface,
        )
        await session.record((Trust.OWNER, fact))
        if answer.choice == "30d":
            holder = Holder(call.agent, call.principal, call.channel)
            for key in needs.keys:
                self._store.remember(holder, key, self._clock.now(), answer.by)
        return Allowed(needs.tier, needs.keys, "approval", answer.by)

    def _row(self, call_id: CallId, call: CanonicalCall, needs: NeedsApproval, seconds: float) -> ApprovalRow:
        return ApprovalRow(
            approval=secrets.token_hex(8),
            session=call.session,
            call_id=call_id,
            tool=call.tool,
            command=command_line(call),
            call=call.canonical().decode(),
            lease=call.digest(),
            action_keys=needs.keys,
            tier=needs.tier.value,
            reasons=needs.reasons,
            expires=self._clock.now() + int(seconds * 1000),
        )


def _requested(row: ApprovalRow) -> ApprovalRequested:
    return ApprovalRequested(
        approval=row.approval,
        call_id=row.call_id,
        call=row.call,
        lease=row.lease,
        action_keys=row.action_keys,
        tier=row.tier,
        reasons=row.reasons,
        expires=row.expires,
    )


def _denied(call: CanonicalCall, needs: NeedsApproval, rule: str, by: str, why: str) -> Denied:
    said = denial(call, needs.tier)
    return Denied(needs.tier, needs.keys, rule, f"{said} {why}".rstrip(), by)
