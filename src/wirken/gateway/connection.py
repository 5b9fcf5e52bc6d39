"""What stands behind a link at the gateway, by the role that the other end proved.

The channel of a message is the connection's: nothing in a frame can name another.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Final

import msgspec

from wirken.domain.errors import ProtocolError, Refused, WirkenError
from wirken.domain.ids import TERMINAL, WEBCHAT, RoleName
from wirken.gateway.desk import Asker, Desk
from wirken.gateway.hub import Hub, Surface
from wirken.gateway.intake import Intake
from wirken.gateway.log import RecordFailed
from wirken.gateway.router import RUNNER, Wish
from wirken.gateway.wings import Wings
from wirken.ipc.calls.operator import OperatorQuestion, WebQuestion
from wirken.ipc.frames import Conversing, Inbound, Rejected
from wirken.ipc.link import Emit, Link

_log: Final = logging.getLogger("wirken.gateway")
_operator: Final[msgspec.msgpack.Decoder[OperatorQuestion]] = msgspec.msgpack.Decoder(OperatorQuestion)
_web: Final[msgspec.msgpack.Decoder[WebQuestion]] = msgspec.msgpack.Decoder(WebQuestion)


@dataclass(slots=True)
class WingPeer:
    """A process that we ask and that asks us nothing: the runner, outbound."""

    wings: Wings

    async def answer(self, link: Link, question: bytes, emit: Emit) -> msgspec.Struct:
        raise Refused("This role may not ask the gateway anything.")

    def received(self, link: Link, frame: Conversing) -> None:
        raise ProtocolError("This role may not converse.")

    def lost(self, link: Link) -> None:
        self.wings.left(link)


@dataclass(slots=True)
class SurfacePeer:
    """The page, or a terminal of the owner."""

    hub: Hub
    intake: Intake
    desk: Desk
    asker: Asker
    surface: Surface | None = None
    _taking: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def is_operator(self) -> bool:
        return not self.asker.only

    async def answer(self, link: Link, question: bytes, emit: Emit) -> msgspec.Struct:
        decoder = _operator if self.is_operator else _web
        try:
            asked = decoder.decode(question)
        except (msgspec.DecodeError, RecursionError):
            raise Refused("This role may not ask that.") from None
        return await self.desk.answer(asked, self.asker)

    def received(self, link: Link, frame: Conversing) -> None:
        if not isinstance(frame, Inbound) or self.surface is None:
            raise ProtocolError("A surface sends messages only.")
        task = asyncio.get_running_loop().create_task(self._take(self.surface, frame))
        self._taking.add(task)
        task.add_done_callback(self._taking.discard)

    def lost(self, link: Link) -> None:
        self.hub.detach(link)

    async def _take(self, surface: Surface, message: Inbound) -> None:
        try:
            surface.tell(await self.intake.accept(surface, message, self._wish(message)))
        except RecordFailed as error:
            surface.tell(Rejected(message.platform_id, str(error), error.advice))
            self.intake.failed()
        except WirkenError as error:
            surface.tell(Rejected(message.platform_id, str(error), error.advice))

    def _wish(self, message: Inbound) -> Wish:
        if not self.is_operator:
            return Wish()
        return Wish(message.interactive, RoleName(message.runner) if message.runner else RUNNER, message.workspace)


def surface_peer(hub: Hub, intake: Intake, desk: Desk, *, operator: bool) -> SurfacePeer:
    """Return what stands behind the page's link, or behind a terminal's."""
    asker = Asker("terminal") if operator else Asker("page", only=WEBCHAT)
    return SurfacePeer(hub, intake, desk, asker)


def attach(peer: SurfacePeer, link: Link) -> None:
    """Let a surface hear of its sessions. A link that is lost already needs nothing."""
    if link.closed.is_set():
        return
    channel = TERMINAL if peer.is_operator else WEBCHAT
    peer.surface = Surface(link, channel, whole_channel=not peer.is_operator)
    peer.hub.attach(peer.surface)
