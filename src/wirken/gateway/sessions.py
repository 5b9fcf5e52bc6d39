"""Sessions as the gateway holds them: rebuilt from their rows, never known otherwise."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass, field

from wirken.domain import limits
from wirken.domain.actions import ToolCall
from wirken.domain.errors import Refused
from wirken.domain.events import (
    ApprovalRequested,
    AssistantToolCalls,
    Attestation,
    DeliveryConfirmed,
    DeliveryFailed,
    Fact,
    FilesKept,
    InjectionFlag,
    LlmRequest,
    LlmResponse,
    NewRequested,
    PermissionApproved,
    PermissionDenied,
    SessionClosed,
    SessionOpened,
    StopRequested,
    SystemPromptSet,
    ToolPermitted,
    ToolResultFact,
    ToolsSet,
    Trust,
    TurnEnded,
    TurnResumed,
    TurnStarted,
    UserMessageFact,
)
from wirken.domain.ids import OWNER, AgentId, ChannelId, PrincipalId, SessionId, parse_session
from wirken.domain.people import has_senders
from wirken.gateway.bringing import Bringing
from wirken.gateway.flagging import noticed
from wirken.gateway.log import AuditLog, Stored
from wirken.gateway.outbox import Outbox
from wirken.record.canonical import decode
from wirken.record.conversation import Conversation


class SessionIsClosed(Refused):
    """A closed session takes no further message."""

    hint = "Start a new conversation."


@dataclass(slots=True)
class OpenTurn:
    """What the rows say of a turn that has started and not ended."""

    message_seq: int
    message: UserMessageFact | None = None
    rounds: int = 0
    asking: LlmRequest | None = None
    """The request to the model that is on record without its response."""
    said: str = ""
    """The model's own words beside the round's calls."""
    proposed: tuple[ToolCall, ...] = ()
    """The round's calls, in order."""
    calls: dict[str, ToolCall] = field(default_factory=dict)
    """Those without a result, by id."""
    permitted: set[str] = field(default_factory=set)
    asked: dict[str, ApprovalRequested] = field(default_factory=dict)
    """What a person was asked about each of the round's calls, by the call's id."""
    approved: dict[str, PermissionApproved] = field(default_factory=dict)
    """The yes to such a question, by the call's id."""
    denials: int = 0
    someone: bool = False
    """A person was asked in this turn, so there is someone who may be asked again."""
    resumed: int = 0
    """Times it was taken up after a crash in the middle of something; a question that waits is not one."""

    @property
    def question(self) -> ApprovalRequested | None:
        """The question that waits for an answer: the turn is suspended until then, and nothing of it runs."""
        for call_id in self.calls:
            if call_id in self.asked and call_id not in self.approved and call_id not in self.permitted:
                return self.asked[call_id]
        return None


