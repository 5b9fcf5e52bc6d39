"""The kinds of row in the record: one frozen type per fact, tagged by `kind`.

A row's payload is the fact's fields together with the envelope (`v`, `session`, `seq`, `ts`, `trust`).
Numbers are integers, a tool call's arguments stay the text that the model sent (docs/record.md).
"""

from __future__ import annotations

import enum
from typing import Final, Literal, TypeAlias

from wirken.domain.actions import ToolCall
from wirken.domain.conversation import ToolSpec
from wirken.domain.conversing import DeliveryConfirmed as DeliveryConfirmed
from wirken.domain.conversing import DeliveryFailed as DeliveryFailed
from wirken.domain.conversing import NewRequested as NewRequested
from wirken.domain.conversing import StopRequested as StopRequested
from wirken.domain.egress import EgressFact
from wirken.domain.fact import _Fact
from wirken.domain.inbox import FilesKept as FilesKept
from wirken.domain.inbox import KeptFile
from wirken.domain.notices import BudgetAlert as BudgetAlert
from wirken.domain.notices import ConfigurationRead as ConfigurationRead
from wirken.domain.notices import Flag as Flag
from wirken.domain.notices import GatewayStarted as GatewayStarted
from wirken.domain.notices import GatewayStopped as GatewayStopped
from wirken.domain.notices import GrantRevoked as GrantRevoked
from wirken.domain.notices import InjectionFlag as InjectionFlag
from wirken.domain.notices import PeerRefused as PeerRefused
from wirken.domain.notices import RateLimited as RateLimited
from wirken.domain.notices import SenderChange as SenderChange
from wirken.domain.notices import SenderChanged as SenderChanged
from wirken.domain.notices import SenderRefused as SenderRefused

FORMAT: Final = 1
"""The payload's `v`."""


class Trust(enum.StrEnum):
    """Where a row's content comes from; what was read from outside never becomes an instruction."""

    GATEWAY = "gateway"
    OWNER = "owner"
    USER = "user"
    MODEL = "model"
    TOOL = "tool"


Outcome: TypeAlias = Literal["ok", "failed", "denied", "invalid", "stopped", "unknown"]
"""`failed`: it ran and reports failure. `unknown`: it was interrupted; nobody can say how far it came."""

TurnOutcome: TypeAlias = Literal["finished", "stopped", "failed", "interrupted"]


class SessionOpened(_Fact, frozen=True, kw_only=True, tag="session_opened"):
    agent: str
    channel: str
    conversation: str
    principal: str
    workspace: str


class SessionClosed(_Fact, frozen=True, kw_only=True, tag="session_closed"):
    by: str


class SystemPromptSet(_Fact, frozen=True, kw_only=True, tag="system_prompt_set"):
    text: str


class ToolsSet(_Fact, frozen=True, kw_only=True, tag="tools_set"):
    """The full list that is offered from here on."""

    tools: tuple[ToolSpec, ...]


class UserMessageFact(_Fact, frozen=True, kw_only=True, omit_defaults=True, tag="user_message"):
    """What a person said. `principal` and `role`: who that is, by the connection and the owner's list of senders."""

    text: str
    principal: str
    sender: str
    sender_name: str
    platform_id: str
    role: str = "owner"
    group: bool = False
    """Said where several people converse."""
    speaker: str = ""
    """Who speaks, as `domain.speaking.speaker` words it: there the model reads it before the text, else nothing."""
    files: tuple[KeptFile, ...] = ()
    """What came with it. This row is what allows the runner to write them; the turn waits for `files_kept`."""


class TurnStarted(_Fact, frozen=True, kw_only=True, tag="turn_started"):
    """The user message at row `message_seq` is taken up; until then it is no part of the conversation."""

    message_seq: int


class TurnResumed(_Fact, frozen=True, kw_only=True, tag="turn_resumed"):
    """The gateway had died in this turn and takes it up again, with what was running marked unknown."""

    unknown: int


class LlmRequest(_Fact, frozen=True, kw_only=True, tag="llm_request"):
    """`messages_sha256` and `tools_sha256`: hex SHA-256 of the exact bytes handed to the outbound process."""

    round: int
    provider: str
    model: str
    messages: int
    messages_sha256: str
    tools_sha256: str


