"""What the Bot API refuses, as the errors of the port; nothing that it said goes further."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from wirken.channels.contract import PlatformAway, Revoked, SlowDown, Undeliverable
from wirken.channels.lean import without
from wirken.domain import channel_limits as limits
from wirken.domain.errors import WirkenError

with without("click", "rich", "pygments", "cryptography"):  # a command line and passports: 14 MB that nobody uses
    from telegram.error import TelegramError


class Answered(TelegramError):
    """The Bot API answered with an error: its code, what it says, and the parameters that it may add."""

    def __init__(self, code: int, said: str, retry_after: float = 0.0, migrate_to: int = 0) -> None:
        super().__init__("refused")
        self.code: Final = code
        self.said: Final = said.casefold()
        self.retry_after: Final = retry_after
        self.migrate_to: Final = migrate_to

    def about(self, *words: str) -> bool:
        """Is this a refusal of a request that says one of `words`?"""
        return self.code == _BAD_REQUEST and any(word in self.said for word in words)


class NoAnswer(TelegramError):
    """Nobody answered, or not as the Bot API does; `why` is a sentence of ours."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why: Final = why


_BAD_REQUEST: Final = 400
_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403
_NOT_FOUND: Final = 404
_CONFLICT: Final = 409
_TOO_LARGE: Final = 413
_TOO_MANY: Final = 429

BAD_MARKUP: Final = ("can't parse entities", "can't parse caption entities")
UNCHANGED: Final = ("message is not modified",)
WEBHOOK: Final = "webhook"

_REASONS: Final = (
    ("blocked by the user", "The person has blocked the bot."),
    ("user is deactivated", "The person's account no longer exists."),
    ("bot was kicked", "The bot was removed from the group."),
    ("not a member", "The bot is no member there."),
    ("initiate conversation", "The person has never written to the bot, so it may not write first."),
    ("chat not found", "Telegram does not know this chat, or not for this bot."),
    ("thread not found", "The topic was deleted."),
    ("topic_closed", "The topic is closed."),
    ("message to edit not found", "The message was deleted."),
    ("can't be edited", "The message can no longer be edited."),
    ("not enough rights", "The bot may not write there."),
    ("no rights to send", "The bot may not write there."),
    ("file is too big", "Telegram hands bots files of at most 20 MB."),
    ("invalid file_id", "Telegram no longer has this file."),
)
"""What Telegram says, in small letters, and what we say. Longest lives of these texts: its client's own checks."""


@contextmanager
def telling() -> Iterator[None]:
    """Turn the library's errors into those of the port. Whatever they quote, tokens among it, is left behind."""
    try:
        yield
    except Answered as told:
        raise _said(told) from None
    except NoAnswer as silent:
        raise PlatformAway(silent.why) from None
    except TelegramError:
        raise PlatformAway("The library could not make sense of Telegram's answer.") from None
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        # The library reads an answer without checking its types.
        raise PlatformAway("Telegram answered in a form that is none of the Bot API's.") from None


def _said(told: Answered) -> WirkenError:
    match told.code:
        case _ if told.code == _TOO_MANY or told.retry_after > 0:
            seconds = min(max(told.retry_after, limits.TELEGRAM_PAUSE), limits.TELEGRAM_LONGEST_PAUSE)
            return SlowDown("Telegram asks for a pause.", seconds)
        case 401 | 404:
            return Revoked("Telegram refuses the bot's token.")
        case 409 if WEBHOOK in told.said:
            return PlatformAway("A webhook is set for this bot, so it cannot be polled.")
        case 409:
            return PlatformAway("Another program polls Telegram with this bot's token; only one can.")
        case 413:
            return Undeliverable("Telegram takes files of at most 50 MB.")
        case 400 | 403:
            return Undeliverable(_reason(told))
        case _:
            return PlatformAway(f"Telegram has trouble (status {told.code}).")


def _reason(told: Answered) -> str:
    plain = (
        "Telegram refuses to let the bot write there." if told.code == _FORBIDDEN else "Telegram refuses this request."
    )
    return next((ours for theirs, ours in _REASONS if theirs in told.said), plain)
