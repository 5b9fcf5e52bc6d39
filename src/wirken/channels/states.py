"""What the platform is to us just now, and that the gateway hears of it: once per change, the latest alone."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from wirken.channels.gateway_link import GatewayLink
from wirken.channels.timing import Timing
from wirken.domain import adapter_limits as limits
from wirken.domain.errors import WirkenError
from wirken.domain.text import brief, shown
from wirken.ipc.calls.channels import ChannelState
from wirken.ipc.calls.operator import Acknowledged
from wirken.ipc.link import LinkLost

_log: Final = logging.getLogger("wirken.channels")


class States:
    """`usable` is set unless the platform refuses our token; then nothing is sent until another process has another."""

    def __init__(self) -> None:
        self.now: ChannelState | None = None
        self.usable: Final = asyncio.Event()
        self.usable.set()
        self._news: Final = asyncio.Event()

    @property
    def revoked(self) -> bool:
        return not self.usable.is_set()

    def connected(self, who: str) -> None:
        self._become(ChannelState(connected=True, detail=_line(who)))

    def away(self, why: str) -> None:
        self._become(ChannelState(connected=False, detail=_line(why)))

    def revoke(self, why: str) -> None:
        """The token is refused. No later word of the library changes that."""
        self._become(ChannelState(connected=False, detail=_line(why), revoked=True))
        self.usable.clear()

    def _become(self, state: ChannelState) -> None:
        if self.revoked or state == self.now:
            return
        self.now = state
        self._news.set()
        _log.info("%s: %s", "connected" if state.connected else "not connected", state.detail)

    def again(self) -> None:
        """Tell it anew: there is a new link, whose other end knows nothing."""
        if self.now is not None:
            self._news.set()

    async def keep_told(self, gateway: GatewayLink, timing: Timing) -> None:
        """Tell the gateway of every change, for ever."""
        while True:
            await self._news.wait()
            link = await gateway.there()
            self._news.clear()
            if self.now is None:
                continue
            try:
                await link.call(self.now, Acknowledged)
            except LinkLost:
                continue  # the next link begins with `again`
            except WirkenError as error:
                _log.warning("the gateway does not take the channel's state: %s", error)
            await timing.sleep(limits.STATE_PAUSE)


def _line(text: str) -> str:
    return shown(brief(text))
