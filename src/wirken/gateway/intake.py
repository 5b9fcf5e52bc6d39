"""From a person's message to its turn: who and where, on disk, acknowledged, then one turn at a time per session."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from wirken.domain import limits
from wirken.domain.errors import Refused, UsageError, WirkenError
from wirken.domain.events import Fact, SessionOpened, Trust, TurnEnded, TurnResumed, UserMessageFact
from wirken.domain.ids import OWNER, TERMINAL, BadIdentifier, SessionId, conversation_id, session_id
from wirken.domain.text import clean
from wirken.gateway.agent.assemble import system_prompt, tools_offered
from wirken.gateway.agent.attest import AsksVault, attest
from wirken.gateway.agent.turn import TurnRunner, leftovers
from wirken.gateway.hub import Hub, Surface
from wirken.gateway.log import AuditLog, RecordFailed
from wirken.gateway.router import Router, Wish
from wirken.gateway.sessions import Session, SessionIsClosed, Sessions
from wirken.gateway.tools.catalogue import Tool
from wirken.ipc.frames import Accepted, Inbound, Over
from wirken.record.canonical import Unreadable

_log = logging.getLogger("wirken.gateway")
_CRASHED: Final = "The gateway ended while this ran; the outcome is unknown. It was not run again."


class TooMuch(Refused):
    """A message that is too long, or one too many."""


@dataclass(slots=True)
class Intake:
    """Takes messages and runs their turns."""

    log: AuditLog
    sessions: Sessions
    router: Router
    hub: Hub
    turns: TurnRunner
    tools: dict[str, Tool]
    vault: AsksVault
    failed: Callable[[], None]
    runner_known: Callable[[], Awaitable[None]]
    """Waits, once, until it is known whether commands can be run here."""
    _wishes: dict[tuple[SessionId, int], Wish] = field(default_factory=dict)
    _drains: dict[SessionId, asyncio.Task[None]] = field(default_factory=dict)
    _unrecovered: set[SessionId] = field(default_factory=set)
    """Sessions that a crash left in the middle; no turn of theirs runs before `recover` has looked at them."""
    _closing: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._unrecovered = set(self.log.unfinished())

    async def accept(self, surface: Surface, message: Inbound, wish: Wish) -> Accepted:
        """Put the message on record and queue its turn; return once its row is on disk.

        A message whose platform id is known gets the stored row again. Raises `Refused`, `UsageError`,
        `RecordFailed`.
        """
        _check(message)
        await self.runner_known()
        agent = self.router.agent(message.agent)
        session = self.sessions.get(session_id(agent, surface.channel, conversation_id(message.conversation)))
        if message.platform_id not in session.seen:
            await self._ready_for_more(session)
        known = session.seen.get(message.platform_id)
        if known is None:
            known = await self._record(session, message, wish)
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

    async def _record(self, session: Session, message: Inbound, wish: Wish) -> int:
        entries: list[tuple[Trust, Fact]] = []
        if not session.opened:
            opened = SessionOpened(
                agent=session.agent,
                channel=session.channel,
                conversation=session.id.split("/")[2],
                principal=OWNER,
                workspace=self.router.workspace(session.agent, wish),
            )
            entries.append((Trust.GATEWAY, opened))
        if session.turn is None and not session.waiting:
            entries += self._preamble(session)
        said = UserMessageFact(
            text=clean(message.text),
            principal=OWNER,
            sender=clean(message.sender),
            sender_name=clean(message.sender_name),
            platform_id=message.platform_id,
        )
        done = session.begin(*entries, (Trust.OWNER, said), unfinished=True)
        seq = session.seen[message.platform_id]
        self._wishes[session.id, seq] = wish
        await asyncio.shield(done)
        return seq

    def _preamble(self, session: Session) -> list[tuple[Trust, Fact]]:
        """Return the rows for a system prompt or tool list that is not the one on record."""
        prompt = system_prompt(self.router.config.agent(session.agent).instructions)
        offered = tools_offered(self.tools, sandbox=self.router.sandbox != "none")
        changed: list[tuple[Trust, Fact]] = []
        if session.prompt != prompt.text:
            changed.append((Trust.GATEWAY, prompt))
        if session.tools != offered:
            changed.append((Trust.GATEWAY, offered))
        return changed

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
        seat = self.router.seat(session, self._wishes.pop((session.id, seq), _after_a_restart(session)))
        running = asyncio.get_running_loop().create_task(self.turns.run(session, seat))
        await asyncio.sleep(0)  # it has put its start on record by now; what was not started could not be ended
        session.task = running
        if self._closing.is_set():
            self.stop(session)
        try:
            ended = await running
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

    def start_nothing_more(self) -> None:
        """From now on no turn starts and no message is taken; what waits is taken up by the next process."""
        self._closing.set()

    async def close(self) -> None:
        """End all turns and return once each is recorded and attested. No turn starts any more."""
        self.start_nothing_more()
        for session in self.sessions.loaded():
            self.stop(session)
        if self._drains:
            await asyncio.wait(self._drains.values())

    async def recover(self) -> None:
        """Take up what a crash left behind: interrupted turns, waiting messages, missing attestations."""
        for name in tuple(self._unrecovered):
            try:
                session = self.sessions.get(name)
                await self._close_leftovers(session)
                await self.attest_now(session)
            except (Unreadable, BadIdentifier) as error:
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
        if turn.resumed < limits.RESUMES:
            await session.record(*rows, (Trust.GATEWAY, TurnResumed(unknown=unknown)))
        else:
            ended = TurnEnded(outcome="interrupted", reason="Interrupted twice.", rounds=turn.rounds)
            await session.record(*rows, (Trust.GATEWAY, ended))

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
    """
    return Wish(interactive=False, workspace=session.workspace) if session.channel == TERMINAL else Wish()


def _check(message: Inbound) -> None:
    if not message.text.strip():
        raise UsageError("The message is empty.")
    if len(message.text.encode("utf-8", "surrogatepass")) > limits.MESSAGE:
        raise TooMuch(f"The message is longer than {limits.MESSAGE} bytes.")
    if not 0 < len(message.platform_id) <= limits.PLATFORM_ID or not message.platform_id.isprintable():
        raise UsageError("The message has no usable id.")
    if max(len(message.sender), len(message.sender_name)) > limits.SENDER_NAME:
        raise TooMuch("The sender's name is too long.")