@dataclass(slots=True)
class Session:
    """One conversation. `take` is the only way its state changes, and it follows the rows."""

    id: SessionId
    agent: AgentId
    channel: ChannelId
    log: AuditLog
    conversation: Conversation = field(default_factory=Conversation)
    seen: dict[str, int] = field(default_factory=dict)
    """Rows of user messages by platform id; a repeated message is answered from here."""
    waiting: deque[int] = field(default_factory=deque)
    """Rows of user messages whose turn has not started."""
    heard: dict[int, UserMessageFact] = field(default_factory=dict)
    """Those messages, by row."""
    bringing: Bringing = field(default_factory=Bringing)
    flags: deque[InjectionFlag] = field(default_factory=lambda: deque(maxlen=limits.FLAGS))
    """What was flagged last of what the model was given to read."""
    turn: OpenTurn | None = None
    ended: TurnEnded | None = None
    """How the latest turn ended."""
    outbox: Outbox = field(default_factory=Outbox)
    """What a platform has not confirmed; always empty where no platform is."""
    unattested: bool = False
    owed: int = -1
    """The last row that the next attestation must cover."""
    signed: int | None = None
    """The last row whose head the vault signed, as it says itself (-1: none); None until it was asked."""
    opened: bool = False
    closed: bool = False
    principal: PrincipalId = OWNER
    workspace: str = ""
    prompt: str = ""
    tools: ToolsSet | None = None
    attesting: asyncio.Lock = field(default_factory=asyncio.Lock)
    task: asyncio.Task[TurnEnded] | None = None
    """The turn that runs now, if one does."""

    async def record(self, *entries: tuple[Trust, Fact], unfinished: bool | None = None) -> list[Stored]:
        """Append facts to this session and return once they are on disk. Raises `RecordFailed`."""
        return await asyncio.shield(self.begin(*entries, unfinished=unfinished))

    def begin(self, *entries: tuple[Trust, Fact], unfinished: bool | None = None) -> asyncio.Future[list[Stored]]:
        """Append facts now, and flags on what is suspicious in them; the future is done once they are on disk."""
        first = self.log.head(self.id).seq + 1
        entries = (*entries, *noticed(first, entries))
        done = self.log.begin(self.id, *entries, unfinished=unfinished)
        for offset, (_, fact) in enumerate(entries):
            self.take(first + offset, fact, self.log.latest)
        return done

    def take(self, seq: int, fact: Fact, ts: int) -> None:
        """Follow one row of the time `ts` (ms)."""
        self.conversation.apply(seq, fact)
        if has_senders(self.channel):
            self.outbox.follow(seq, ts, fact, None if self.turn is None else self.turn.message)
        match fact:
            case SessionOpened() | SessionClosed():
                self._stand(fact)
            case SystemPromptSet() | ToolsSet() | InjectionFlag():
                self._given(fact)
            case UserMessageFact() | FilesKept() | StopRequested() | NewRequested():
                self._hear(seq, fact)
            case TurnStarted(message_seq=message_seq):
                with contextlib.suppress(ValueError):  # rows that were tampered with may start what nobody said
                    self.waiting.remove(message_seq)
                self.turn = OpenTurn(message_seq, self.heard.pop(message_seq, None))
            case TurnEnded() | DeliveryConfirmed() | DeliveryFailed():
                if isinstance(fact, TurnEnded):
                    self.turn, self.ended = None, fact
                self._owe(seq)
            case Attestation(chain_head_seq=attested):
                self.unattested = self.owed > attested
            case _ if self.turn is not None:
                _follow(self.turn, fact)
            case _:
                pass

    def _stand(self, fact: SessionOpened | SessionClosed) -> None:
        if isinstance(fact, SessionClosed):
            self.closed = True
        else:
            self.opened, self.principal, self.workspace = True, PrincipalId(fact.principal), fact.workspace

    def _owe(self, seq: int) -> None:
        """The agent has to vouch for this row, though no turn may ever follow it."""
        self.owed, self.unattested = seq, True

    def _hear(self, seq: int, fact: UserMessageFact | FilesKept | StopRequested | NewRequested) -> None:
        if not isinstance(fact, FilesKept):
            self.seen[fact.platform_id] = seq
        if isinstance(fact, NewRequested):
            self._owe(seq)
        if isinstance(fact, UserMessageFact | FilesKept) and (ready := self.bringing.follow(seq, fact)) is not None:
            self.waiting = deque(sorted((*self.waiting, ready[0])))
            self.heard[ready[0]] = ready[1]

    def _given(self, fact: SystemPromptSet | ToolsSet | InjectionFlag) -> None:
        """Follow what the model is given, and what is suspicious in it."""
        match fact:
            case SystemPromptSet(text=text):
                self.prompt = text
            case ToolsSet():
                self.tools = fact
            case InjectionFlag():
                self.flags.append(fact)

    @property
    def message(self) -> UserMessageFact | None:
        """The message of the open turn, or else of the next one: who said it is who is judged."""
        if self.turn is not None:
            return self.turn.message
        return self.heard.get(self.waiting[0]) if self.waiting else None

    def awaits(self, seq: int) -> bool:
        """Does the message at row `seq` still wait for its files or its turn, or for the turn's end?"""
        running = self.turn is not None and self.turn.message_seq == seq
        return running or seq in self.waiting or seq in self.bringing.messages

    @property
    def idle(self) -> bool:
        """Nothing waits, runs or is left to attest."""
        return self.turn is None and not self.waiting and not self.unattested

    @property
    def disused(self) -> bool:
        """Nothing of it is lost when it is dropped from memory."""
        return self.idle and self.task is None and self.bringing.idle and not self.outbox.waiting


def _follow(turn: OpenTurn, fact: Fact) -> None:
    match fact:
        case LlmRequest():
            turn.rounds, turn.asking = fact.round, fact
        case LlmResponse():
            turn.asking = None
        case AssistantToolCalls(text=text, calls=calls):
            turn.said, turn.proposed = text, calls
            turn.calls, turn.permitted = {call.id: call for call in calls}, set()
            turn.asked, turn.approved = {}, {}
        case ToolPermitted(call_id=call_id):
            turn.permitted.add(call_id)
        case ToolResultFact(call_id=call_id):
            turn.calls.pop(call_id, None)
        case TurnResumed():
            turn.resumed += turn.question is None
        case _:
            _follow_decision(turn, fact)


def _follow_decision(turn: OpenTurn, fact: Fact) -> None:
    match fact:
        case ApprovalRequested(call_id=call_id):
            turn.asked[call_id], turn.someone = fact, True
        case PermissionApproved(call_id=call_id):
            turn.approved[call_id] = fact
        case PermissionDenied(call_id=call_id) if call_id in turn.calls:  # and no host that a call of it wanted
            turn.denials += 1
        case _:
            pass


class Sessions:
    """All sessions in use, each loaded from the record when it is first needed."""

    def __init__(self, log: AuditLog) -> None:
        self._log = log
        self._loaded: dict[SessionId, Session] = {}

    def get(self, session_id: SessionId) -> Session:
        """Return the session, rebuilt from its rows. Raises `BadIdentifier`, `Unreadable`, `RecordTampered`."""
        session = self._loaded.get(session_id)
        if session is None:
            agent, channel, _ = parse_session(session_id)
            session = Session(session_id, agent, channel, self._log)
            for payload in self._log.rows(session_id):
                row = decode(payload)
                session.take(row.seq, row.fact, row.ts)
            self._loaded[session_id] = session
        return session

    def in_memory(self, session_id: SessionId) -> Session | None:
        """Return the session if it is in use; nothing is loaded."""
        return self._loaded.get(session_id)

    def loaded(self) -> list[Session]:
        """Return the sessions in memory."""
        return list(self._loaded.values())

    def forget_idle(self, keep: int) -> None:
        """Drop idle sessions from memory, oldest use first, until `keep` are left; their rows stay.

        One with something to deliver stays: whoever looks for that looks here.
        """
        surplus = len(self._loaded) - keep
        for session_id in [s.id for s in self._loaded.values() if s.disused][: max(surplus, 0)]:
            del self._loaded[session_id]
