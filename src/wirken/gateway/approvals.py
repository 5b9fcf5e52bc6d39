"""Questions to a person: one queue, answered by whichever surface answers first.

The queue is the record: a question without an answer in a turn that is open. What stands here is who waits for which
row. A yes is a single-use lease on the exact call that was shown: the answer repeats the lease, and the permit that
follows carries the same hash. No answer in time is a no. An answer counts once its row is on disk.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

import msgspec

from wirken.domain import limits
from wirken.domain.actions import Allowed, Denied
from wirken.domain.clock import Clock
from wirken.domain.events import ApprovalRequested, Trust
from wirken.gateway.answers import Answerer, AnswerRefused, RefusedAnswers, decided, fits, past
from wirken.gateway.homes import Homes
from wirken.gateway.hub import Hub, Surface
from wirken.gateway.log import AuditLog, Stored
from wirken.gateway.matters import DRIFTED, Matter
from wirken.gateway.questions import Put, question, requested
from wirken.gateway.store import Holder, StateStore
from wirken.ipc.calls.operator import AnswerApproval, ApprovalRow
from wirken.ipc.frames import Asked, Settled
from wirken.ipc.link import pack

SUSPEND: Final = "suspend"
"""The word with which a turn's task is cancelled to be put aside: a question of it goes on waiting, on disk."""


@dataclass(slots=True)
class _Pending:
    """A question that waits. `answering`: a person, `by`, has answered, and the row of it is on its way to disk."""

    matter: Matter
    row: ApprovalRow
    settled: asyncio.Future[Allowed | Denied]
    elsewhere: bool
    """Whoever asked may not answer, so it is put to those who may, wherever they are."""
    answering: str = ""
    by: str = ""

    pushed: bool = False
    """The conversation that it is put to was told, or will be when its channel connects."""

    def here(self, surface: Surface) -> bool:
        """Is this a terminal, or the page, that shows the question?"""
        shown = surface.watches or (self.elsewhere and surface.answers_for_others)
        return not surface.is_chat and (shown or surface.follows(self.matter.session.id))

    def there(self, surface: Surface) -> bool:
        """Is this the adapter of the conversation that it is put to?"""
        return surface.is_chat and self.row.put_to.partition("/")[0] == surface.channel

    def asked(self) -> Asked:
        return Asked(self.matter.session.id, pack(self.row))

    def belongs_to(self, channel: str) -> bool:
        return not channel or self.elsewhere or self.row.channel == channel


