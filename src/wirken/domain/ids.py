"""Identifiers as distinct types, and the two rules by which they are put together and checked."""

from __future__ import annotations

import re
from typing import Final, NewType

from wirken.domain.errors import UsageError

AgentId = NewType("AgentId", str)
ChannelId = NewType("ChannelId", str)
ConversationId = NewType("ConversationId", str)
SessionId = NewType("SessionId", str)
PrincipalId = NewType("PrincipalId", str)
CallId = NewType("CallId", str)
ActionKey = NewType("ActionKey", str)
RoleName = NewType("RoleName", str)

OWNER: Final = PrincipalId("owner")
WEBCHAT: Final = ChannelId("webchat")
TERMINAL: Final = ChannelId("terminal")
DEFAULT_AGENT: Final = AgentId("default")

OPERATIONS: Final = SessionId("gateway/operations/log")
"""The session that holds what concerns no conversation: starts, stops, refused peers."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_CONVERSATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@+=-]{0,127}")


class BadIdentifier(UsageError):
    """A name holds characters that identifiers may not have, or too many."""


def agent_id(text: str) -> AgentId:
    """Return `text` as an agent's id: 1 to 64 of a-z, 0-9, `-`, `_`, not starting with a sign."""
    return AgentId(_checked(_NAME, text, "agent name", "1 to 64 of a-z, 0-9, - and _"))


def channel_id(text: str) -> ChannelId:
    """Return `text` as a channel's id; the same form as an agent's."""
    return ChannelId(_checked(_NAME, text, "channel name", "1 to 64 of a-z, 0-9, - and _"))


def conversation_id(text: str) -> ConversationId:
    """Return `text` as a conversation's id: at most 128 letters, digits and `._:@+=-`."""
    return ConversationId(
        _checked(_CONVERSATION, text, "conversation id", "1 to 128 letters, digits and . _ : @ + = -")
    )


def session_id(agent: AgentId, channel: ChannelId, conversation: ConversationId) -> SessionId:
    """Return `{agent}/{channel}/{conversation}`."""
    return SessionId(f"{agent}/{channel}/{conversation}")


def parse_session(text: str) -> tuple[AgentId, ChannelId, ConversationId]:
    """Return the three parts of a session id. Raises `BadIdentifier`."""
    parts = text.split("/")
    if len(parts) != 3:
        raise BadIdentifier("A session id has the form agent/channel/conversation.")
    return agent_id(parts[0]), channel_id(parts[1]), conversation_id(parts[2])


def _checked(form: re.Pattern[str], text: str, what: str, allowed: str) -> str:
    if form.fullmatch(text) is None:
        raise BadIdentifier(f"This {what} cannot be used.", hint=f"Allowed: {allowed}.")
    return text
