"""A chat platform's adapter that does what a test says, with an identity from the real vault."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

import msgspec
from tests.support.gateway_bench import PATIENCE, Bench, identity_of
from tests.support.scripted_wings import Wing
from tests.support.vault_thread import VaultThread

from wirken.config.paths import Paths
from wirken.ipc import handshake, memfd
from wirken.ipc.calls.channels import AdapterQuestion, ChannelState, Deliver, Delivered
from wirken.ipc.calls.operator import Acknowledged, AnswerApproval, AnswerAs, ApprovalRow
from wirken.ipc.files import Files
from wirken.ipc.frames import Accepted, Asked, Attached, Conversing, Inbound, Over, Rejected, Said
from wirken.ipc.link import Answered, Emit, Link, unpack
from wirken.ipc.prompt import lines


async def came_through(asked: Deliver) -> Delivered:
    """The platform takes everything at once."""
    return Delivered(platform_ids=(f"sent-{asked.key}",))


class Adapter(Wing):
    """One channel's connection. Everything that the gateway tells it is kept in `seen`."""

    def __init__(self, identity: handshake.Identity, gateway: Path) -> None:
        super().__init__(identity, gateway)
        self.link_channel = identity.role.partition("-")[2]
        self.seen: list[Conversing] = []
        self._numbers = 0
        self.asked: list[Deliver] = []
        """Every delivery that the gateway asked for."""
        self.news = asyncio.Event()
        self.deliver: Callable[[Deliver], Awaitable[Delivered]] = came_through
        """What becomes of each."""
        self.got: list[bytes] = []
        """The files of deliveries, those asked for twice included."""
        self._decoder = msgspec.msgpack.Decoder(AdapterQuestion)

    async def answer_with(self, link: Link, question: bytes, files: Files, emit: Emit) -> Answered:
        self.got += [memfd.content(handle) for handle in files.handles]
        return await self.answer(link, question, emit)

    def received_with(self, link: Link, frame: Conversing, files: Files) -> None:
        raise AssertionError("the gateway sends files with questions only")

    def message(self, sender: str, text: str, conversation: str = "", **more: object) -> Inbound:
        """Return a message of an account, in a direct conversation unless one is named."""
        self._numbers += 1
        given = {"platform_id": f"p{self._numbers}", "sender": sender, "sender_name": f"N{sender}", **more}
        return Inbound(conversation=conversation or f"d{sender}", text=text, **given)  # type: ignore[arg-type]  # fields

    def put(self, message: Inbound) -> Inbound:
        assert self.link is not None
        self.link.send(message)
        return message

    def bring(self, message: Inbound, *contents: bytes, names: tuple[str, ...] = ()) -> Inbound:
        """Send a message with files, named `f1.txt` and on unless `names` says otherwise."""
        assert self.link is not None
        called = names or tuple(f"f{number}.txt" for number in range(1, len(contents) + 1))
        attached = tuple(Attached(name, "text/plain", len(data)) for name, data in zip(called, contents, strict=True))
        with Files(tuple(map(memfd.sealed, contents))) as files:
            brought = replace(message, files=attached)
            self.link.send(brought, files.handles)
        return brought

    async def outcome(self, message: Inbound) -> Rejected | Over:
        """Return what came of a message: its rejection, or the end of its turn."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for frame in self.seen:
                    if isinstance(frame, Rejected | Over) and frame.platform_id == message.platform_id:
                        return frame
                await self._more()

    async def say(self, sender: str, text: str, conversation: str = "", **more: object) -> Rejected | Over:
        return await self.outcome(self.put(self.message(sender, text, conversation, **more)))

    async def answered(self, sender: str, text: str, conversation: str = "", **more: object) -> str:
        """Say something that the gateway itself answers; return what it says."""
        message = self.put(self.message(sender, text, conversation, **more))
        async with asyncio.timeout(PATIENCE):
            while True:
                for frame in self.seen:
                    if isinstance(frame, Said) and frame.platform_id == message.platform_id:
                        return frame.text
                await self._more()

    async def accepted(self, message: Inbound) -> Accepted:
        async with asyncio.timeout(PATIENCE):
            while True:
                for frame in self.seen:
                    if isinstance(frame, Accepted) and frame.platform_id == message.platform_id:
                        return frame
                await self._more()

    async def question(self) -> ApprovalRow:
        async with asyncio.timeout(PATIENCE):
            while True:
                for frame in self.seen:
                    if isinstance(frame, Asked):
                        return unpack(frame.approval, ApprovalRow)
                await self._more()

    def shown(self, conversation: str) -> list[str]:
        """Return the questions that a conversation was shown, as the plain text that an adapter sends."""
        rows = [unpack(frame.approval, ApprovalRow) for frame in self.seen if isinstance(frame, Asked)]
        here = [row for row in rows if row.put_to == f"{self.link_channel}/{conversation}"]
        return ["\n".join(line.head + line.text for line in lines(row, int(time.time() * 1000))) for row in here]

    async def press(
        self, sender: str, row: ApprovalRow, choice: Literal["once", "30d", "deny"] = "once", conversation: str = ""
    ) -> None:
        """Answer a question as an account does by pressing a button, where it was put unless said otherwise.

        Raises what the gateway says.
        """
        assert self.link is not None
        given = AnswerApproval(approval=row.approval, lease=row.lease, choice=choice)
        where = conversation or row.put_to.partition("/")[2]
        await self.link.call(AnswerAs(given, sender, where), Acknowledged)

    async def states(self, *, connected: bool, detail: str = "", revoked: bool = False) -> None:
        """Say how the platform is."""
        assert self.link is not None
        await self.link.call(ChannelState(connected=connected, detail=detail, revoked=revoked), Acknowledged)

    # --- delivering -----------------------------------------------------------------------------------

    async def answer(self, link: Link, question: bytes, emit: Emit) -> Delivered:
        asked = self._decoder.decode(question)
        self.asked.append(asked)
        self.news.set()
        return await self.deliver(asked)

    @property
    def texts(self) -> list[str]:
        """What was to be delivered, in order."""
        return [asked.text for asked in self.asked]

    async def until_asked(self, count: int) -> None:
        """Wait until the gateway has asked for so many deliveries."""
        async with asyncio.timeout(PATIENCE):
            while len(self.asked) < count:
                self.news.clear()
                await self.news.wait()

    async def until(self, happened: Callable[[], bool]) -> None:
        """Take frames until something is so."""
        async with asyncio.timeout(PATIENCE):
            while not happened():
                await self._more()

    def take(self) -> None:
        """Take all frames that are there."""
        while not self.frames.empty():
            frame = self.frames.get_nowait()
            if frame is not None:
                self.seen.append(frame)

    async def _more(self) -> None:
        frame = await self.frames.get()
        if frame is not None:
            self.seen.append(frame)


@asynccontextmanager
async def at_gateway(vault: VaultThread, paths: Paths, channel: str) -> AsyncIterator[Adapter]:
    """Connect an adapter as role `channel-<channel>`."""
    made = Adapter(await identity_of(vault, f"channel-{channel}"), paths.gateway_socket)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


def adapter(at: Bench, channel: str = "telegram") -> AbstractAsyncContextManager[Adapter]:
    """Connect an adapter to a bench."""
    return at_gateway(at.vault, at.paths, channel)