class LlmResponse(_Fact, frozen=True, kw_only=True, omit_defaults=True, tag="llm_response"):
    """`cost`: millionths of the prices' currency; -1 where the model has no price. `cached_tokens`: of the input."""

    round: int
    stop_reason: str
    input_tokens: int
    output_tokens: int
    latency_ms: int
    error: str
    cached_tokens: int = -1
    cost: int = -1


class AssistantMessageFact(_Fact, frozen=True, kw_only=True, tag="assistant_message"):
    text: str


class AssistantToolCalls(_Fact, frozen=True, kw_only=True, tag="assistant_tool_calls"):
    text: str
    calls: tuple[ToolCall, ...]


class ApprovalRequested(_Fact, frozen=True, kw_only=True, tag="approval_requested"):
    """A person is asked. `call` is the canonical call, exactly as it is shown; `lease` is its hex SHA-256.

    Until an answer, a denial or a result of `call_id` follows, the question is open: these rows are the queue.
    """

    approval: str
    call_id: str
    call: str
    lease: str
    action_keys: tuple[str, ...]
    tier: str
    reasons: tuple[str, ...]
    expires: int
    message_seq: int = -1
    """The row of the message that led here."""
    put_to: str = ""
    """`<channel>/<conversation>` that is asked."""
    held_until: int = 0
    """The end (ms) of the quiet hours that hold it back, from where on its time runs; 0: it was put at once."""


class PermissionApproved(_Fact, frozen=True, kw_only=True, tag="permission_approved"):
    """`scope`: `once`; or, for a Tier 2 grant, `session`, `30d`, or what the owner gave it (`7d, 5 uses`)."""

    approval: str
    call_id: str
    lease: str
    action_keys: tuple[str, ...]
    tier: str
    scope: str
    by: str
    surface: str


class ApprovalRefused(_Fact, frozen=True, kw_only=True, tag="approval_refused"):
    """An answer that did not count: late, doubled, for another call, or from someone who may not answer.

    `approval` is what was answered; `asked_in` is the question's session, empty where no such question is open.
    """

    approval: str
    asked_in: str
    by: str
    surface: str
    reason: str


class PermissionDenied(_Fact, frozen=True, kw_only=True, tag="permission_denied"):
    call_id: str
    tool: str
    action_key: str
    action_keys: tuple[str, ...]
    tier: str
    rule: str
    by: str


class ToolPermitted(_Fact, frozen=True, kw_only=True, tag="tool_permitted"):
    """The permit: this row is on disk before the call starts. `call_sha256` binds what may run."""

    call_id: str
    tool: str
    call: str
    call_sha256: str
    action_keys: tuple[str, ...]
    tier: str
    rule: str
    by: str


class ToolResultFact(_Fact, frozen=True, kw_only=True, tag="tool_result"):
    """`output` is what the model reads. `ended_by` names the limit that ended it, or is empty."""

    call_id: str
    tool: str
    success: bool
    outcome: Outcome
    output: str
    exit_code: int | None
    ended_by: str
    truncated_bytes: int
    duration_ms: int


class Compaction(_Fact, frozen=True, kw_only=True, tag="compaction"):
    """From here on the conversation that models see starts at row `first_seq`, after the system prompt."""

    first_seq: int
    left_out: int


class TurnEnded(_Fact, frozen=True, kw_only=True, tag="turn_ended"):
    outcome: TurnOutcome
    reason: str
    rounds: int


class Attestation(_Fact, frozen=True, kw_only=True, tag="attestation"):
    """Ed25519 by the agent's key over the head before this row (docs/record.md, "Attestation")."""

    chain_head_seq: int
    chain_head_hash: str
    signature: str
    signer_pubkey: str


Fact: TypeAlias = (
    SessionOpened
    | SessionClosed
    | SystemPromptSet
    | ToolsSet
    | UserMessageFact
    | FilesKept
    | TurnStarted
    | TurnResumed
    | LlmRequest
    | LlmResponse
    | AssistantMessageFact
    | AssistantToolCalls
    | ApprovalRequested
    | PermissionApproved
    | ApprovalRefused
    | StopRequested
    | NewRequested
    | DeliveryConfirmed
    | DeliveryFailed
    | PermissionDenied
    | ToolPermitted
    | ToolResultFact
    | Compaction
    | TurnEnded
    | Attestation
    | PeerRefused
    | InjectionFlag
    | RateLimited
    | BudgetAlert
    | GatewayStarted
    | GatewayStopped
    | ConfigurationRead
    | GrantRevoked
    | SenderRefused
    | SenderChanged
    | EgressFact
)
