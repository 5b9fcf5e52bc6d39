"""What Slack refuses, as the errors of the port; nothing that it said goes further."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from wirken.channels.contract import PlatformAway, Revoked, SlowDown, Undeliverable
from wirken.channels.lean import without
from wirken.domain import channel_limits as limits
from wirken.domain.errors import WirkenError

with without("aiodns", "brotli", "brotlicffi", "zstandard", "uvloop"):
    from slack_sdk.errors import SlackClientError


class Answered(SlackClientError):
    """Slack answered `ok: false`: the HTTP status, its word for what is wrong, and the pause that it wants."""

    def __init__(self, status: int, error: str, pause: float = 0.0) -> None:
        super().__init__("refused")
        self.status: Final = status
        self.error: Final = error
        self.pause: Final = pause


class NoAnswer(SlackClientError):
    """Nobody answered, or not as Slack does; `why` is a sentence of ours."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why: Final = why


_TOO_MANY: Final = 429
_SERVER: Final = 500
_LIMITED: Final = ("ratelimited", "rate_limited", "message_limit_exceeded")
_TROUBLE: Final = ("internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org")

_REVOKED: Final = {
    "invalid_auth": "refuses it",
    "not_authed": "refuses it",
    "token_revoked": "says that it was revoked",
    "token_expired": "says that it has expired",
    "account_inactive": "says that the app or its workspace is no more",
    "user_removed_from_team": "says that the app was removed",
    "team_disabled": "says that the workspace is no more",
    "not_allowed_token_type": "says that it is of another kind",
}
_REASONS: Final = {
    "channel_not_found": "Slack does not know this conversation, or not for this app.",
    "is_archived": "The channel is archived.",
    "not_in_channel": "The app is no member of the channel; invite it.",
    "user_not_in_channel": "The person is no member of the channel.",
    "message_not_found": "The message was deleted.",
    "thread_not_found": "The thread was deleted.",
    "cant_update_message": "The message can no longer be edited.",
    "edit_window_closed": "The message can no longer be edited.",
    "msg_too_long": "The message is too long for Slack.",
    "no_permission": "The app may not write there.",
    "restricted_action": "A setting of the workspace keeps the app from writing there.",
    "restricted_action_read_only_channel": "The channel is read-only.",
    "ekm_access_denied": "The workspace's administrators have suspended writing.",
    "missing_scope": "The app lacks a permission; docs/channels/slack.md lists those that it needs.",
    "file_not_found": "The file was deleted.",
    "file_deleted": "The file was deleted.",
    "file_upload_size_restricted": "Slack does not take files of this size.",
    "file_uploads_disabled": "Files are switched off in the workspace.",
    "storage_limit_reached": "The workspace has no room for files.",
}
"""What Slack says, and what we say."""


@contextmanager
def telling(*, app: bool = False) -> Iterator[None]:
    """Turn the library's errors into those of the port. Whatever they quote is left behind.

    `app`: the app-level token was sent, not the bot's.
    """
    try:
        yield
    except Answered as told:
        raise _said(told, app=app) from None
    except NoAnswer as silent:
        raise PlatformAway(silent.why) from None
    except SlackClientError:
        raise PlatformAway("The library could not make sense of Slack's answer.") from None


def _said(told: Answered, *, app: bool) -> WirkenError:
    if told.status == _TOO_MANY or told.error in _LIMITED:
        wanted = told.pause if math.isfinite(told.pause) else 0.0
        return SlowDown("Slack asks for a pause.", min(max(wanted, limits.SLACK_PAUSE), limits.SLACK_LONGEST_PAUSE))
    if told.status >= _SERVER or told.error in _TROUBLE:
        return PlatformAway("Slack has trouble.")
    if told.error in _REVOKED:
        return Revoked(f"Slack does not take the {'app-level' if app else 'bot'} token: it {_REVOKED[told.error]}.")
    if told.error == "missing_scope" and app:
        return Revoked("The app-level token lacks the scope connections:write.")
    return Undeliverable(_REASONS.get(told.error, "Slack refuses this request."))


def pause(headers: Mapping[str, str]) -> float:
    """Return the seconds of `Retry-After`, 0 where there is no such number."""
    try:
        return float(headers.get("Retry-After", "0"))
    except ValueError:
        return 0.0
