"""Follow a session's rows and say what does not follow from what came before."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from wirken.domain.actions import Tier
from wirken.domain.events import (
    AssistantToolCalls,
    Attestation,
    Fact,
    LlmRequest,
    PermissionApproved,
    PermissionDenied,
    ToolPermitted,
    ToolResultFact,
    TurnEnded,
    TurnStarted,
)
from wirken.record.conversation import Conversation, sha256_hex

_NOT_RUN = ("denied", "invalid", "stopped")


@dataclass(slots=True)
class Replay:
    """Feed it every row of a session in order; it names what contradicts the rows before.

    Set `blind` once a row could not be read: what depends on all rows is then not judged any more.
    """

    conversation: Conversation = field(default_factory=Conversation)
    blind: bool = False
    requests: int = 0
    tool_calls: int = 0
    _proposed: dict[str, str] = field(default_factory=dict)
    _permits: dict[str, ToolPermitted] = field(default_factory=dict)
    _denied: set[str] = field(default_factory=set)
    _approved: set[str] = field(default_factory=set)
    _unattested: int = -1
    """The row that ended a turn and was not attested yet, or -1."""

    def step(self, seq: int, fact: Fact) -> Iterator[str]:
        """Yield one sentence for each thing that is wrong with this row."""
        match fact:
            case LlmRequest():
                self.requests += 1
                yield from self._request(fact)
            case AssistantToolCalls(calls=calls):
                self._proposed = {call.id: call.name for call in calls}
                self._permits, self._denied, self._approved = {}, set(), set()
            case PermissionApproved(lease=lease):
                self._approved.add(lease)
            case PermissionDenied(call_id=call_id):
                self._denied.add(call_id)
            case ToolPermitted():
                yield from self._permit(fact)
            case ToolResultFact():
                self.tool_calls += 1
                yield from self._result(fact)
            case TurnStarted():
                yield from self.ended()
                self._unattested = -1
            case TurnEnded():
                self._unattested = seq
            case Attestation(chain_head_seq=attested) if attested >= self._unattested:
                self._unattested = -1
            case _:
                pass
        self.conversation.apply(seq, fact)

    def ended(self) -> Iterator[str]:
        """Yield what is wrong when the session, or a turn after which another starts, ends here."""
        if self._unattested >= 0:
            yield f"the turn that ended at row {self._unattested} has no attestation"

    def _request(self, fact: LlmRequest) -> Iterator[str]:
        if self.blind:
            return
        if sha256_hex(self.conversation.messages_json()) != fact.messages_sha256:
            yield "the messages sent to the model were not those of this record"
        if sha256_hex(self.conversation.tools_json()) != fact.tools_sha256:
            yield "the tools offered to the model were not those of this record"

    def _permit(self, fact: ToolPermitted) -> Iterator[str]:
        if self._proposed.get(fact.call_id) != fact.tool:
            yield f"a permit for {fact.tool} that the model did not ask for"
        if fact.call_id in self._permits:
            yield "a second permit for the same call"
        if hashlib.sha256(fact.call.encode()).hexdigest() != fact.call_sha256:
            yield "the permit's call does not have the permit's hash"
        if fact.tier == Tier.THREE and fact.call_sha256 not in self._approved:
            yield "a Tier 3 call was permitted without an approval of exactly this call"
        self._approved.discard(fact.call_sha256)
        self._permits[fact.call_id] = fact

    def _result(self, fact: ToolResultFact) -> Iterator[str]:
        if fact.call_id not in self._proposed:
            yield "a result for a call that the model did not make, or a second one"
            return
        name = self._proposed.pop(fact.call_id)
        if name != fact.tool:
            yield f"a result of {fact.tool} for a call of {name}"
        if fact.call_id in self._denied and fact.outcome != "denied":
            yield "a result of a call that was denied"
        if fact.call_id not in self._permits and fact.outcome not in _NOT_RUN:
            yield "a result of a call that was never permitted"
        if fact.success != (fact.outcome == "ok"):
            yield "a result whose success contradicts its outcome"
