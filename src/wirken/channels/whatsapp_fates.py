"""What became of messages of ours, as webhooks tell it after the Graph API has taken them."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from wirken.channels.recent import Recent
from wirken.channels.whatsapp_types import Status
from wirken.domain import channel_limits as limits

_log: Final = logging.getLogger("wirken.channels")
_FINE: Final = 0
_UNNAMED: Final = 131000
"""The code of an error that WhatsApp does not name."""


class Fates:
    """Keeps the latest, and lets a sender wait for one.

    The Graph API takes a message before it knows whether it may be delivered: that the 24 hours are over, for one, is
    told by a webhook afterwards.
    """

    def __init__(self) -> None:
        self._known = Recent[str, int](limits.WHATSAPP_REMEMBERED)
        self._awaited: dict[str, asyncio.Future[int]] = {}
        self._come = True

    def told(self, status: Status) -> None:
        """Take what a webhook tells of a message."""
        self._come = True
        if status.status not in ("sent", "delivered", "read", "failed"):
            return
        code = _FINE
        if status.status == "failed":
            code = status.errors[0].code if status.errors else _UNNAMED
        waiting = self._awaited.get(status.id)
        if waiting is not None and not waiting.done():
            waiting.set_result(code)
        elif code and self._known.get(status.id, code) == _FINE:
            _log.warning("a message that WhatsApp had taken was not delivered after all (error %d)", code)
        self._known.put(status.id, code)

    async def of(self, message_id: str) -> int:
        """Return 0 once WhatsApp has sent a message on, or the code of why it did not.

        It is 0 as well where nothing is told for a while; then nobody waits again before something is.
        """
        if (known := self._known.get(message_id, None)) is not None:
            return known
        if not self._come:
            return _FINE
        waiting: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._awaited[message_id] = waiting
        try:
            async with asyncio.timeout(limits.WHATSAPP_FATE):
                return await waiting
        except TimeoutError:
            self._come = False
            self._known.put(message_id, _FINE)
            return _FINE
        finally:
            del self._awaited[message_id]
