"""What a terminal, and within its role the page, asks of the gateway beside conversing."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from wirken.ipc.calls.channels import ChannelRow, ChannelState, FilesFrom, ShowChannels
from wirken.ipc.calls.policy import ShowPolicy
from wirken.ipc.calls.senders import AllowSender, BlockSender, ListSenders, OfferPairing, RemoveSender


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
    """The rows of a session from `first_seq` on: a page within limits.ROWS_PER_PAGE and ROW_PAGE. Empty: the end."""

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


Choice: TypeAlias = Literal["once", "session", "30d", "deny"]
"""`session` and `30d` only where a grant may be stored for each of the call's keys."""


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
    principal: str = ""
    """Who asked: whose turn this call belongs to."""
    channel: str = ""
    sender_name: str = ""
    """What the platform calls the sender; anyone can choose it."""
    message: str = ""
    """The message that led here, its first `limits.QUESTION_TEXT` bytes."""
    message_cut: int = 0
    """Bytes left out of `message`; as `said_cut`."""
    said: str = ""
    """The model's own words beside its calls."""
    said_cut: int = 0
    place: tuple[str, ...] = ()
    """Where it will run and what that place can reach, a line each."""
    choices: tuple[Choice, ...] = ("once", "deny")
    """The answers that may be given."""
    put_to: str = ""
    """`<channel>/<conversation>` that is asked: where an adapter shows it. Terminals and the page show all."""
    held_until: int = 0
    """When (ms) quiet hours end that keep it from that conversation; its time runs from there."""
    four_eyes: bool = False
    """`principal`, who asked, may not answer."""


class ApprovalRows(msgspec.Struct, frozen=True):
    approvals: tuple[ApprovalRow, ...]


class WatchApprovals(msgspec.Struct, frozen=True, tag="watch_approvals"):
    """What waits, and from now on every `Asked` and `Settled` on this link, of all sessions (operator)."""


class AnswerApproval(msgspec.Struct, frozen=True, kw_only=True, tag="answer_approval"):
    """Answer a question. `lease` repeats what was shown: an answer to anything else is refused."""

    approval: str
    lease: str
    choice: Choice
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
    session: str = ""
    """The only session it counts in; empty: all of this holder's."""
    uses: int | None = None
    """How often it still counts; none: without limit."""


class GrantRows(msgspec.Struct, frozen=True):
    grants: tuple[GrantRow, ...]


class RevokeGrant(msgspec.Struct, frozen=True, tag="revoke_grant"):
    """Take a key back from a holder: in all sessions, or in the one that is named."""

    agent: str
    principal: str
    channel: str
    action_key: str
    session: str = ""


class ApproveGrant(msgspec.Struct, frozen=True, tag="approve_grant"):
    """Remember a Tier 2 key without a question before it (operator). A Tier 3 key is refused.

    `seconds`: how long, `limits.GRANT_LIFETIME` at most and for 0; `uses`: how often, 0 without limit; `session`:
    in this one only, which must be of this agent and channel.
    """

    agent: str
    principal: str
    channel: str
    action_key: str
    seconds: int = 0
    uses: int = 0
    session: str = ""


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
    sandbox_notes: tuple[str, ...]
    vault_protection: str
    vault_sealed: bool
    credentials: int
    rows: int
    channels: tuple[ChannelRow, ...] = ()
    """Those whose adapters have been here since the gateway started."""


class AnswerAs(msgspec.Struct, frozen=True, tag="answer_as"):
    """An answer to a question, pressed by a platform's account in a conversation.

    The channel is the connection's; who `sender` is, the owner's list of senders says.
    """

    answer: AnswerApproval
    sender: str
    conversation: str
    """Where the button was pressed: where the question was put, or where it comes from; elsewhere it does not count."""


class KnowsSender(msgspec.Struct, frozen=True, tag="knows_sender"):
    """Is this account of the connection's platform admitted? From now on an unknown one waits for the owner.

    The answer is `Known`.
    """

    sender: str


class Known(msgspec.Struct, frozen=True):
    known: bool


class Acknowledged(msgspec.Struct, frozen=True):
    """It was done and is durable; `said` is a sentence where there is something to say."""

    said: str = ""


OperatorQuestion: TypeAlias = (
    ListSessions
    | ReadRows
    | VerifySession
    | CloseSession
    | PendingApprovals
    | WatchApprovals
    | AnswerApproval
    | StopTurn
    | ListGrants
    | RevokeGrant
    | ApproveGrant
    | GatewayStatus
    | ShowPolicy
    | ShowChannels
    | ListSenders
    | AllowSender
    | BlockSender
    | RemoveSender
    | OfferPairing
)

WebQuestion: TypeAlias = (
    ListSessions
    | ReadRows
    | VerifySession
    | PendingApprovals
    | AnswerApproval
    | StopTurn
    | GatewayStatus
    | ListSenders
    | AllowSender
    | BlockSender
)

ChannelQuestion: TypeAlias = AnswerAs | KnowsSender | FilesFrom | ChannelState
