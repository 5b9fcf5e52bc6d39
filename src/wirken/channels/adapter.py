"""One platform's adapter: what stands between its library and the gateway, put together."""

from __future__ import annotations

import asyncio
from typing import Final, Generic

from wirken.channels.approvals import Approvals
from wirken.channels.attachments import Attachments
from wirken.channels.attempts import Attempts, Pace
from wirken.channels.contract import Platform, Press, Received
from wirken.channels.gateway_link import GatewayLink
from wirken.channels.inbound import Inbounds
from wirken.channels.keeping import Keeper
from wirken.channels.lanes import Lanes
from wirken.channels.outbound import Outbound
from wirken.channels.reception import Reception
from wirken.channels.states import States
from wirken.channels.streaming import Streams
from wirken.channels.timing import Rests, Timing
from wirken.channels.underway import UnderWay
from wirken.channels.writing import Writing
from wirken.domain.ids import ChannelId
from wirken.domain.platforms import P
from wirken.ipc.link import Link


class Adapter(Generic[P]):
    """Serves one platform. It is the platform's `House`.

    Give `receiver` and `connected` to `ipc.wing.stay_dialled`, and `run` beside it. `stream`: show answers while they
    are written.
    """

    def __init__(self, channel: ChannelId, platform: Platform[P], timing: Timing, *, stream: bool = True) -> None:
        self.states: Final = States()
        self._timing: Final = timing
        self._gateway: Final = GatewayLink()
        self._rests: Final = Rests(timing)
        attempts = Attempts(timing, self.states, Pace(timing), self._rests)
        lanes, writing = Lanes(), Writing(platform.traits.dialect)
        self._underway: Final = UnderWay(platform, attempts)
        every = platform.traits.edit_every if stream else 0.0
        self._streams: Final = Streams(platform, attempts, lanes, writing, self._underway, every)
        self._outbound: Final = Outbound(platform, attempts, lanes, writing, self._streams)
        attachments = Attachments(platform, attempts)
        self._inbounds: Final = Inbounds(self._gateway, timing, attachments, self._outbound, self._underway)
        self._approvals: Final = Approvals(channel, platform, self._gateway, attempts, lanes, writing)
        self._keeper: Final = Keeper(platform, timing, self.states, self._rests)
        self.receiver: Final = Reception(
            self._gateway,
            self.states,
            self._inbounds,
            self._outbound,
            self._streams,
            self._approvals,
            self._underway,
        )

    def linked(self, link: Link) -> None:
        """A new link to the gateway stands."""
        self._gateway.connected(link)
        self.states.again()

    async def run(self) -> None:
        """Serve until cancelled. What a platform raises beyond its contract ends it."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.states.keep_told(self._gateway, self._timing))
                group.create_task(self._keeper.watch())
                group.create_task(self._keeper.keep(self))
        finally:
            for part in (self._inbounds, self._streams, self._underway, self._approvals, self._outbound):
                await part.end()

    # --- contract.House -------------------------------------------------------------------------------

    async def message(self, received: Received[P]) -> None:
        await self._inbounds.message(received)

    async def pressed(self, press: Press[P]) -> str:
        return await self._approvals.pressed(press)

    async def admits(self, sender: str) -> bool:
        return await self._gateway.admits(sender, self._timing)

    def connected(self, who: str) -> None:
        self.states.connected(who)
        self._rests.wake()

    def away(self, why: str) -> None:
        self.states.away(why)
