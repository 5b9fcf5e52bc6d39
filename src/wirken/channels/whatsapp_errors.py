"""What WhatsApp refuses, as the errors of the port; nothing that it said goes further (Cloud API, "Error codes")."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import msgspec

from wirken.channels.contract import PlatformAway, Revoked, SlowDown, Undeliverable
from wirken.channels.lean import without
from wirken.domain import channel_limits as limits
from wirken.domain.errors import WirkenError

with without("click", "rich", "pygments"):
    import httpx  # noqa: TID251  # pywa speaks through it; a second client would cost 7 MB more


class Answered(Exception):
    """The Graph API answered with an error of its own form."""

    def __init__(self, code: int, retry_after: float = 0.0) -> None:
        super().__init__("refused")
        self.code: Final = code
        self.retry_after: Final = retry_after


class NoAnswer(Exception):
    """Nobody answered, or not as the Graph API does; `why` is a sentence of ours."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why: Final = why


_SLOW: Final = {
    4: (limits.WHATSAPP_PAUSE, True),
    80007: (limits.WHATSAPP_PAUSE, True),
    130429: (limits.WHATSAPP_PAUSE, True),
    131048: (limits.WHATSAPP_SPAM_PAUSE, True),
    131056: (limits.WHATSAPP_PAIR_PAUSE, False),
}
"""By code: seconds of the pause, for the answer names none, and whether it is for all."""

_TROUBLE: Final = frozenset({1, 2, 131000, 131016, 131057, 135000})
"""The platform's own; the same may work in a while."""

BAD_CONTENT: Final = (100, 131009)
"""A part of the request is wrong; which one is told in words only."""

_REASONS: Final = {
    10: "WhatsApp does not permit this with our access token: it lacks whatsapp_business_messaging.",
    33: "WhatsApp does not know this phone number id, or not with our access token.",
    100: "WhatsApp refuses this request.",
    368: "WhatsApp has restricted this business account for a breach of its policies.",
    130497: "WhatsApp does not let this business write to people in that country.",
    131009: "WhatsApp refuses this request.",
    131021: "WhatsApp lets nobody write to the own number.",
    131026: "WhatsApp cannot deliver to this person: no WhatsApp there, an old one, or the bot is blocked.",
    131030: "A test number writes only to people who are on its list of recipients.",
    131031: "WhatsApp has locked this business account.",
    131042: "WhatsApp wants the payment of this business account settled.",
    131045: "This phone number is not registered for the Cloud API.",
    131047: (
        "More than 24 hours have passed since this person last wrote. WhatsApp lets a bot answer only within 24 hours; "
        "it can again once the person writes."
    ),
    131051: "WhatsApp takes no message of this type.",
    131052: "WhatsApp could not fetch a file.",
    131053: "WhatsApp could not take the file.",
}


@contextmanager
def telling() -> Iterator[None]:
    """Turn what can go wrong on the way into the port's errors. Whatever they quote, tokens among it, stays behind."""
    try:
        yield
    except Answered as told:
        raise said(told.code, told.retry_after) from None
    except NoAnswer as silent:
        raise PlatformAway(silent.why) from None
    except httpx.TimeoutException:
        raise PlatformAway("WhatsApp did not answer in time.") from None
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError):
        raise PlatformAway("WhatsApp cannot be reached.") from None
    except (msgspec.MsgspecError, KeyError, TypeError, ValueError, AttributeError, RecursionError):
        raise PlatformAway("WhatsApp answered in a form that is none of the Graph API's.") from None


def said(code: int, retry_after: float = 0.0) -> WirkenError:
    """Return what an error of the Graph API, or of a message's status, means to us."""
    if code in _SLOW:
        seconds, everywhere = _SLOW[code]
        wanted = retry_after if retry_after > 0 else seconds
        return SlowDown("WhatsApp asks for a pause.", min(wanted, limits.WHATSAPP_LONGEST_PAUSE), everywhere=everywhere)
    if code in (0, 190):
        return Revoked("WhatsApp refuses the access token: it has expired or was revoked.")
    if code in _TROUBLE:
        return PlatformAway(f"WhatsApp has trouble (error {code}).")
    if 200 <= code < 300:
        return Undeliverable(_REASONS[10])
    return Undeliverable(_REASONS.get(code, f"WhatsApp refuses this message (error {code})."))