class Approvals:
    """What waits for a person."""

    def __init__(self, hub: Hub, store: StateStore, clock: Clock, log: AuditLog, homes: Homes) -> None:
        self._hub = hub
        self._store = store
        self._clock = clock
        self._homes = homes
        self._pending: dict[str, _Pending] = {}
        self._past: OrderedDict[str, str] = OrderedDict()
        self._refused = RefusedAnswers(log, clock)

    def pending(self, channel: str = "") -> tuple[ApprovalRow, ...]:
        """Return the open questions: all, or those that belong on the surfaces of one channel."""
        return tuple(waiting.row for waiting in self._pending.values() if waiting.belongs_to(channel))

    # --- asking ---------------------------------------------------------------------------------------

    async def ask(self, matter: Matter, seconds: float) -> Allowed | Denied:
        """Put the question to whoever may answer and wait, `seconds` at most; a refusal is on record on return.

        A question about this call that the rows hold already, from before a restart, is put again as it stands, or
        ends with what was answered to it.
        """
        turn = matter.session.turn
        known = None if turn is None else turn.asked.get(matter.call.id)
        if turn is None or known is None:
            return await self._asked(matter, await self._begun(matter, seconds), f"within {seconds:.0f} s")
        if known.lease != matter.canonical.digest():
            return await matter.refuse("drifted", DRIFTED)
        if self._clock.now() >= known.expires:
            return await matter.refuse("no_answer", "Nobody answered in time.")
        given = turn.approved.get(matter.call.id)
        if given is not None:
            return matter.allowed(given.by)
        return await self._asked(matter, known, "in time")

    async def _begun(self, matter: Matter, seconds: float) -> ApprovalRequested:
        now, session = self._clock.now(), matter.session
        held = self._homes.held_until(now) if self._homes.elsewhere(session) else 0
        expires = (held or now) + int(seconds * 1000)
        put = Put(secrets.token_hex(8), self._homes.put_to(session), held, expires)
        fact = requested(session, matter.call.id, matter.canonical, matter.needs, put)
        await matter.session.record((Trust.GATEWAY, fact))
        return fact

    async def _asked(self, matter: Matter, fact: ApprovalRequested, how_long: str) -> Allowed | Denied:
        settled: asyncio.Future[Allowed | Denied] = asyncio.get_running_loop().create_future()
        # as it is configured now: a home that was given up is not asked again after a restart
        homes = self._homes
        row = msgspec.structs.replace(
            question(matter.session, fact), put_to=homes.put_to(matter.session), four_eyes=homes.four_eyes
        )
        waiting = _Pending(matter, row, settled, self._homes.elsewhere(matter.session))
        self._pending[fact.approval] = waiting
        self._push(waiting)
        self._hub.show(waiting.asked(), waiting.here)
        decision = "withdrawn"
        try:
            if not await self._answered(waiting):
                decision = "lapsed"
                self._pending.pop(fact.approval)
                return await matter.refuse("no_answer", f"Nobody answered {how_long}.")
            decision = waiting.answering
            return settled.result()
        except asyncio.CancelledError as stopped:
            decision = "" if SUSPEND in stopped.args else decision
            raise
        finally:
            settled.cancel()
            self._gone(waiting, decision)

    async def _answered(self, waiting: _Pending) -> bool:
        """Wait for an answer that is on disk; False once the time is over, by either of two clocks.

        The loop's clock stands still while a machine is suspended, the wall clock may be set.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + max(0.0, (waiting.row.expires - self._clock.now()) / 1000)
        while not waiting.settled.done():
            left = min(deadline - loop.time(), limits.APPROVAL_LOOK, self._push(waiting))
            over = left <= 0 or self._clock.now() >= waiting.row.expires
            if over and not waiting.answering:
                return False
            await asyncio.wait([waiting.settled], timeout=None if waiting.answering else left)
        return True

    def _push(self, waiting: _Pending) -> float:
        """Tell the conversation that it is put to, unless quiet hours hold it back; return the seconds they last."""
        if waiting.pushed:
            return limits.APPROVAL_LOOK
        now = self._clock.now()
        held = self._homes.held_until(now) if waiting.elsewhere else 0
        waiting.row = msgspec.structs.replace(waiting.row, held_until=held)
        if held:
            return (held - now) / 1000
        waiting.pushed = True
        self._hub.show(waiting.asked(), waiting.there)
        return limits.APPROVAL_LOOK

    def connected(self, surface: Surface) -> None:
        """Put the questions that wait to a channel that connects: it may have missed them, or lost what it showed."""
        for waiting in self._pending.values():
            if waiting.there(surface) and not waiting.answering:
                waiting.pushed = False
                self._push(waiting)

    def _gone(self, waiting: _Pending, decision: str) -> None:
        approval, session = waiting.row.approval, waiting.matter.session.id
        self._pending.pop(approval, None)
        self._past[approval] = waiting.answering or decision
        if len(self._past) > limits.QUESTIONS_REMEMBERED:
            self._past.popitem(last=False)
        if decision:  # what is only put aside goes on waiting
            frame = Settled(session, approval, decision, waiting.by if decision == waiting.answering else "")
            self._hub.show(frame, lambda surface: waiting.here(surface) or waiting.there(surface))

    # --- answering ------------------------------------------------------------------------------------

    async def answer(self, given: AnswerApproval, by: Answerer) -> None:
        """Take a person's answer; return once it is on disk. Raises `AnswerRefused`, `RecordFailed`.

        An answer that does not count is on record as well.
        """
        try:
            recorded = self._take(given, by)
        except AnswerRefused as error:
            waiting = self._pending.get(given.approval)
            session = "" if waiting is None else waiting.row.session
            await self._refused.note(given.approval, session, by.person.principal, by.surface, str(error))
            raise
        await asyncio.shield(recorded)

    async def refused(self, approval: str, surface: str, reason: str) -> None:
        """Put on record that somebody answered who is nobody here."""
        waiting = self._pending.get(approval)
        await self._refused.note(approval, "" if waiting is None else waiting.row.session, "", surface, reason)

    def _take(self, given: AnswerApproval, by: Answerer) -> asyncio.Future[list[Stored]]:
        waiting = self._open(given, by)
        fits(waiting.row, given)
        verdict, entries = decided(waiting.matter, waiting.row, given, by)
        recorded = waiting.matter.session.begin(*entries)
        waiting.answering, waiting.by = given.choice, by.person.principal
        recorded.add_done_callback(lambda done: self._recorded(waiting, verdict, done))
        return recorded

    def _open(self, given: AnswerApproval, by: Answerer) -> _Pending:
        """Return the question that this person may answer now."""
        if not by.person.role.may_answer:
            raise AnswerRefused("Only owners and approvers answer questions.")
        waiting = self._pending.get(given.approval)
        if waiting is None or waiting.answering:
            raise past(self._past.get(given.approval, "") if waiting is None else waiting.answering)
        if self._clock.now() >= waiting.row.expires:
            raise AnswerRefused("This question is not open any more: it has lapsed.")
        if not waiting.belongs_to(by.only):
            raise AnswerRefused("This question belongs to another channel.")
        if by.spot and not self._homes.may_answer_at(by.spot, waiting.row):
            raise AnswerRefused("This question was put to another conversation.", hint="Answer it there.")
        if self._homes.four_eyes and waiting.row.principal == by.person.principal:
            raise AnswerRefused(
                "Whoever asked may not answer: four eyes are wanted.", hint="Another owner or approver answers."
            )
        return waiting

    def _recorded(self, waiting: _Pending, verdict: Allowed | Denied, done: asyncio.Future[list[Stored]]) -> None:
        """Let the turn go on, once what was answered is on disk; remember it where it is to be remembered."""
        error = done.exception()
        if error is None and waiting.answering in ("30d", "session"):
            call = waiting.matter.canonical
            holder = Holder(call.agent, call.principal, call.channel)
            session = call.session if waiting.answering == "session" else ""
            for key in verdict.keys:
                self._store.remember(holder, key, self._clock.now(), verdict.by, session=session)
        if waiting.settled.done():
            return
        if error is None:
            waiting.settled.set_result(verdict)
        else:
            waiting.settled.set_exception(error)
