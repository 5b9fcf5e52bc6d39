"""The gateway's end of an adapter's link, scripted: takes messages, asks for deliveries, hears states and answers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import msgspec
from tests.support.fake_platform import FakePlatform
from tests.support.virtual_time import VirtualTime

from wirken.channels.adapter import Adapter
from wirken.domain.errors import WirkenError
from wirken.domain.ids import ChannelId, RoleName
from wirken.domain.platforms import Telegram
from wirken.ipc.calls.channels import ChannelState, Deliver, Delivered, FilesFrom, FilesTaken
from wirken.ipc.calls.operator import Acknowledged, AnswerAs, ApprovalRow
from wirken.ipc.files import Files
from wirken.ipc.frames import Accepted, Asked, Conversing, Delta, Inbound, Over, Row, Settled
from wirken.ipc.link import Emit, Link, pack
from wirken.ipc.memfd import content, sealed
from wirken.ipc.peer import adopt

_question = msgspec.msgpack.Decoder(AnswerAs | FilesFrom | ChannelState)


class ScriptedGateway:
    """`says` is its word on each message; None: it keeps silent."""

    def __init__(self) -> None:
        self.heard: list[Inbound] = []
        self.files: list[list[bytes]] = []
        self.states: list[ChannelState] = []
        self.answers: list[AnswerAs] = []
        self.says: Callable[[Inbound], Conversing | None] = accepted
        self.refuses: WirkenError | None = None
        self.takes_files = FilesTaken(taken=True)
        self.files_from: list[str] = []
        """Whose files it was asked about."""
        self.silent = False

    async def answer(self, link: Link, question: bytes, emit: Emit) -> Acknowledged | FilesTaken:
        asked = _question.decode(question)
        if isinstance(asked, ChannelState):
            self.states.append(asked)
        elif isinstance(asked, FilesFrom):
            self.files_from.append(asked.sender)
        else:
            self.answers.append(asked)
        if self.silent:
            await asyncio.Event().wait()
        if self.refuses is not None:
            raise self.refuses
        return self.takes_files if isinstance(asked, FilesFrom) else Acknowledged()

    def received(self, link: Link, frame: Conversing) -> None:
        assert isinstance(frame, Inbound)
        self.heard.append(frame)
        said = self.says(frame)
        if said is not None:
            link.send(said)

    async def answer_with(self, link: Link, question: bytes, files: Files, emit: Emit) -> msgspec.Struct:
        raise AssertionError("an adapter asks with files")

    def received_with(self, link: Link, frame: Conversing, files: Files) -> None:
        with files:
            self.files.append([content(handle) for handle in files.handles])
        self.received(link, frame)

    def lost(self, link: Link) -> None:
        pass


def accepted(message: Inbound) -> Conversing:
    return Accepted(message.platform_id, f"default/telegram/{message.conversation}", 1)


@dataclass
class Joined:
    """An adapter that runs over a fake platform, with a scripted gateway at the other end of a real link."""

    adapter: Adapter[Telegram]
    platform: FakePlatform
    gateway: ScriptedGateway
    time: VirtualTime
    link: Link | None = None
    ours: Link | None = None

    async def dials(self) -> None:
        """Give it a (new) link."""
        pair = socket.socketpair()
        for end in pair:
            end.setblocking(False)
        self.link = adopt(pair[0], RoleName("channel-telegram"), self.gateway)
        self.ours = adopt(pair[1], RoleName("gateway"), self.adapter.receiver)
        self.adapter.linked(self.ours)
        await self.time.passes()

    async def loses_the_gateway(self) -> None:
        assert self.link is not None and self.ours is not None
        self.link.drop()
        await self.ours.closed.wait()
        await self.time.passes()

    def asks(self, text: str, key: str = "default/telegram/c:5", **more: str) -> asyncio.Future[Delivered]:
        """Ask for a delivery, as the gateway does."""
        assert self.link is not None
        given = {"conversation": "c", **more}
        return asyncio.ensure_future(self.link.call(Deliver(key=key, text=text, **given), Delivered))

    async def sends(self, asked: Deliver, data: bytes) -> Delivered:
        """Ask for a file to be delivered."""
        assert self.link is not None
        handle = sealed(data)
        try:
            return await self.link.call(asked, Delivered, [handle])
        finally:
            os.close(handle)

    def tells(self, frame: Conversing) -> None:
        assert self.link is not None
        self.link.send(frame)

    def streams(self, text: str, conversation: str = "c") -> None:
        self.tells(Delta(f"default/telegram/{conversation}", text))

    def row(self) -> None:
        self.tells(Row("default/telegram/c", b"{}"))

    def over(self, platform_id: str, outcome: str = "finished") -> None:
        self.tells(Over("default/telegram/c", platform_id, outcome, ""))

    def puts(self, row: ApprovalRow) -> None:
        self.tells(Asked(row.session, pack(row)))

    def settles(self, approval: str, decision: str, by: str = "") -> None:
        self.tells(Settled("default/telegram/c", approval, decision, by))


@contextlib.asynccontextmanager
async def joined(platform: FakePlatform | None = None, *, stream: bool = True) -> AsyncIterator[Joined]:
    time, platform = VirtualTime(), platform or FakePlatform()
    adapter = Adapter(ChannelId("telegram"), platform, time.timing(), stream=stream)
    at = Joined(adapter, platform, ScriptedGateway(), time)
    running = asyncio.get_running_loop().create_task(adapter.run())
    await at.dials()
    try:
        yield at
    finally:
        running.cancel()
        await asyncio.wait([running])
        for link in (at.link, at.ours):
            assert link is not None
            link.close()
            await link.closed.wait()
    if not running.cancelled():
        running.result()
