"""From a person's message to its turn: who and where, on disk, acknowledged, then one turn at a time per session."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from wirken.domain import limits
from wirken.domain.errors import Refused, UsageError, WirkenError
from wirken.domain.events import StopRequested, Trust, TurnEnded, TurnResumed
from wirken.domain.ids import TERMINAL, BadIdentifier, SessionId, conversation_id, session_id
from wirken.domain.people import Person, Role
from wirken.gateway.agent.attest import AsksVault, attest, vouch, vouch_once_it_answers
from wirken.gateway.agent.turn import Suspended, TurnRunner, leftovers
from wirken.gateway.approvals import SUSPEND
from wirken.gateway.bounds import Bounds
from wirken.gateway.hub import Hub, Surface
from wirken.gateway.log import AuditLog, RecordFailed
from wirken.gateway.past import RecordTampered
from wirken.gateway.router import Router, Wish
from wirken.gateway.seating import Seating
from wirken.gateway.sessions import Session, SessionIsClosed, Sessions
from wirken.ipc.frames import Accepted, Inbound, Over
from wirken.record.canonical import Unreadable

_log = logging.getLogger("wirken.gateway")
_CRASHED = "The gateway ended while this ran; the outcome is unknown. It was not run again."


class TooMuch(Refused):
    """A message that is too long, or one too many."""


class NothingRuns(Refused):
    """Somebody said `/stop` where no turn runs."""


@dataclass(slots=True)
class Intake:
    """Takes messages and runs their turns."""

    log: AuditLog
    sessions: Sessions
    router: Router
    seating: Seating
    bounds: Bounds
    hub: Hub
    turns: TurnRunner
    vault: AsksVault
    failed: Callable[[], None]
    _wishes: dict[tuple[SessionId, int], Wish] = field(default_factory=dict)
    _drains: dict[SessionId, asyncio.Task[None]] = field(default_factory=dict)
    _unrecovered: set[SessionId] = field(default_factory=set)
    """Sessions that a crash left in the middle; no turn of theirs runs before `recover` has looked at them."""
    _closing: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._unrecovered = set(self.log.unfinished())

    async def accept(self, surface: Surface, message: Inbound, wish: Wish, speaker: Person) -> Accepted:
        """Put the message of `speaker` on record and queue its turn; return once its row is on disk.

        A message whose platform id is known gets the stored row again. Raises `Refused`, `UsageError`,
        `RecordFailed`.
        """
        _check(message)
        await self.seating.runner_known()
        agent = self.router.agent(message.agent)
        session = self.sessions.get(session_id(agent, surface.channel, conversation_id(message.conversation)))
        if message.platform_id not in session.seen:
            if is_stop(message.text):
                return await self._stop_said(surface, session, message, speaker)
            await self.bounds.message(speaker.principal, surface.channel)
            await self._ready_for_more(session)
        await vouch(self.vault, session)
        known = session.seen.get(message.platform_id)
        if known is None:
            known = await self._record(session, message, wish, speaker)
        else:
            await self.log.flushed()
        surface.sessions.add(session.id)
        self._start(session)
        return Accepted(message.platform_id, session.id, known)

    async def _ready_for_more(self, session: Session) -> None:
        """Attest what is not yet, and return if the session takes a message now. Raises `Refused`, `Unavailable`."""
        if session.unattested and session.task is None:
            await attest(self.vault, session)
        if session.closed:
            raise SessionIsClosed("This session was closed.")
        if self._closing.is_set():
            raise Refused("Wirken is stopping.", hint="Say it again when it runs.")
        if len(session.waiting) >= limits.TURN_QUEUE:
            raise TooMuch(f"{limits.TURN_QUEUE} messages wait in this conversation already.")

    async def _record(self, session: Session, message: Inbound, wish: Wish, speaker: Person) -> int:
        done = session.begin(*self.seating.said(session, message, wish, speaker), unfinished=True)
        seq = session.seen[message.platform_id]
        self._wishes[session.id, seq] = wish
        await asyncio.shield(done)
        return seq

    # --- running turns --------------------------------------------------------------------------------

    def _start(self, session: Session) -> None:
        if session.idle or self._closing.is_set() or session.id in self._drains or session.id in self._unrecovered:
            return
        drain = asyncio.get_running_loop().create_task(self._drain(session))
        self._drains[session.id] = drain
        drain.add_done_callback(lambda _: self._drained(session))

    def _drained(self, session: Session) -> None:
        self._drains.pop(session.id, None)
        self.sessions.forget_idle(limits.SESSIONS_LOADED)
        self._start(session)

    async def _drain(self, session: Session) -> None:
        """Run the session's turns one after another, each after the one before is attested."""
        while not session.idle and not self._closing.is_set():
            try:
                if session.turn is None and session.unattested:
                    await self._until_attested(session)
                else:
                    await self._turn(session)
            except RecordFailed:
                self.failed()
                return
            except Exception as error:  # noqa: BLE001  # one bad turn must not end this loop without a word
                if not await self._given_up(session, error):
                    self.failed()
                    return

    async def _given_up(self, session: Session, error: Exception) -> bool:
        """End a turn that could not be run, or failed in a way not foreseen; False where even that fails."""
        if session.turn is None and not session.waiting:
            _log.error("a session failed in a way that was not foreseen", exc_info=error)
            return False
        reason = "Something went wrong inside Wirken; its log says what."
        if isinstance(error, WirkenError):
            reason = f"{error} {error.advice}".strip()
        else:
            _log.error("a turn failed in a way that was not foreseen", exc_info=error)
        seq = session.waiting[0] if session.turn is None else session.turn.message_seq
        try:
            await self.turns.fail(session, reason)
        except WirkenError:
            return False
        await self.attest_now(session)
        self._say_over(session, seq, TurnEnded(outcome="failed", reason=reason, rounds=0), reason)
        return True

    async def _turn(self, session: Session) -> None:
        open_turn = session.turn
        seq = open_turn.message_seq if open_turn is not None else session.waiting[0]
        seat = await self.seating.seat(session, self._wishes.pop((session.id, seq), _after_a_restart(session)))
        running = asyncio.get_running_loop().create_task(self.turns.run(session, seat))
        await asyncio.sleep(0)  # it has put its start on record by now; what was not started could not be ended
        session.task = running
        if self._closing.is_set():
            self._put_aside(session)
        try:
            ended = await running
        except Suspended:
            session.unattested = True  # so that the question, too, is signed for as long as it waits
            await self.attest_now(session)
            return
        finally:
            session.task = None
        reason = ended.reason
        try:
            await attest(self.vault, session)
        except WirkenError as error:
            reason = f"{reason} This turn is not attested yet: {error} {error.advice}".strip()
        self._say_over(session, seq, ended, reason)

    async def _until_attested(self, session: Session) -> None:
        """Attest the last turn; a vault that is sealed or away is waited for. Returns early when we close."""
        pause = limits.VAULT_POLL
        while session.unattested and not self._closing.is_set():
            await self.attest_now(session)
            if session.unattested:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), pause)
                pause = min(pause * 2, limits.RESTART_LONGEST)

    def _say_over(self, session: Session, seq: int, ended: TurnEnded, reason: str) -> None:
        platform_id = next((pid for pid, at in session.seen.items() if at == seq), "")
        self.hub.tell(session.id, Over(session.id, platform_id, ended.outcome, reason))

    # --- stopping and coming back ---------------------------------------------------------------------

    def stop(self, session: Session) -> bool:
        """End the running turn; return whether one ran. Its rows follow as it unwinds."""
        if session.task is None:
            return False
        if not session.task.cancelling():  # a second one would end the recording of the first
            session.task.cancel()
        return True

    async def _stop_said(self, surface: Surface, session: Session, message: Inbound, speaker: Person) -> Accepted:
        """End the running turn because a person said so; no model hears of it. Raises `NothingRuns`."""
        running = session.task
        if running is None or running.done():
            raise NothingRuns("No turn runs in this conversation.")
        trust = Trust.OWNER if speaker.role is Role.OWNER else Trust.USER
        done = session.begin((trust, StopRequested(by=speaker.principal, platform_id=message.platform_id)))
        self.stop(session)
        over = Over(session.id, message.platform_id, "finished", "")
        running.add_done_callback(lambda _: self.hub.tell(session.id, over))
        surface.sessions.add(session.id)
        await asyncio.shield(done)
        return Accepted(message.platform_id, session.id, session.seen[message.platform_id])

    def _put_aside(self, session: Session) -> None:
        """Leave a turn open that waits for a person, and end any other that runs."""
        waits = session.turn is not None and session.turn.question is not None
        if waits and session.task is not None and not session.task.cancelling():
            session.task.cancel(SUSPEND)
        else:
            self.stop(session)

    def start_nothing_more(self) -> None:
        """From now on no turn starts and no message is taken; what waits is taken up by the next process."""
        self._closing.set()

    async def close(self) -> None:
        """End all turns but those that wait for a person, and return once each is recorded and attested."""
        self.start_nothing_more()
        for session in self.sessions.loaded():
            self._put_aside(session)
        if self._drains:
            await asyncio.wait(self._drains.values())

    async def recover(self) -> None:
        """Take up what a crash left behind: interrupted turns, waiting messages, missing attestations."""
        for name in tuple(self._unrecovered):
            try:
                session = self.sessions.get(name)
                await vouch_once_it_answers(self.vault, session)
                await self._close_leftovers(session)
                await self.attest_now(session)
            except (Unreadable, BadIdentifier, RecordTampered) as error:
                _log.warning("session %s cannot be taken up: %s", name, error)
                continue
            self._unrecovered.discard(name)
            self._start(session)

    async def _close_leftovers(self, session: Session) -> None:
        turn = session.turn
        if turn is None:
            return
        unknown = sum(call in turn.permitted for call in turn.calls)
        rows = leftovers(session, _CRASHED, running="unknown")
        if turn.question is None and turn.resumed >= limits.RESUMES:
            ended = TurnEnded(outcome="interrupted", reason="Interrupted twice.", rounds=turn.rounds)
            await session.record(*rows, (Trust.GATEWAY, ended))
            return
        if turn.calls and not unknown:
            rows = []  # nothing was running: the round goes on with its question, or its next call
        await session.record(*rows, (Trust.GATEWAY, TurnResumed(unknown=unknown)))
        await self.seating.runner_known()  # what would run here must be what a person was shown

    async def attest_now(self, session: Session) -> None:
        """Attest what was left without attestation, if the vault can be had."""
        if not session.unattested:
            return
        try:
            await attest(self.vault, session)
        except WirkenError as error:
            _log.warning("session %s is not attested yet: %s", session.id, error)


def _after_a_restart(session: Session) -> Wish:
    """Return where a turn goes on whose wishes died with the process that heard them.

    A terminal is gone by then, and its folder is the one on record: a runner that does not see it refuses the calls.
    Whoever was there to be asked may answer from another terminal.
    """
    someone = session.turn is not None and session.turn.someone
    return Wish(interactive=someone, workspace=session.workspace) if session.channel == TERMINAL else Wish()


def is_stop(text: str) -> bool:
    """Does a message say that the running turn shall end?"""
    return text.strip().casefold() == "/stop"


def _check(message: Inbound) -> None:
    if not message.text.strip():
        raise UsageError("The message is empty.")
    if len(message.text.encode("utf-8", "surrogatepass")) > limits.MESSAGE:
        raise TooMuch(f"The message is longer than {limits.MESSAGE} bytes.")
    if not 0 < len(message.platform_id) <= limits.PLATFORM_ID or not message.platform_id.isprintable():
        raise UsageError("The message has no usable id.")
    if len(message.sender) > limits.SENDER_ID or len(message.sender_name) > limits.SENDER_NAME:
        raise TooMuch("The sender's name is too long.")
