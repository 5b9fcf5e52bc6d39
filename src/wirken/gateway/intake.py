"""From a person's message to its place in a session: who and where, on disk, acknowledged."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from wirken.domain import file_limits, limits
from wirken.domain.errors import Refused, UsageError
from wirken.domain.events import StopRequested, Trust
from wirken.domain.ids import SessionId, conversation_id, session_id
from wirken.domain.people import Person, Role
from wirken.gateway.agent.attest import AsksVault, attest, vouch
from wirken.gateway.bounds import Bounds
from wirken.gateway.hub import Hub, Surface
from wirken.gateway.inbox import Came, Inbox, looked_at
from wirken.gateway.log import AuditLog
from wirken.gateway.router import Router, Wish
from wirken.gateway.seating import Seating
from wirken.gateway.sessions import Session, SessionIsClosed, Sessions
from wirken.gateway.turns import Turns
from wirken.ipc.files import NONE, Files
from wirken.ipc.frames import Accepted, Inbound, Over


class TooMuch(Refused):
    """A message that is too long, or one too many."""


class NothingRuns(Refused):
    """Somebody said `/stop` where no turn runs."""


@dataclass(slots=True)
class Intake:
    """Takes messages; their turns are run by `turns`."""

    log: AuditLog
    sessions: Sessions
    router: Router
    seating: Seating
    bounds: Bounds
    hub: Hub
    vault: AsksVault
    turns: Turns
    inbox: Inbox

    async def accept(
        self, surface: Surface, message: Inbound, wish: Wish, speaker: Person, files: Files = NONE
    ) -> Accepted:
        """Put the message of `speaker` on record and queue its turn; return once its row is on disk, and its files.

        A message whose platform id is known gets the stored row again. Raises `Refused`, `UsageError`,
        `RecordFailed`.
        """
        check(message)
        await self.seating.runner_known()
        agent = self.router.agent(message.agent, surface.channel)
        session = self.sessions.get(session_id(agent, surface.channel, conversation_id(message.conversation)))
        if message.platform_id not in session.seen:
            if is_stop(message.text):
                return await self._stop_said(surface, session, message, speaker)
            await self.bounds.message(speaker.principal, surface.channel)
            await self._ready_for_more(session)
        await vouch(self.vault, session)
        try:
            with session.bringing.held_up() if files else contextlib.nullcontext():
                known = await self._taken(session, message, wish, speaker, files)
        finally:
            self.turns.start(session)
        surface.sessions.add(session.id)
        return Accepted(message.platform_id, session.id, known)

    def over_before(self, accepted: Accepted) -> Over | None:
        """Return the end of the turn of a message that was accepted, if that is past.

        A message that comes again after its turn gets no other. How the turn ended stands in its answer, sent long ago
        or still to be delivered.
        """
        session = self.sessions.get(SessionId(accepted.session))
        return None if session.awaits(accepted.seq) else Over(session.id, accepted.platform_id, "finished", "")

    async def _taken(self, session: Session, message: Inbound, wish: Wish, speaker: Person, files: Files) -> int:
        """Return the message's row once it is on disk, and its files are settled."""
        came = await looked_at(message.files, files)
        known = session.seen.get(message.platform_id)
        if known is None:
            known = await self._record(session, message, wish, speaker, came)
        else:
            await self.log.flushed()
        await self.inbox.keep(session, known, came, files)
        return known

    async def _ready_for_more(self, session: Session) -> None:
        """Attest what is not yet, and return if the session takes a message now. Raises `Refused`, `Unavailable`."""
        if session.unattested and session.task is None:
            await attest(self.vault, session)
        if session.closed:
            raise SessionIsClosed("This session was closed.")
        if self.turns.closing:
            raise Refused("Wirken is stopping.", hint="Say it again when it runs.")
        if len(session.waiting) + len(session.bringing.messages) >= limits.TURN_QUEUE:
            raise TooMuch(f"{limits.TURN_QUEUE} messages wait in this conversation already.")

    async def _record(
        self, session: Session, message: Inbound, wish: Wish, speaker: Person, came: Sequence[Came]
    ) -> int:
        done = session.begin(*self.seating.said(session, message, wish, speaker, came), unfinished=True)
        seq = session.seen[message.platform_id]
        self.turns.wish(session, seq, wish)
        await asyncio.shield(done)
        return seq

    async def _stop_said(self, surface: Surface, session: Session, message: Inbound, speaker: Person) -> Accepted:
        """End the running turn because a person said so; no model hears of it. Raises `NothingRuns`."""
        running = session.task
        if running is None or running.done():
            raise NothingRuns("No turn runs in this conversation.")
        trust = Trust.OWNER if speaker.role is Role.OWNER else Trust.USER
        done = session.begin((trust, StopRequested(by=speaker.principal, platform_id=message.platform_id)))
        self.turns.stop(session)
        over = Over(session.id, message.platform_id, "finished", "")
        running.add_done_callback(lambda _: self.hub.tell(session.id, over))
        surface.sessions.add(session.id)
        await asyncio.shield(done)
        return Accepted(message.platform_id, session.id, session.seen[message.platform_id])


def is_stop(text: str) -> bool:
    """Does a message say that the running turn shall end?"""
    return text.strip().casefold() == "/stop"


def check(message: Inbound) -> None:
    """Return if a message can be taken at all. Raises `UsageError`, `TooMuch`."""
    if not message.text.strip() and not message.files:
        raise UsageError("The message is empty.")
    if len(message.text.encode("utf-8", "surrogatepass")) > limits.MESSAGE:
        raise TooMuch(f"The message is longer than {limits.MESSAGE} bytes.")
    if sum(file.size for file in message.files) > file_limits.INBOX_MESSAGE:
        raise TooMuch(f"The files of the message have more than {file_limits.INBOX_MESSAGE // 2**20} MiB together.")
    if not 0 < len(message.platform_id) <= limits.PLATFORM_ID or not message.platform_id.isprintable():
        raise UsageError("The message has no usable id.")
    if len(message.sender) > limits.SENDER_ID or len(message.sender_name) > limits.SENDER_NAME:
        raise TooMuch("The sender's name is too long.")
