"""Answers what a person says to Wirken itself: no model hears of it, and no turn comes of it."""

from __future__ import annotations

from dataclasses import dataclass

from wirken.domain.errors import WirkenError
from wirken.domain.events import Compaction, NewRequested, Trust
from wirken.domain.ids import conversation_id, session_id
from wirken.domain.people import Role
from wirken.domain.text import shown
from wirken.gateway.agent.attest import vouch
from wirken.gateway.answers import Answerer
from wirken.gateway.approvals import Approvals
from wirken.gateway.hub import Surface
from wirken.gateway.intake import Intake, check
from wirken.gateway.sessions import Session
from wirken.gateway.store import StateStore
from wirken.gateway.words import HELP, USAGE, Answer, Unclear, Word, word
from wirken.ipc.calls.operator import AnswerApproval
from wirken.ipc.frames import Inbound, Said

_NEW = "We begin anew: I know nothing of what was said here before. The record keeps it."
_NOTHING_SAID = "Nothing was said here yet, or nothing since we began anew."
_BUSY = "I am still at work here. Say /stop first, then /new."
_DONE = {
    "once": "Allowed once.",
    "session": "Allowed for this session.",
    "30d": "Allowed for 30 days.",
    "deny": "Denied.",
}


@dataclass(slots=True)
class Spoken:
    """For admitted people only: whoever asks for an answer here has been met."""

    intake: Intake
    approvals: Approvals
    store: StateStore

    async def answer(self, surface: Surface, message: Inbound, by: Answerer) -> Said | None:
        """Answer a message that is for Wirken itself; None for any other, and for `/stop`, which ends a turn.

        Raises what taking a message raises: it counts towards the pace of whoever sent it.
        """
        meant = word(message.text)
        if meant is None or meant == "/stop":
            return None
        check(message)
        await self.intake.bounds.message(by.person.principal, surface.channel)
        return Said(message.platform_id, await self._said(meant, surface, message, by))

    async def _said(self, meant: Word, surface: Surface, message: Inbound, by: Answerer) -> str:
        match meant:
            case Answer():
                return await self._answered(meant, by)
            case Unclear():
                return USAGE
            case "/help":
                return HELP
            case "/whoami":
                return f"You are {by.person.principal} ({by.person.role}) here, known as {shown(by.surface)}."
            case "/new":
                return await self._anew(self._session(surface, message), message, by)
            case _:
                return self._status(self._session(surface, message))

    def _session(self, surface: Surface, message: Inbound) -> Session:
        agent = self.intake.router.agent(message.agent, surface.channel)
        return self.intake.sessions.get(session_id(agent, surface.channel, conversation_id(message.conversation)))

    async def _answered(self, meant: Answer, by: Answerer) -> str:
        """Answer a question in words. The id was made up for exactly one call, so it stands for its lease."""
        row = next((row for row in self.approvals.pending() if row.approval == meant.approval), None)
        lease = "" if row is None else row.lease
        given = AnswerApproval(approval=meant.approval, lease=lease, choice=meant.choice, reason=meant.reason)
        try:
            await self.approvals.answer(given, by)
        except WirkenError as error:
            return f"{error} {error.advice}".strip()
        return _DONE[meant.choice]

    async def _anew(self, session: Session, message: Inbound, by: Answerer) -> str:
        """Leave all that was said out of what models see from here on, once, whoever repeats the message."""
        await vouch(self.intake.vault, session)
        if message.platform_id in session.seen:
            return _NEW
        if session.closed or not session.conversation.count:
            return _NOTHING_SAID
        if session.turn is not None or session.waiting:
            return _BUSY
        trust = Trust.OWNER if by.person.role is Role.OWNER else Trust.USER
        asked = NewRequested(by=by.person.principal, platform_id=message.platform_id)
        first = session.log.head(session.id).seq + 2
        left_out = Compaction(first_seq=first, left_out=session.conversation.count)
        await session.record((trust, asked), (Trust.GATEWAY, left_out), unfinished=True)
        self.store.forget_session(session.id)  # what was allowed for the session goes with it
        self.intake.turns.start(session)
        return _NEW

    def _status(self, session: Session) -> str:
        config = self.intake.router.config
        running = session.task is not None and not session.task.done()
        asked = sum(row.session == session.id for row in self.approvals.pending())
        return "\n".join(
            (
                f"Agent: {session.agent}, model: {config.agent(session.agent).model}",
                f"Now: {'at work' if running else 'nothing to do'}, {len(session.waiting)} messages wait",
                f"Questions that wait for an answer: {asked}",
                f"Messages that the model still sees: {session.conversation.count}",
            )
        )
