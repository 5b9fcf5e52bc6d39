"""What a terminal, and within its role the page, asks of the gateway beside conversing."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec


class ListSessions(msgspec.Struct, frozen=True, tag="list_sessions"):
    """Sessions, newest first. Empty `channel` means all; the page always gets its own only."""

    channel: str = ""


class SessionRow(msgspec.Struct, frozen=True, kw_only=True):
    session: str
    rows: int
    opened: int
    """ms since the epoch, as `last`."""
    last: int
    title: str
    """The first message's beginning."""
    closed: bool


class SessionRows(msgspec.Struct, frozen=True):
    sessions: tuple[SessionRow, ...]


class ReadRows(msgspec.Struct, frozen=True, tag="read_rows"):
    """The rows of a session from `first_seq` on, at most 500."""

    session: str
    first_seq: int = 0


class RowPage(msgspec.Struct, frozen=True):
    payloads: tuple[bytes, ...]
    """Stored payloads, in order of seq."""


class VerifySession(msgspec.Struct, frozen=True, tag="verify_session"):
    session: str


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """`status`: `verified`, `divergence`, `unverifiable`, `broken` or `empty`."""

    status: str
    rows: int
    attestations: int
    findings: tuple[str, ...]


class CloseSession(msgspec.Struct, frozen=True, tag="close_session"):
    session: str


class PendingApprovals(msgspec.Struct, frozen=True, tag="pending_approvals"):
    """What waits for an answer; the page gets what it may answer."""


class ApprovalRow(msgspec.Struct, frozen=True, kw_only=True):
    """One question to a person. `call` is the canonical call: show all of it, with `domain.text.shown`."""

    approval: str
    session: str
    call_id: str
    tool: str
    command: str
    """What runs, for a person: the command line or the path, in full."""
    call: str
    lease: str
    action_keys: tuple[str, ...]
    tier: str
    reasons: tuple[str, ...]
    expires: int


class ApprovalRows(msgspec.Struct, frozen=True):
    approvals: tuple[ApprovalRow, ...]


class AnswerApproval(msgspec.Struct, frozen=True, kw_only=True, tag="answer_approval"):
    """Answer a question. `lease` repeats what was shown: an answer to anything else is refused."""

    approval: str
    lease: str
    choice: Literal["once", "30d", "deny"]
    reason: str = ""


class StopTurn(msgspec.Struct, frozen=True, tag="stop_turn"):
    """End the turn that runs in a session, its sandbox processes included."""

    session: str


class ListGrants(msgspec.Struct, frozen=True, tag="list_grants"):
    """Remembered Tier 2 approvals (operator)."""


class GrantRow(msgspec.Struct, frozen=True, kw_only=True):
    agent: str
    principal: str
    channel: str
    action_key: str
    approved: int
    expires: int
    by: str


class GrantRows(msgspec.Struct, frozen=True):
    grants: tuple[GrantRow, ...]


class RevokeGrant(msgspec.Struct, frozen=True, tag="revoke_grant"):
    agent: str
    principal: str
    channel: str
    action_key: str


class ApproveGrant(msgspec.Struct, frozen=True, tag="approve_grant"):
    """Remember a Tier 2 key for 30 days, without a question before it (operator). A Tier 3 key is refused."""

    agent: str
    principal: str
    channel: str
    action_key: str


class GatewayStatus(msgspec.Struct, frozen=True, tag="gateway_status"):
    """What is up and what runs."""


class GatewayReport(msgspec.Struct, frozen=True, kw_only=True):
    version: str
    started: int
    provider: str
    agents: tuple[str, ...]
    peers: tuple[str, ...]
    """Roles connected now."""
    turns_running: int
    approvals_pending: int
    sandbox: str
    sandbox_limits: str
    sandbox_reason: str
    sandbox_fix: str
    vault_protection: str
    vault_sealed: bool
    credentials: int
    rows: int


class Acknowledged(msgspec.Struct, frozen=True):
    """It was done and is durable; `said` is a sentence where there is something to say."""

    said: str = ""


OperatorQuestion: TypeAlias = (
    ListSessions
    | ReadRows
    | VerifySession
    | CloseSession
    | PendingApprovals
    | AnswerApproval
    | StopTurn
    | ListGrants
    | RevokeGrant
    | ApproveGrant
    | GatewayStatus
)

WebQuestion: TypeAlias = (
    ListSessions | ReadRows | VerifySession | PendingApprovals | AnswerApproval | StopTurn | GatewayStatus
)
