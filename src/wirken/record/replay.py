"""Follow a session's rows and say what does not follow from what came before."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec

from wirken.domain.actions import CanonicalCall, Tier, ToolCall
from wirken.domain.egress import EgressClosed, EgressVerdict, HttpRedirect
from wirken.domain.events import (
    ApprovalRequested,
    AssistantToolCalls,
    Attestation,
    Fact,
    FilesKept,
    LlmRequest,
    PermissionApproved,
    PermissionDenied,
    ToolPermitted,
    ToolResultFact,
    ToolsSet,
    TurnEnded,
    TurnStarted,
    UserMessageFact,
)
from wirken.domain.ids import SessionId
from wirken.domain.inbox import is_path_of
from wirken.record.canonical import canonical_json
from wirken.record.conversation import Conversation, sha256_hex
from wirken.record.delivered import Deliverable
from wirken.record.reached import Reached

_NOT_RUN: Final = ("denied", "invalid", "stopped")
_call: Final = msgspec.json.Decoder(CanonicalCall)
_document: Final = msgspec.json.Decoder(dict[str, object])
_PARTS: Final = frozenset(CanonicalCall.__struct_fields__)


@dataclass(slots=True)
class Replay:
    """Feed it every row of a session in order; it names what contradicts the rows before.

    Set `blind` once a row could not be read: what depends on all rows is then not judged any more.
    """

    session: str
    conversation: Conversation = field(default_factory=Conversation)
    blind: bool = False
    requests: int = 0
    tool_calls: int = 0
    _proposed: dict[str, ToolCall] = field(default_factory=dict)
    """The round's calls that have no result yet, by id."""
    _permits: set[str] = field(default_factory=set)
    _denied: set[str] = field(default_factory=set)
    _asked: dict[str, str] = field(default_factory=dict)
    """The lease of each question to a person, by the question's id."""
    _reached: Reached = field(default_factory=Reached)
    _delivered: Deliverable = field(default_factory=Deliverable)
    _approved: set[str] = field(default_factory=set)
    """Leases that a person gave and no permit has used."""
    _bringing: set[int] = field(default_factory=set)
    """Messages whose files are not settled, by row."""
    _speakers: dict[int, str] = field(default_factory=dict)
    """Who said each message that waits, by row."""
    _speaker: str | None = None
    """Who said the message of the turn."""
    _toolless: bool = False
    """No tools are offered: whoever speaks may not use any."""
    _unattested: int = -1
    """The row that ended a turn and was not attested yet, or -1."""

    def step(self, seq: int, fact: Fact) -> Iterator[str]:
        """Yield one sentence for each thing that is wrong with this row."""
        match fact:
            case LlmRequest():
                self.requests += 1
                yield from self._request(fact)
            case AssistantToolCalls(calls=calls):
                yield from self._unanswered()
                self._proposed = {call.id: call for call in calls}
                self._permits, self._denied, self._asked, self._approved = set(), set(), {}, set()
            case ToolResultFact():
                self.tool_calls += 1
                yield from self._result(fact)
            case TurnStarted(message_seq=message_seq):
                yield from self.ended()
                self._unattested, self._speaker = -1, self._speakers.pop(message_seq, None)
                if message_seq in self._bringing:
                    yield "a turn that began before the files of its message were there"
            case UserMessageFact() | FilesKept():
                yield from self._message(seq, fact)
            case ToolsSet(tools=tools):
                self._toolless = not tools
            case TurnEnded():
                yield from self._unanswered()
                self._proposed, self._unattested = {}, seq
            case Attestation(chain_head_seq=attested) if attested >= self._unattested:
                self._unattested = -1
            case _:
                yield from self._decision(fact)
        yield from self._delivered.follow(seq, fact, blind=self.blind)
        self.conversation.apply(seq, fact)

    def ended(self) -> Iterator[str]:
        """Yield what is wrong when the session, or a turn after which another starts, ends here."""
        if self._unattested >= 0:
            yield f"the turn that ended at row {self._unattested} has no attestation"

    def _message(self, seq: int, fact: UserMessageFact | FilesKept) -> Iterator[str]:
        if isinstance(fact, FilesKept):
            if fact.message_seq not in self._bringing and not self.blind:
                yield "files of a message that brought none, or a second time"
            self._bringing.discard(fact.message_seq)
            return
        self._speakers[seq] = fact.principal
        if fact.speaker and not f"{fact.speaker}, ".startswith(f"{fact.principal}, {fact.role}, "):
            yield "a message that the model was told somebody else had said"
        if fact.files:
            self._bringing.add(seq)
        if not all(is_path_of(SessionId(self.session), file.path) for file in fact.files):
            yield "a file of a message that was put where no file of this conversation belongs"

    def _request(self, fact: LlmRequest) -> Iterator[str]:
        if self.blind:
            return
        if sha256_hex(self.conversation.messages_json()) != fact.messages_sha256:
            yield "the messages sent to the model were not those of this record"
        if sha256_hex(self.conversation.tools_json()) != fact.tools_sha256:
            yield "the tools offered to the model were not those of this record"

    def _decision(self, fact: Fact) -> Iterator[str]:
        match fact:
            case ApprovalRequested():
                if hashlib.sha256(fact.call.encode()).hexdigest() != fact.lease:
                    yield "a person was asked about a call that does not have the question's hash"
                self._asked[fact.approval] = fact.lease
            case PermissionApproved() if fact.approval:  # a grant that was given ahead answers no question
                yield from self._approval(fact)
            case PermissionDenied(call_id=call_id):
                self._denied.add(call_id)
            case EgressVerdict() if not self.blind:
                yield from self._reached.verdict(fact, self._approved)
            case EgressClosed() if not self.blind:
                yield from self._reached.closed(fact)
            case HttpRedirect() if not self.blind:
                yield from self._reached.redirected(fact)
            case ToolPermitted():
                yield from self._permit(fact)
            case _:
                pass

    def _unanswered(self) -> Iterator[str]:
        if self._proposed and not self.blind:
            yield f"the call {next(iter(self._proposed))} has no result"

    def _approval(self, fact: PermissionApproved) -> Iterator[str]:
        if self._asked.pop(fact.approval, None) != fact.lease:
            yield "an approval that nobody was asked for, or of another call"
        if fact.tier == Tier.THREE and fact.scope != "once":
            yield "a Tier 3 approval that was to be remembered"
        self._approved.add(fact.lease)

    def _permit(self, fact: ToolPermitted) -> Iterator[str]:
        proposed = self._proposed.get(fact.call_id)
        if proposed is None or proposed.name != fact.tool:
            yield f"a permit for {fact.tool} that the model did not ask for"
        elif not self._is_call(fact.call, proposed):
            yield "the permit's call is not the one that the model asked for"
        if self._toolless and not self.blind:
            yield f"a permit for {fact.tool} where no tools were offered"
        if fact.call_id in self._permits:
            yield "a second permit for the same call"
        if fact.call_id in self._denied:
            yield "a permit for a call that was denied"
        if hashlib.sha256(fact.call.encode()).hexdigest() != fact.call_sha256:
            yield "the permit's call does not have the permit's hash"
        if fact.call_sha256 not in self._approved:
            if fact.tier == Tier.THREE:
                yield "a Tier 3 call was permitted without an approval of exactly this call"
            elif fact.rule == "approval":
                yield "the approval that this permit names is not on record"
        self._approved.discard(fact.call_sha256)
        self._permits.add(fact.call_id)
        with contextlib.suppress(msgspec.DecodeError, RecursionError):  # said above already
            self._reached.permitted(fact.call_id, _call.decode(fact.call))

    def _is_call(self, text: str, proposed: ToolCall) -> bool:
        """Is this the proposed call, in this session, for the person whose message the turn is about?

        The form is judged as JSON: a place that an older or a newer version wrote has fewer or more to say than ours.
        """
        try:
            call = _call.decode(text)
        except (msgspec.DecodeError, RecursionError):
            return False
        named = (call.tool, call.arguments, call.session)
        speaker = call.principal if self._speaker is None else self._speaker
        own = named == (proposed.name, proposed.arguments, self.session) and call.principal == speaker
        written = _document.decode(text)
        return own and canonical_json(written) == text.encode() and written.keys() == _PARTS

    def _result(self, fact: ToolResultFact) -> Iterator[str]:
        yield from self._reached.over(fact.call_id, fact.outcome)
        if fact.call_id not in self._proposed:
            yield "a result for a call that the model did not make, or a second one"
            return
        proposed = self._proposed.pop(fact.call_id)
        if proposed.name != fact.tool:
            yield f"a result of {fact.tool} for a call of {proposed.name}"
        denied, permitted = fact.call_id in self._denied, fact.call_id in self._permits
        if denied and fact.outcome != "denied":
            yield "a result of a call that was denied"
        if not permitted and fact.outcome not in _NOT_RUN:
            yield "a result of a call that was never permitted"
        if fact.outcome == "denied" and not denied and not permitted:
            yield "a result that says denied of a call that nobody denied"
        if fact.success != (fact.outcome == "ok"):
            yield "a result whose success contradicts its outcome"
