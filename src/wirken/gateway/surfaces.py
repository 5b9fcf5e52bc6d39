"""What stands behind the link of the page, of an owner's terminal, and of a process that asks us nothing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final

import msgspec

from wirken.domain import limits
from wirken.domain.errors import ProtocolError, Refused
from wirken.domain.ids import WEBCHAT, RoleName
from wirken.domain.people import THE_OWNER
from wirken.gateway.desk import Asker, Desk
from wirken.gateway.hub import Hub, Surface
from wirken.gateway.intake import Intake
from wirken.gateway.router import RUNNER, Wish
from wirken.gateway.spoken import Spoken
from wirken.gateway.taking import asked_in, keep, telling
from wirken.gateway.wings import Wings
from wirken.ipc.calls.operator import OperatorQuestion, ReadRows, WatchApprovals, WebQuestion
from wirken.ipc.files import Files
from wirken.ipc.frames import Asked, Conversing, Inbound
from wirken.ipc.link import Emit, Link, pack

_NAME: Final = limits.PATH
"""Characters of any name in a message; a workspace's path is the longest. What each may be, its reader decides."""
_operator: Final[msgspec.msgpack.Decoder[OperatorQuestion]] = msgspec.msgpack.Decoder(OperatorQuestion)
_web: Final[msgspec.msgpack.Decoder[WebQuestion]] = msgspec.msgpack.Decoder(WebQuestion)


@dataclass(slots=True)
class WingPeer:
    """A process that we ask, for files too, and that asks us nothing: the runner."""

    wings: Wings

    async def answer(self, link: Link, question: bytes, emit: Emit) -> msgspec.Struct:
        raise Refused("This role may not ask the gateway anything.")

    def received(self, link: Link, frame: Conversing) -> None:
        raise ProtocolError("This role may not converse.")

    async def answer_with(self, link: Link, question: bytes, files: Files, emit: Emit) -> msgspec.Struct:
        return await self.answer(link, question, emit)

    def received_with(self, link: Link, frame: Conversing, files: Files) -> None:
        self.received(link, frame)

    def lost(self, link: Link) -> None:
        self.wings.left(link)


@dataclass(slots=True)
class SurfacePeer:
    """The page, or a terminal of the owner."""

    hub: Hub
    intake: Intake
    desk: Desk
    spoken: Spoken
    asker: Asker
    surface: Surface | None = None
    _taking: set[asyncio.Task[None]] = field(default_factory=set)
    _reading: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(limits.ROW_READS))

    @property
    def is_operator(self) -> bool:
        return not self.asker.only

    async def answer(self, link: Link, question: bytes, emit: Emit) -> msgspec.Struct:
        asked = asked_in(_operator, question) if self.is_operator else asked_in(_web, question)
        if isinstance(asked, WatchApprovals) and self.surface is not None:
            self.surface.watches = True
        if isinstance(asked, ReadRows):
            async with self._reading:
                return await self.desk.answer(asked, self.asker)
        return await self.desk.answer(asked, self.asker)

    def received(self, link: Link, frame: Conversing) -> None:
        if not isinstance(frame, Inbound) or self.surface is None or frame.files:
            raise ProtocolError("A surface sends messages only, and without files.")
        if max(map(len, (frame.platform_id, frame.conversation, frame.agent, frame.runner, frame.workspace))) > _NAME:
            raise ProtocolError("A surface sent a name that is none.")
        keep(self._taking, self._take(self.surface, frame))

    def lost(self, link: Link) -> None:
        self.hub.detach(link)

    async def _take(self, surface: Surface, message: Inbound) -> None:
        with telling(surface, message, self.intake):
            said = await self.spoken.answer(surface, message, self.asker.answerer)
            if said is not None:
                surface.tell(said)
                return
            accepted = await self.intake.accept(surface, message, self._wish(message), THE_OWNER)
            surface.tell(accepted)
            for row in self.desk.approvals.pending():  # questions that waited before anybody looked on
                if self.is_operator and row.session == accepted.session:
                    surface.tell(Asked(row.session, pack(row)))

    def _wish(self, message: Inbound) -> Wish:
        if not self.is_operator:
            return Wish()
        return Wish(message.interactive, RoleName(message.runner) if message.runner else RUNNER, message.workspace)


def surface_peer(hub: Hub, intake: Intake, desk: Desk, spoken: Spoken, *, operator: bool) -> SurfacePeer:
    """Return what stands behind the page's link, or behind a terminal's."""
    asker = Asker("terminal") if operator else Asker("page", only=WEBCHAT)
    return SurfacePeer(hub, intake, desk, spoken, asker)
