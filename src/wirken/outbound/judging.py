"""Asks the gateway about connections, over whatever link there is now."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from wirken.domain import relay_limits
from wirken.domain.errors import Unavailable
from wirken.ipc.calls.egress import EgressRuling, EndedEgress, JudgeEgress, OnRecord, ReachEgress
from wirken.ipc.link import Link


class NoJudge(Unavailable):
    """The gateway is not connected, so nothing is reached."""


@dataclass(slots=True)
class GatewayJudge:
    """The gateway as the relay's judge. Raises `NoJudge`, and what the gateway says no with."""

    link: Link | None = None

    def dialled(self, link: Link) -> None:
        """From now on, ask here."""
        self.link = link

    async def judge(self, question: JudgeEgress) -> EgressRuling:
        try:
            async with asyncio.timeout(relay_limits.RELAY_PATIENCE):
                return await self._now().call(question, EgressRuling)
        except TimeoutError:
            raise NoJudge("The gateway did not decide in time.") from None

    async def reach(self, said: ReachEgress) -> None:
        await self._now().call(said, OnRecord)

    async def ended(self, said: EndedEgress) -> None:
        await self._now().call(said, OnRecord)

    def _now(self) -> Link:
        if self.link is None or self.link.closed.is_set():
            raise NoJudge("The gateway is not connected just now.")
        return self.link
