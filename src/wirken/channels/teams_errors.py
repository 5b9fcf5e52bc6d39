"""What the Connector refuses, as the errors of the port; nothing that it said goes further."""

from __future__ import annotations

from typing import Final

from wirken.channels.contract import PlatformAway, Revoked, SlowDown, Undeliverable
from wirken.channels.teams_http import Answered
from wirken.channels.teams_types import Nonsense, Refusal, RefusedToken, read
from wirken.domain import channel_limits as limits
from wirken.domain.errors import WirkenError

UNAUTHORIZED: Final = 401

_REASONS: Final = {
    "messagewritesblocked": "The person has blocked or removed the bot.",
    "botnotinconversationroster": "The bot is no member there.",
    "botdisabledbyadmin": "An administrator has switched the bot off.",
    "conversationblockedbyuser": "The person has blocked the bot.",
    "conversationnotfound": "Teams does not know this conversation, or not for this bot.",
    "activitynotfoundinconversation": "The message was deleted.",
    "messagesizetoobig": "The message is too long for Teams.",
    "forbiddenoperationexception": "Teams does not let the bot do that there.",
}
"""What the Connector's `error.code` says, in small letters, and what we say."""

_OURS: Final = ("invalid_client", "unauthorized_client", "invalid_request", "invalid_scope")
"""Errors of a request for a token that only a person can mend (RFC 6749, 5.2)."""


def refused(told: Answered) -> WirkenError:
    """Return what an answer of the Connector means. Only its own form of an error means that we are refused."""
    if told.status == 429:
        return SlowDown("Teams asks for a pause.", max(told.retry_after, limits.TEAMS_PAUSE))
    code = _code(told.body)
    if code is None or told.status in (408, 412) or told.status >= 500:
        return PlatformAway(f"Teams has trouble (status {told.status}).")
    if told.status == UNAUTHORIZED:
        return Revoked("Teams refuses the bot: its application id or secret is not that of a bot there.")
    if told.status in (400, 403, 404, 413):
        return Undeliverable(_REASONS.get(code, "Teams refuses this request."))
    return PlatformAway(f"Teams has trouble (status {told.status}).")


def _code(body: bytes) -> str | None:
    """Return the code of an error, in small letters, empty where it has none; None for what is no error of theirs."""
    try:
        said = read(body, Refusal)
    except Nonsense:
        return None
    if said.error is not None:
        return said.error.code.casefold()
    return "" if said.message is not None else None


def no_token(told: Answered) -> WirkenError:
    """Return what it means that Microsoft Entra issued no token."""
    if told.status == 429:
        return SlowDown("Microsoft Entra asks for a pause.", max(told.retry_after, limits.TEAMS_PAUSE), everywhere=True)
    try:
        error = read(told.body, RefusedToken).error
    except Nonsense:
        error = ""
    if told.status in (400, 401) and error in _OURS:
        return Revoked("Microsoft Entra refuses the application id, the tenant or the client secret.")
    return PlatformAway(f"Microsoft Entra has trouble (status {told.status}).")
