"""What stands behind a link at the gateway, by the role that the other end proved.

The channel of a message is the connection's: nothing in a frame can name another.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

import msgspec

from wirken.domain import file_limits, limits
from wirken.domain.errors import ProtocolError, Refused, WirkenError
from wirken.domain.ids import TERMINAL, WEBCHAT, BadIdentifier, ChannelId, RoleName
from wirken.domain.people import THE_OWNER, Person, has_senders
from wirken.domain.text import clip, shown
from wirken.gateway.answers import Answerer
from wirken.gateway.approvals import Approvals
from wirken.gateway.deliveries import Deliveries
from wirken.gateway.desk import Asker, Desk
from wirken.gateway.hub import Hub, Surface
from wirken.gateway.intake import Intake
from wirken.gateway.log import RecordFailed
from wirken.gateway.people import People, TurnedAway
from wirken.gateway.router import RUNNER, Wish
from wirken.gateway.spoken import Spoken
from wirken.gateway.wings import Wings
from wirken.ipc import memfd
from wirken.ipc.calls.operator import (
    Acknowledged,
    AnswerAs,
    ChannelQuestion,
    Known,
    KnowsSender,
    OperatorQuestion,
    ReadRows,
    WatchApprovals,
    WebQuestion,
)
from wirken.ipc.files import NONE, Files
from wirken.ipc.frames import Asked, Conversing, Inbound, Rejected
from wirken.ipc.link import Emit, Link, pack
from wirken.ipc.pace import Pace

T = TypeVar("T")

_log: Final = logging.getLogger("wirken.gateway")
_NAME: Final = limits.PATH
"""Characters of any name in a message; a workspace's path is the longest. What each may be, its reader decides."""
_operator: Final[msgspec.msgpack.Decoder[OperatorQuestion]] = msgspec.msgpack.Decoder(OperatorQuestion)
_channel: Final[msgspec.msgpack.Decoder[ChannelQuestion]] = msgspec.msgpack.Decoder(ChannelQuestion)
_web: Final[msgspec.msgpack.Decoder[WebQuestion]] = msgspec.msgpack.Decoder(WebQuestion)

NO_FILES: Final = "Sorry, I take files only from people whom I may work for. Your words alone are welcome."
_BROKEN: Final = "Something is wrong here just now. Please try again later."


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
        asked = _asked(_operator, question) if self.is_operator else _asked(_web, question)
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
        _keep(self._taking, self._take(self.surface, frame))

    def lost(self, link: Link) -> None:
        self.hub.detach(link)

    async def _take(self, surface: Surface, message: Inbound) -> None:
        with _telling(surface, message, self.intake):
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


