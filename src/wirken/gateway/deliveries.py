"""Sends what sessions have for their platform's conversations, and puts on record what became of it.

Nothing is remembered here that the rows do not say: what has no row of its delivery is sent again, with the same key,
after the adapter or the gateway was away. In one conversation everything goes in order; no conversation waits for
another, unless `channel_limits.DELIVERIES` of its channel are on their way already.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from wirken.domain import channel_limits, limits
from wirken.domain.clock import Clock
from wirken.domain.errors import WirkenError
from wirken.domain.events import AssistantMessageFact, DeliveryConfirmed, DeliveryFailed, Trust, TurnEnded
from wirken.domain.ids import ChannelId, SessionId
from wirken.domain.text import brief, clean, clip
from wirken.gateway.agent.attest import AsksVault, vouch_once_it_answers
from wirken.gateway.channels import Channels
from wirken.gateway.log import RecordFailed, Stored
from wirken.gateway.outbox import Outgoing
from wirken.gateway.people import People
from wirken.gateway.sessions import Session, Sessions
from wirken.ipc.calls.channels import Deliver, Delivered
from wirken.ipc.link import Link, LinkLost

_log: Final = logging.getLogger("wirken.gateway")

BACK: Final = "Back online; this answer is late.\n\n"
TOO_OLD: Final = f"It was not confirmed within {channel_limits.DELIVERY_LIFETIME // 86_400} days."
NOT_ADMITTED: Final = "Whoever it is for is not admitted any more."


@dataclass(slots=True)
class Deliveries:
    """`attest` has the session's new rows signed, soon. `failed`: the record cannot be written."""

    sessions: Sessions
    channels: Channels
    people: People
    vault: AsksVault
    clock: Clock
    attest: Callable[[Session], None]
    failed: Callable[[], None]
    _workers: dict[SessionId, asyncio.Task[bool]] = field(default_factory=dict)
    _places: dict[ChannelId, asyncio.Semaphore] = field(default_factory=dict)
    _attempts: dict[tuple[SessionId, int], int] = field(default_factory=dict)
    _late: dict[SessionId, int] = field(default_factory=dict)
    """The row that tells a conversation that we are back, until nothing waits for it."""
    _closed: bool = False

    # --- what starts them -----------------------------------------------------------------------------

    def committed(self, stored: Stored) -> None:
        """Hear of every row on disk."""
        if isinstance(stored.row.fact, AssistantMessageFact | TurnEnded):
            session = self.sessions.in_memory(stored.row.session)
            if session is not None:
                self.start(session)

    def opened(self, channel: ChannelId) -> None:
        """Send what waits for a channel: its adapter has come, or says that its platform is there."""
        for session in self.sessions.loaded():
            if session.channel == channel:
                self.start(session)

    def start(self, session: Session) -> None:
        """Send what waits in a session, unless that is being done."""
        if self._closed or session.id in self._workers or not session.outbox.waiting:
            return
        worker = asyncio.get_running_loop().create_task(self._work(session))
        self._workers[session.id] = worker
        worker.add_done_callback(lambda ended: self._ended(session, ended))

    def _ended(self, session: Session, worker: asyncio.Task[bool]) -> None:
        """Go on where something came, or the adapter did, after the worker had looked for the last time."""
        del self._workers[session.id]
        error = None if worker.cancelled() else worker.exception()
        if error is not None:
            _log.error("a delivery failed in a way that was not foreseen", exc_info=error)
        elif not worker.cancelled() and worker.result() and self.channels.open(session.channel) is not None:
            self.start(session)

    async def close(self) -> None:
        """Stop sending, and return once nothing more is recorded here. What is not confirmed is sent next time."""
        self._closed = True
        workers = list(self._workers.values())
        for worker in workers:
            worker.cancel()
        if workers:
            await asyncio.wait(workers)

    def undelivered(self) -> dict[ChannelId, int]:
        """Return how many messages wait for each channel that any wait for."""
        return Counter(session.channel for session in self.sessions.loaded() for _ in session.outbox.waiting)

    # --- the work -------------------------------------------------------------------------------------

    async def _work(self, session: Session) -> bool:
        """Send until nothing waits, or nobody is there to take it; False where nothing may be built on its rows."""
        try:
            await vouch_once_it_answers(self.vault, session)
            await session.log.flushed()
            while (out := session.outbox.first) is not None:
                link = self.channels.open(session.channel)
                refusal = self._refusal(session, out)
                if refusal:
                    await self._record(session, out, Delivered(failed=refusal))
                elif link is None:
                    return True
                else:
                    await self._send(session, out, link)
                await session.log.flushed()  # what waits next may be on its way to disk
            self._late.pop(session.id, None)
        except RecordFailed:
            self.failed()
        except WirkenError as error:  # RecordTampered, above all: nothing more is said from these rows
            _log.warning("nothing is delivered from session %s: %s", session.id, error)
        else:
            return True
        return False

    async def _send(self, session: Session, out: Outgoing, link: Link) -> None:
        """Ask the adapter once, and record what it says; whatever else happens leaves the message waiting."""
        places = self._places.setdefault(session.channel, asyncio.Semaphore(channel_limits.DELIVERIES))
        attempt = self._attempts[session.id, out.seq] = self._attempts.get((session.id, out.seq), 0) + 1
        left = (out.ts - self.clock.now()) / 1000 + channel_limits.DELIVERY_LIFETIME
        question = self._question(session, out)
        try:
            async with places, asyncio.timeout(left):
                delivered = await link.call(question, Delivered)
        except TimeoutError:
            return  # too old by now, which is what the next look at it finds
        except LinkLost:
            await link.closed.wait()
        except WirkenError as error:
            _log.warning("%s could not take a message to deliver: %s", session.channel, error)
            await asyncio.sleep(min(limits.RESTART_FIRST * 2 ** min(attempt, 16), limits.RESTART_LONGEST))
        else:
            await self._record(session, out, delivered)

    def _question(self, session: Session, out: Outgoing) -> Deliver:
        if self.clock.now() - out.ts >= channel_limits.DELIVERY_LATE * 1000:
            self._late.setdefault(session.id, out.seq)
        return Deliver(
            key=f"{session.id}:{out.seq}",
            conversation=session.id.split("/")[2],
            text=BACK + out.text if self._late.get(session.id) == out.seq else out.text,
            reply_to=out.message.platform_id,
        )

    def _refusal(self, session: Session, out: Outgoing) -> str:
        """Return why a message will not be sent any more, or nothing."""
        if self.clock.now() - out.ts >= channel_limits.DELIVERY_LIFETIME * 1000:
            return TOO_OLD
        speaker = self.people.still(session.channel, out.message.sender, out.message.principal)
        return NOT_ADMITTED if speaker is None else ""

    async def _record(self, session: Session, out: Outgoing, delivered: Delivered) -> None:
        attempts = self._attempts.pop((session.id, out.seq), 0)
        if delivered.failed:
            reason = brief(delivered.failed)
            failed = DeliveryFailed(about_seq=out.seq, reason=reason, attempts=attempts)
            await session.record((Trust.GATEWAY, failed), unfinished=True)
        else:
            given = delivered.platform_ids[: channel_limits.DELIVERY_IDS]
            ids = tuple(clip(clean(one), limits.PLATFORM_ID)[0] for one in given)
            confirmed = DeliveryConfirmed(about_seq=out.seq, platform_ids=ids, attempts=attempts)
            await session.record((Trust.GATEWAY, confirmed), unfinished=True)
        self.attest(session)
