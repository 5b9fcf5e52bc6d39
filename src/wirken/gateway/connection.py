"""What stands behind an adapter's link at the gateway, and how a link comes to hear of its sessions.

The channel of a message is the connection's: nothing in a frame can name another.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from wirken.domain import file_limits, limits
from wirken.domain.errors import ProtocolError, Refused
from wirken.domain.ids import TERMINAL, WEBCHAT, BadIdentifier, ChannelId
from wirken.domain.people import Person, sender_id
from wirken.domain.text import clip, shown
from wirken.gateway.answers import Answerer
from wirken.gateway.approvals import Approvals
from wirken.gateway.deliveries import Deliveries
from wirken.gateway.hub import Hub, Surface
from wirken.gateway.intake import Intake
from wirken.gateway.people import People, TurnedAway
from wirken.gateway.router import Wish
from wirken.gateway.spoken import Spoken
from wirken.gateway.surfaces import SurfacePeer
from wirken.gateway.taking import asked_in, keep, telling
from wirken.ipc import memfd
from wirken.ipc.calls.channels import FilesFrom, FilesTaken
from wirken.ipc.calls.operator import Acknowledged, AnswerAs, ChannelQuestion, Known, KnowsSender
from wirken.ipc.files import NONE, Files
from wirken.ipc.frames import Conversing, Inbound, Rejected
from wirken.ipc.link import Emit, Link
from wirken.ipc.pace import Pace

_channel: Final[msgspec.msgpack.Decoder[ChannelQuestion]] = msgspec.msgpack.Decoder(ChannelQuestion)

NO_FILES: Final = "Sorry, I take files only from people whom I may work for. Your words alone are welcome."


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
        asked = asked_in(_channel, question)
        if isinstance(asked, KnowsSender):
            return Known(self.people.admits(self.channel, asked.sender))
        if isinstance(asked, FilesFrom):
            return self._files_from(asked.sender)
        if isinstance(asked, AnswerAs):
            await self._pressed(asked)
        elif self.surface is not None and not link.closed.is_set():
            self.deliveries.channels.says(self.channel, asked)
            self.deliveries.opened(self.channel)
        return Acknowledged()

    def _files_from(self, sender: str) -> FilesTaken:
        """Say whether files of an account are worth fetching; nothing is recorded, and a stranger is told nothing."""
        try:
            person = self.people.store.person(self.channel, sender_id(sender))
        except BadIdentifier:
            return FilesTaken(taken=False)
        if person is None:
            return FilesTaken(taken=False)
        welcome = person.role.may_use_tools
        return FilesTaken(taken=welcome, said="" if welcome else NO_FILES)

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
        keep(self._taking, self._take(self.surface, frame, files)).add_done_callback(taken)

    def lost(self, link: Link) -> None:
        self.hub.detach(link)
        if self.hub.adapter(self.channel) is None:
            self.deliveries.channels.lost(self.channel)

    async def _take(self, surface: Surface, message: Inbound, files: Files) -> None:
        with telling(surface, message, self.intake):
            met = await self.people.meet(self.channel, message)
            if isinstance(met, TurnedAway):
                surface.tell(Rejected(message.platform_id, met.said, ""))
                return
            if message.files and not met.role.may_use_tools:
                surface.tell(Rejected(message.platform_id, NO_FILES, ""))
                return
            heard = _heard(message)
            said = await self.spoken.answer(surface, heard, self._by(met, heard.sender, heard.conversation))
            if said is not None:
                surface.tell(said)
                return
            accepted = await self.intake.accept(surface, heard, Wish(), met, files)
            surface.tell(accepted)
            if (over := self.intake.over_before(accepted)) is not None:
                surface.tell(over)


def _heard(message: Inbound) -> Inbound:
    """Return what of a platform's message counts; a name that is too long is cut, not refused."""
    name, _ = clip(message.sender_name, limits.SENDER_NAME)
    return replace(message, sender_name=name, agent="", interactive=True, runner="", workspace="")


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
