"""What Discord refuses, as the errors of the port; nothing that it said goes further."""

from __future__ import annotations

from typing import Final

import msgspec

from wirken.channels.contract import PlatformAway, Revoked, SlowDown, Undeliverable
from wirken.channels.discord_types import decoded
from wirken.domain import channel_limits as limits
from wirken.domain.errors import WirkenError


class _Refusal(msgspec.Struct, rename={"is_global": "global"}):
    """An error of the REST interface ("Error Messages"), or of its rate limits ("Rate Limits")."""

    message: str = ""
    code: int = 0
    retry_after: float | None = None
    is_global: bool = False


_REASONS: Final = {
    10003: "The channel is gone, or the bot cannot see it.",
    10004: "The server is gone, or the bot is no member there.",
    10008: "The message was deleted.",
    10062: "It is too late to answer this.",
    40005: "Discord takes files of at most 10 MiB here.",
    50001: "The bot cannot see this channel.",
    50005: "The message is not the bot's.",
    50007: "The person does not take messages of the bot.",
    50008: "This is no channel for text.",
    50013: "The bot may not write there; it lacks a permission.",
    50083: "The thread is archived, and only a moderator can open it.",
    50278: "The person has no server in common with the bot any more.",
}
"""What Discord's codes say in our words ("JSON Error Codes")."""

CLOSED: Final = {
    4010: "Discord refuses how the bot connects.",
    4011: "The bot is in more servers than one connection may serve (sharding).",
    4012: "Discord no longer speaks this version of its gateway.",
    4013: "Discord refuses how the bot connects.",
    4014: "Message Content Intent is off. Developer Portal, your application, Bot: switch it on.",
}
"""Why the gateway does not take us ("Gateway Close Event Codes"), where trying again at once cannot help."""
INTENT_OFF: Final = CLOSED[4014]
REFUSED_TOKEN: Final = "Discord refuses the bot's token."  # noqa: S105  # a sentence
_NEW_SESSION: Final = (4007, 4009)
_TOKEN: Final = 4004


def refused(status: int, body: bytes, retry_after: str = "") -> WirkenError:
    """Return the error for an answer that is no success.

    Only Discord itself, which answers in JSON, refuses a token or a message; whoever else stands in the way is trouble.
    """
    told = decoded(body, _Refusal)
    if status == 429:
        return _pause(told, retry_after)
    if status == 413:  # the front may say so, too, and it will say so again
        return Undeliverable(_REASONS[40005])
    if told is None or status >= 500:
        return PlatformAway(f"Discord has trouble (status {status}).")
    if status == 401:
        return Revoked(REFUSED_TOKEN)
    if told.retry_after is not None:  # a channel's slow mode
        return _pause(told, retry_after)
    plain = "Discord refuses to let the bot do this." if status == 403 else "Discord refuses this request."
    return Undeliverable(_REASONS.get(told.code, plain))


def _pause(told: _Refusal | None, retry_after: str) -> SlowDown:
    seconds = told.retry_after if told is not None and told.retry_after is not None else _number(retry_after)
    everywhere = told is None or told.is_global  # without JSON it is the front that is tired of us
    return SlowDown(
        "Discord asks for a pause.",
        min(max(seconds, limits.DISCORD_PAUSE), limits.DISCORD_LONGEST_PAUSE),
        everywhere=everywhere,
    )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return limits.DISCORD_PAUSE


class SessionOver(PlatformAway):
    """The gateway's session cannot be resumed; a new one can be begun."""


def closed(code: int) -> WirkenError:
    """Return what a close of the gateway's means."""
    if code == _TOKEN:
        return Revoked(REFUSED_TOKEN)
    if code in CLOSED:
        return PlatformAway(CLOSED[code])
    if code in _NEW_SESSION:
        return SessionOver("Discord has ended the session.")
    return PlatformAway("Discord closed the connection.")
