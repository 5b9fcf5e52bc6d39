"""Runs what waits in each session: one turn at a time, each after the one before is attested; and stops turns.

What a crash left in the middle is taken up again from its rows.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from wirken.domain import limits
from wirken.domain.errors import WirkenError
from wirken.domain.events import Trust, TurnEnded, TurnResumed
from wirken.domain.ids import TERMINAL, BadIdentifier, SessionId
from wirken.gateway.agent.attest import AsksVault, attest, vouch_once_it_answers
from wirken.gateway.agent.turn import Suspended, TurnRunner, leftovers
from wirken.gateway.approvals import SUSPEND
from wirken.gateway.hub import Hub
from wirken.gateway.log import RecordFailed
from wirken.gateway.past import RecordTampered
from wirken.gateway.router import Wish
from wirken.gateway.seating import Seating
from wirken.gateway.sessions import Session, Sessions
from wirken.ipc.frames import Over
from wirken.record.canonical import Unreadable

_log = logging.getLogger("wirken.gateway")
_CRASHED = "The gateway ended while this ran; the outcome is unknown. It was not run again."


@dataclass(slots=True)
class Turns:
    """`unrecovered`: sessions that a crash left in the middle; none of their turns runs before `recover` saw them."""

    sessions: Sessions
    seating: Seating
    hub: Hub
    runner: TurnRunner
    vault: AsksVault
    failed: Callable[[], None]
    unrecovered: set[SessionId]
    _wishes: dict[tuple[SessionId, int], Wish] = field(default_factory=dict)
    _drains: dict[SessionId, asyncio.Task[None]] = field(default_factory=dict)
    _closing: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def closing(self) -> bool:
        """Nothing more is started, and no message is taken."""
        return self._closing.is_set()

    def wish(self, session: Session, seq: int, wish: Wish) -> None:
        """Keep what the sender of the message at row `seq` wished for, until its turn."""
        self._wishes[session.id, seq] = wish

    def start(self, session: Session) -> None:
        """Run the turns that wait in a session, unless they run already."""
        if session.idle or session.bringing.held or self._closing.is_set():
            return
        if session.id in self._drains or session.id in self.unrecovered:
            return
        drain = asyncio.get_running_loop().create_task(self._drain(session))
        self._drains[session.id] = drain
        drain.add_done_callback(lambda _: self._drained(session))

    def _drained(self, session: Session) -> None:
        self._drains.pop(session.id, None)
        self.sessions.forget_idle(limits.SESSIONS_LOADED)
        self.start(session)

    async def _drain(self, session: Session) -> None:
        """Run the session's turns one after another, each after the one before is attested."""
        while not session.idle and not session.bringing.held and not self._closing.is_set():
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
            await self.runner.fail(session, reason)
        except WirkenError:
            return False
        await self.attest_now(session)
        self._say_over(session, seq, TurnEnded(outcome="failed", reason=reason, rounds=0), reason)
        return True

    async def _turn(self, session: Session) -> None:
        open_turn = session.turn
        seq = open_turn.message_seq if open_turn is not None else session.waiting[0]
        seat = await self.seating.seat(session, self._wishes.pop((session.id, seq), _after_a_restart(session)))
        running = asyncio.get_running_loop().create_task(self.runner.run(session, seat))
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
        for session in self.sessions.loaded():
            if session.id not in self.unrecovered:
                await self.attest_now(session)

    async def recover(self, taken_up: Callable[[Session], None]) -> None:
        """Take up what a crash left behind: interrupted turns, waiting messages, missing attestations.

        `taken_up` gets each session, once it is as its rows say and nothing else wants it first.
        """
        for name in tuple(self.unrecovered):
            try:
                session = self.sessions.get(name)
                await vouch_once_it_answers(self.vault, session)
                await self._close_leftovers(session)
                await self.attest_now(session)
            except (Unreadable, BadIdentifier, RecordTampered) as error:
                _log.warning("session %s cannot be taken up: %s", name, error)
                continue
            self.unrecovered.discard(name)
            self.start(session)
            taken_up(session)

    async def _close_leftovers(self, session: Session) -> None:
        turn = session.turn
        if turn is None:
            return
        unknown = sum(call in turn.permitted for call in turn.calls)
        rows = leftovers(session, _CRASHED, self.runner.prices, running="unknown")
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
