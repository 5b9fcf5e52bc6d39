"""A session's rows to the conversation that a model sees, step by step.

The gateway builds its requests with this and the verifier rebuilds them with this, from the same rows; so the
hashes in `llm_request` can be recomputed by anyone who has the rows.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import NamedTuple

from wirken.domain.conversation import AssistantMessage, SystemMessage, ToolMessage, UserMessage
from wirken.domain.events import (
    AssistantMessageFact,
    AssistantToolCalls,
    Compaction,
    Fact,
    FilesKept,
    SystemPromptSet,
    ToolResultFact,
    ToolsSet,
    TurnStarted,
    UserMessageFact,
)
from wirken.domain.inbox import MissingFile, told
from wirken.domain.speaking import spoken
from wirken.record.canonical import canonical_json


class _Said(NamedTuple):
    seq: int
    opens_turn: bool
    raw: bytes


@dataclass(slots=True)
class Conversation:
    """Feed it every row of a session in order of seq.

    A user message counts from the moment a `turn_started` takes it up, so that one which arrives while a turn
    runs cannot stand between a call and its result.
    """

    _system: bytes = b""
    _tools: bytes = b"[]"
    _messages: list[_Said] = field(default_factory=list)
    _waiting: dict[int, bytes] = field(default_factory=dict)
    _bringing: dict[int, UserMessageFact] = field(default_factory=dict)
    """Messages whose files are not all in the workspace yet."""
    _size: int = 0

    def apply(self, seq: int, fact: Fact) -> None:
        """Take the next row."""
        match fact:
            case SystemPromptSet(text=text):
                self._system = canonical_json(SystemMessage(text))
            case ToolsSet(tools=tools):
                self._tools = canonical_json(tools)
            case UserMessageFact() | FilesKept():
                self._hear(seq, fact)
            case TurnStarted(message_seq=message_seq):
                said = self._waiting.pop(message_seq, None)
                if said is not None:
                    self._add(seq, said, opens_turn=True)
            case AssistantToolCalls(text=text, calls=calls):
                self._add(seq, canonical_json(AssistantMessage(text, calls)))
            case ToolResultFact(call_id=call_id, tool=tool, output=output):
                self._add(seq, canonical_json(ToolMessage(call_id, tool, output)))
            case AssistantMessageFact(text=text):
                self._add(seq, canonical_json(AssistantMessage(text)))
            case Compaction(first_seq=first_seq):
                self._messages = [said for said in self._messages if said.seq >= first_seq]
                self._size = sum(len(said.raw) for said in self._messages)
            case _:
                pass

    def _hear(self, seq: int, fact: UserMessageFact | FilesKept) -> None:
        if isinstance(fact, UserMessageFact):
            if fact.files:
                self._bringing[seq] = fact
            self._waiting[seq] = _worded(fact, ())
        elif (said := self._bringing.pop(fact.message_seq, None)) is not None:
            self._waiting[fact.message_seq] = _worded(said, fact.missing)

    def messages_json(self) -> bytes:
        """Return the JSON array of messages, system prompt first: the bytes that are hashed and sent."""
        parts = [said.raw for said in self._messages]
        return b"[" + b",".join([self._system, *parts] if self._system else parts) + b"]"

    def tools_json(self) -> bytes:
        """Return the JSON array of the tools that are offered."""
        return self._tools

    @property
    def count(self) -> int:
        """Messages without the system prompt."""
        return len(self._messages)

    def count_from(self, first_seq: int) -> int:
        """Messages whose row is `first_seq` or later."""
        return sum(said.seq >= first_seq for said in self._messages)

    @property
    def size(self) -> int:
        """Bytes of all messages but the system prompt."""
        return self._size

    def oldest_kept_within(self, budget: int) -> int | None:
        """Return the row at which the conversation must start to fit `budget` bytes.

        None if it fits as it is, or nothing can be left out. The cut is made before a user message only, so that
        no call is parted from its result; the last user message always stays.
        """
        if self._size <= budget:
            return None
        kept = self._size
        cut: int | None = None
        for index, said in enumerate(self._messages):
            if index and said.opens_turn:
                cut = said.seq
                if kept <= budget:
                    break
            kept -= len(said.raw)
        return cut

    def _add(self, seq: int, raw: bytes, *, opens_turn: bool = False) -> None:
        self._messages.append(_Said(seq, opens_turn, raw))
        self._size += len(raw)


def _worded(fact: UserMessageFact, missing: tuple[MissingFile, ...]) -> bytes:
    text = spoken(fact.speaker, fact.text) if fact.speaker else fact.text
    return canonical_json(UserMessage(told(text, fact.files, missing) if fact.files else text))


def sha256_hex(raw: bytes) -> str:
    """Return the hex SHA-256 of `raw`."""
    return hashlib.sha256(raw).hexdigest()
