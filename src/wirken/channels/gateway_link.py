"""The link to the gateway as an adapter's parts see it: there, or away for the moment."""

from __future__ import annotations

import asyncio
from typing import Final

from wirken.channels.contract import GatewayAway
from wirken.channels.timing import Timing
from wirken.domain import adapter_limits as limits
from wirken.domain.errors import Refused
from wirken.domain.limits import SENDER_ID
from wirken.domain.text import clean, clip
from wirken.ipc.calls.channels import FilesFrom, FilesTaken
from wirken.ipc.calls.operator import Known, KnowsSender
from wirken.ipc.link import Link, LinkLost


class GatewayLink:
    """The one link that stands, if any; a newer one takes the place of the older."""

    def __init__(self) -> None:
        self._link: Link | None = None
        self._stands: Final = asyncio.Event()

    def connected(self, link: Link) -> None:
        """A link stands, unless it is lost already."""
        if not link.closed.is_set():
            self._link = link
            self._stands.set()

    def lost(self, link: Link) -> bool:
        """A link is lost; return whether it was the one that stood."""
        if link is not self._link:
            return False
        self._link = None
        self._stands.clear()
        return True

    def now(self) -> Link:
        """Return the link. Raises `GatewayAway`."""
        if self._link is None:
            raise GatewayAway("There is no link to the gateway.")
        return self._link

    async def there(self) -> Link:
        """Return the link once there is one."""
        while self._link is None:
            await self._stands.wait()
        return self._link

    async def admits(self, sender: str, timing: Timing) -> bool:
        """Return whether the owner admitted a platform's account. Raises `GatewayAway`."""
        question = KnowsSender(clip(clean(sender), SENDER_ID + 1)[0])
        try:
            return (await timing.within(limits.PRESS_TIME, self.now().call(question, Known))).known
        except Refused:
            return False
        except (LinkLost, TimeoutError):
            raise GatewayAway("The gateway did not say who that is.") from None

    async def takes_files_from(self, sender: str, timing: Timing) -> FilesTaken:
        """Return whether files of a platform's account are worth fetching. Raises `GatewayAway`."""
        question = FilesFrom(clip(clean(sender), SENDER_ID + 1)[0])
        try:
            return await timing.within(limits.PRESS_TIME, self.now().call(question, FilesTaken))
        except Refused:
            return FilesTaken(taken=False)
        except (LinkLost, TimeoutError):
            raise GatewayAway("The gateway did not say whose files it takes.") from None
