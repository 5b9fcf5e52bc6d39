"""An adapter that cannot serve: it says so to the gateway, and waits until it can, without being started anew."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

import msgspec

from wirken.channels.contract import GatewayAway
from wirken.domain.errors import WirkenError
from wirken.domain.text import brief, shown
from wirken.ipc.calls.channels import ChannelState
from wirken.ipc.calls.operator import Acknowledged
from wirken.ipc.frames import Conversing
from wirken.ipc.link import Emit, Link

_log: Final = logging.getLogger("wirken.channels")


class Idle:
    """What stands behind the link meanwhile. `said` is why, for people."""

    def __init__(self, said: str) -> None:
        self._state: Final = ChannelState(connected=False, detail=shown(brief(said)))
        self._link: Link | None = None
        self._telling: Final[set[asyncio.Task[None]]] = set()

    def linked(self, link: Link) -> None:
        """A link to the gateway stands: tell it."""
        self._link = link
        task = asyncio.get_running_loop().create_task(self._tell(link))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    def close(self) -> None:
        """Let the link go: somebody else takes one of its own."""
        if self._link is not None:
            self._link.close()

    async def answer(self, link: Link, question: bytes, emit: Emit) -> msgspec.Struct:
        """As while a platform is away: what is to be delivered waits, at most as long as this link."""
        await link.closed.wait()
        raise GatewayAway("The link to the gateway is gone.")

    def received(self, link: Link, frame: Conversing) -> None:
        """Nobody is there to whom it could be shown; what counts is delivered later."""

    def lost(self, link: Link) -> None:
        """The next link is told anew."""

    async def _tell(self, link: Link) -> None:
        try:
            await link.call(self._state, Acknowledged)
        except WirkenError as error:
            _log.warning("the gateway does not take the channel's state: %s", error)
