"""Sessions as the gateway holds them: rebuilt from their rows, never known otherwise."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass, field

from wirken.domain.actions import ToolCall
from wirken.domain.errors import Refused
from wirken.domain.events import (
    AssistantToolCalls,
    Attestation,
    Fact,
    LlmRequest,
    LlmResponse,
    SessionClosed,
    SessionOpened,
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
from wirken.gateway.log import AuditLog, Stored
from wirken.record.canonical import decode
from wirken.record.conversation import Conversation


class SessionIsClosed(Refused):
    """A closed session takes no further message."""

    hint = "Start a new conversation."


@dataclass(slots=True)
class OpenTurn:
    """What the rows say of a turn that has started and not ended."""

    message_seq: int
    rounds: int = 0
    asking: bool = False
    """A request to the model is on record, its response is not."""
    calls: dict[str, ToolCall] = field(default_factory=dict)
    """Proposed calls without a result, by id."""
    permitted: set[str] = field(default_factory=set)
    resumed: int = 0


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
    turn: OpenTurn | None = None
    ended: TurnEnded | None = None
    """How the latest turn ended."""
    unattested: bool = False
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
        """Append facts now; the future is done once they are on disk."""
        first = self.log.head(self.id).seq + 1
        done = self.log.begin(self.id, *entries, unfinished=unfinished)
        for offset, (_, fact) in enumerate(entries):
            self.take(first + offset, fact)
        return done

    def take(self, seq: int, fact: Fact) -> None:
        """Follow one row."""
        self.conversation.apply(seq, fact)
        match fact:
            case SessionOpened():
                self.opened, self.principal, self.workspace = (
                    True,
                    PrincipalId(fact.principal),
                    fact.workspace,
                )
            case SessionClosed():
                self.closed = True
            case SystemPromptSet(text=text):
                self.prompt = text
            case ToolsSet():
                self.tools = fact
            case UserMessageFact(platform_id=platform_id):
                self.seen[platform_id] = seq
                self.waiting.append(seq)
            case TurnStarted(message_seq=message_seq):
                with contextlib.suppress(ValueError):  # rows that were tampered with may start what nobody said
                    self.waiting.remove(message_seq)
                self.turn = OpenTurn(message_seq)
            case TurnEnded():
                self.turn, self.ended, self.unattested = None, fact, True
            case Attestation():
                self.unattested = False
            case _ if self.turn is not None:
                _follow(self.turn, fact)
            case _:
                pass

    @property
    def idle(self) -> bool:
        """Nothing waits, runs or is left to attest."""
        return self.turn is None and not self.waiting and not self.unattested


def _follow(turn: OpenTurn, fact: Fact) -> None:
    match fact:
        case LlmRequest():
            turn.rounds, turn.asking = fact.round, True
        case LlmResponse():
            turn.asking = False
        case AssistantToolCalls(calls=calls):
            turn.calls, turn.permitted = {call.id: call for call in calls}, set()
        case ToolPermitted(call_id=call_id):
            turn.permitted.add(call_id)
        case ToolResultFact(call_id=call_id):
            turn.calls.pop(call_id, None)
        case TurnResumed():
            turn.resumed += 1
        case _:
            pass


class Sessions:
    """All sessions in use, each loaded from the record when it is first needed."""

    def __init__(self, log: AuditLog) -> None:
        self._log = log
        self._loaded: dict[SessionId, Session] = {}

    def get(self, session_id: SessionId) -> Session:
        """Return the session, rebuilt from its rows. Raises `BadIdentifier`, `Unreadable`."""
        session = self._loaded.get(session_id)
        if session is None:
            agent, channel, _ = parse_session(session_id)
            session = Session(session_id, agent, channel, self._log)
            for payload in self._log.rows(session_id):
                row = decode(payload)
                session.take(row.seq, row.fact)
            self._loaded[session_id] = session
        return session

    def in_memory(self, session_id: SessionId) -> Session | None:
        """Return the session if it is in use; nothing is loaded."""
        return self._loaded.get(session_id)

    def loaded(self) -> list[Session]:
        """Return the sessions in memory."""
        return list(self._loaded.values())

    def forget_idle(self, keep: int) -> None:
        """Drop idle sessions from memory, oldest use first, until `keep` are left; their rows stay."""
        surplus = len(self._loaded) - keep
        for session_id in [s.id for s in self._loaded.values() if s.idle and s.task is None][: max(surplus, 0)]:
            del self._loaded[session_id]