@dataclass(slots=True)
class ChannelPeer:
    """The adapter of a platform: it says which account wrote, and the owner's list says who that is.

    Of a message it decides the conversation, the sender and the text; what only a terminal may wish for is not read.
    """

    channel: ChannelId
    hub: Hub
    intake: Intake
    people: People
    approvals: Approvals
    spoken: Spoken
    deliveries: Deliveries
    pace: Pace
    """How fast it is read, whoever is connected as this channel."""
    surface: Surface | None = None
    _taking: set[asyncio.Task[None]] = field(default_factory=set)
    _files: int = 0
    """Files on their way to disk."""
    _bytes: int = 0
    """What they have together."""

    async def answer_with(self, link: Link, question: bytes, files: Files, emit: Emit) -> msgspec.Struct:
        raise Refused("No question of a channel's brings files.")

    async def answer(self, link: Link, question: bytes, emit: Emit) -> msgspec.Struct:
        asked = _asked(_channel, question)
        if isinstance(asked, KnowsSender):
            return Known(self.people.admits(self.channel, asked.sender))
        if isinstance(asked, AnswerAs):
            await self._pressed(asked)
        elif self.surface is not None and not link.closed.is_set():
            self.deliveries.channels.says(self.channel, asked)
            self.deliveries.opened(self.channel)
        return Acknowledged()

    async def _pressed(self, asked: AnswerAs) -> None:
        try:
            pressed = await self.people.who(self.channel, asked.sender)
        except (Refused, BadIdentifier) as error:
            where = clip(shown(f"{self.channel}:{asked.sender}"), limits.SENDER_ID)[0]
            await self.approvals.refused(asked.answer.approval, where, str(error))
            raise
        await self.approvals.answer(asked.answer, self._by(pressed, asked.sender, asked.conversation))

    def _by(self, who: Person, sender: str, conversation: str) -> Answerer:
        return Answerer(who, f"{self.channel}:{sender}", self.channel, f"{self.channel}/{conversation}")

    def received(self, link: Link, frame: Conversing) -> None:
        self.received_with(link, frame, NONE)

    def received_with(self, link: Link, frame: Conversing, files: Files) -> None:
        if not isinstance(frame, Inbound) or self.surface is None:
            raise ProtocolError("A channel sends messages only.")
        if tuple(file.size for file in frame.files) != tuple(map(memfd.size, files.handles)):
            raise ProtocolError("The channel sent other files than it says.")
        count, size = len(files), sum(file.size for file in frame.files)
        if (
            len(self._taking) >= limits.CHANNEL_MESSAGES
            or self._files + count > file_limits.CHANNEL_FILES
            or self._bytes + size > file_limits.CHANNEL_FILES_SIZE
        ):
            raise ProtocolError("The channel sends more at once than can be taken.")
        self.deliveries.channels.heard(self.channel)
        self._files, self._bytes = self._files + count, self._bytes + size

        def taken(_: asyncio.Task[None]) -> None:
            files.close()
            self._files, self._bytes = self._files - count, self._bytes - size

        # Not in the task itself: one that is cancelled before its first step never runs.
        _keep(self._taking, self._take(self.surface, frame, files)).add_done_callback(taken)

    def lost(self, link: Link) -> None:
        self.hub.detach(link)
        if self.hub.adapter(self.channel) is None:
            self.deliveries.channels.lost(self.channel)

    async def _take(self, surface: Surface, message: Inbound, files: Files) -> None:
        with _telling(surface, message, self.intake):
            met = await self.people.meet(self.channel, message)
            if isinstance(met, TurnedAway):
                surface.tell(Rejected(message.platform_id, met.said, ""))
                return
            if message.files and not met.role.may_use_tools:
                surface.tell(Rejected(message.platform_id, NO_FILES, ""))
                return
            heard = _heard(message)
            said = await self.spoken.answer(surface, heard, self._by(met, heard.sender, heard.conversation))
            surface.tell(said or await self.intake.accept(surface, heard, Wish(), met, files))


def _asked(decoder: msgspec.msgpack.Decoder[T], question: bytes) -> T:
    """Return what a role asks. Raises `Refused` for anything that is not among its questions."""
    try:
        return decoder.decode(question)
    except (msgspec.DecodeError, RecursionError):
        raise Refused("This role may not ask that.") from None


def _keep(tasks: set[asyncio.Task[None]], work: Coroutine[None, None, None]) -> asyncio.Task[None]:
    """Start work and hold on to it until it is done: the loop itself does not."""
    task = asyncio.get_running_loop().create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    return task


def _heard(message: Inbound) -> Inbound:
    """Return what of a platform's message counts; a name that is too long is cut, not refused."""
    name, _ = clip(message.sender_name, limits.SENDER_NAME)
    return replace(message, sender_name=name, agent="", interactive=True, runner="", workspace="")


@contextlib.contextmanager
def _telling(surface: Surface, message: Inbound, intake: Intake) -> Iterator[None]:
    """Tell the surface why its message was not taken; a record that cannot be written ends the gateway.

    What is wrong with our disk is no platform's business.
    """
    try:
        yield
    except RecordFailed as error:
        ours = not has_senders(surface.channel)
        reason, advice = (str(error), error.advice) if ours else (_BROKEN, "")
        surface.tell(Rejected(message.platform_id, reason, advice))
        intake.turns.failed()
    except WirkenError as error:
        surface.tell(Rejected(message.platform_id, str(error), error.advice))


def surface_peer(hub: Hub, intake: Intake, desk: Desk, spoken: Spoken, *, operator: bool) -> SurfacePeer:
    """Return what stands behind the page's link, or behind a terminal's."""
    asker = Asker("terminal") if operator else Asker("page", only=WEBCHAT)
    return SurfacePeer(hub, intake, desk, spoken, asker)


def attach(peer: SurfacePeer | ChannelPeer, link: Link) -> None:
    """Let a surface hear of its sessions. A link that is lost already needs nothing."""
    if link.closed.is_set():
        return
    if isinstance(peer, ChannelPeer):
        peer.surface = Surface(link, peer.channel, whole_channel=True)
    else:
        channel = TERMINAL if peer.is_operator else WEBCHAT
        peer.surface = Surface(link, channel, whole_channel=not peer.is_operator, answers_for_others=True)
    peer.hub.attach(peer.surface)
    if isinstance(peer, ChannelPeer):
        peer.deliveries.channels.attached(peer.channel)
        peer.approvals.connected(peer.surface)
        peer.deliveries.opened(peer.channel)
