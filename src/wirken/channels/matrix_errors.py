"""What a homeserver refuses, as the errors of the port; nothing that it said goes further."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from wirken.channels.contract import PlatformAway, Revoked, SlowDown, Undeliverable
from wirken.domain import channel_limits as limits
from wirken.domain.errors import WirkenError


class Answered(Exception):
    """The homeserver answered with an error: its status, its code, and for how many seconds it wants peace."""

    def __init__(self, status: int, code: str, retry_after: float = 0.0) -> None:
        super().__init__("refused")
        self.status: Final = status
        self.code: Final = code
        self.retry_after: Final = retry_after


class NoAnswer(Exception):
    """Nobody answered, or not as a homeserver does; `why` is a sentence of ours."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why: Final = why


class Insecure(Revoked):
    """The homeserver's address would carry password and messages in clear."""

    hint = "Write https:// in `homeserver`; http:// is for this machine only."


class WrongKey(Revoked):
    """The encryption store does not open with the key from the vault."""

    hint = "Remove the channel and add it again: it becomes a new device, which reads what is said from then on."


UNKNOWN_TOKEN: Final = ("M_UNKNOWN_TOKEN", "M_MISSING_TOKEN")
NOT_FOUND: Final = 404
_TOO_LARGE: Final = 413
_TOO_MANY: Final = 429
_LOGIN: Final = ("M_FORBIDDEN", "M_USER_DEACTIVATED", "M_USER_LOCKED", "M_USER_SUSPENDED", "M_INVALID_USERNAME")

_REASONS: Final = {
    "M_FORBIDDEN": "The bot may not write in this room, or is no member of it.",
    "M_NOT_FOUND": "The homeserver does not know this room or file.",
    "M_TOO_LARGE": "The homeserver does not take a message or file of this size.",
    "M_USER_SUSPENDED": "The homeserver has suspended the bot's account.",
}
"""What the codes mean where a message is sent (client-server API, "Standard error response")."""


@contextmanager
def telling() -> Iterator[None]:
    """Turn what came into the errors of the port."""
    try:
        yield
    except Answered as told:
        raise said(told) from None
    except NoAnswer as silent:
        raise PlatformAway(silent.why) from None


def said(told: Answered) -> WirkenError:
    """Return the port's error for a refusal of a request."""
    if told.status == _TOO_MANY or told.code == "M_LIMIT_EXCEEDED":
        seconds = min(max(told.retry_after, limits.MATRIX_PAUSE), limits.MATRIX_LONGEST_PAUSE)
        return SlowDown("The homeserver asks for a pause.", seconds, everywhere=True)
    if told.code in UNKNOWN_TOKEN:
        return PlatformAway("The homeserver has ended the bot's login.")
    if told.status == _TOO_LARGE:
        return Undeliverable(_REASONS["M_TOO_LARGE"])
    if 400 <= told.status < 500 and told.code:
        return Undeliverable(_REASONS.get(told.code, "The homeserver refuses this request."))
    return PlatformAway(f"The homeserver has trouble (status {told.status}).")


def refused_login(told: Answered) -> WirkenError:
    """Return the port's error for a refused login."""
    if told.code in _LOGIN:
        return Revoked("The homeserver refuses the bot's user id and password.")
    error = said(told)
    if isinstance(error, Undeliverable):
        return Revoked("The homeserver does not let the bot log in with a password.")
    return error
