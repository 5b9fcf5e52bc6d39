"""Telegram behind the real adapter, with a scripted gateway at the other end of a real link."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest
from tests.support.scripted_gateway import ScriptedGateway
from tests.support.telegram_rig import TelegramRig

from wirken.channels.adapter import Adapter
from wirken.channels.given import Given
from wirken.channels.telegram import platform
from wirken.channels.timing import Timing
from wirken.domain.clock import SystemClock
from wirken.domain.ids import ChannelId, RoleName
from wirken.domain.platforms import Telegram
from wirken.domain.secret import Secret
from wirken.ipc.calls.channels import Deliver, Delivered
from wirken.ipc.frames import Delta, Over
from wirken.ipc.link import Link
from wirken.ipc.peer import adopt


@dataclass
class Bench:
    rig: TelegramRig
    gateway: ScriptedGateway
    link: Link

    async def until(self, true: Callable[[], object]) -> None:
        async with asyncio.timeout(30):
            while not true():
                await asyncio.sleep(0.01)

    async def deliver(self, user: str, text: str, key: str, reply_to: str = "") -> Delivered:
        conversation = self.rig.conversation(user)
        asked = Deliver(key=key, conversation=conversation, text=text, reply_to=reply_to)
        return await self.link.call(asked, Delivered)


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[Bench]:
    async with TelegramRig() as rig:
        secrets = {name: Secret(value.encode()) for name, value in rig.secrets.items()}
        served = platform(Given(rig.settings, secrets, SystemClock()))
        timing = Timing(SystemClock(), asyncio.sleep, random.random)
        adapter = Adapter[Telegram](ChannelId("telegram"), served, timing)
        gateway = ScriptedGateway()
        pair = socket.socketpair()
        for end in pair:
            end.setblocking(False)
        link = adopt(pair[0], RoleName("channel-telegram"), gateway)
        ours = adopt(pair[1], RoleName("gateway"), adapter.receiver)
        adapter.linked(ours)
        task = asyncio.create_task(adapter.run())
        try:
            yield Bench(rig, gateway, link)
        finally:
            task.cancel()
            await asyncio.wait([task])
            for linked in (link, ours):
                linked.close()
                await linked.closed.wait()
            await served.close()


async def test_a_message_goes_in_is_acknowledged_and_its_answer_comes_out() -> None:
    async with serving() as at:
        said = await at.rig.says("alice", "hello 😀")
        await at.until(lambda: at.gateway.heard)
        (heard,) = at.gateway.heard
        assert (heard.platform_id, heard.text, heard.sender) == (said, "hello 😀", at.rig.sender("alice"))
        await at.until(lambda: at.rig.acknowledged(said))
        assert (await at.deliver("alice", "**Hi** <there>", "default/telegram/x:1", said)).failed == ""
        (seen,) = at.rig.seen("alice")
        assert (seen.text, seen.raw) == ("Hi <there>", "<b>Hi</b> &lt;there&gt;")


@pytest.mark.slow
async def test_an_answer_grows_by_edits_and_ends_as_what_is_delivered() -> None:
    async with serving() as at:
        said = await at.rig.says("alice", "tell me")
        await at.until(lambda: at.gateway.heard)
        session = f"default/telegram/{at.rig.conversation('alice')}"
        for word in ("Once upon a time, in a land far away, " * 3, "there was a dragon. "):
            at.link.send(Delta(session, word))
            await asyncio.sleep(0)
        await at.until(lambda: at.rig.seen("alice"))
        at.link.send(Over(session, said, "finished", ""))
        await at.deliver("alice", "The whole answer.", f"{session}:9", said)
        (seen,) = at.rig.seen("alice")
        assert seen.text == "The whole answer." and seen.edits >= 1


@pytest.mark.slow
async def test_a_platform_that_is_down_is_waited_for() -> None:
    async with serving() as at:
        said = await at.rig.says("alice", "hello")
        await at.until(lambda: at.rig.acknowledged(said))
        await at.rig.goes_away()
        asked = asyncio.create_task(at.deliver("alice", "late", "default/telegram/x:1", said))
        await at.until(lambda: any(not state.connected for state in at.gateway.states))
        await at.rig.comes_back()
        assert (await asked).failed == ""
        assert [seen.text for seen in at.rig.seen("alice")] == ["late"]


@pytest.mark.slow
async def test_a_revoked_token_is_told_to_the_gateway() -> None:
    async with serving() as at:
        await at.until(lambda: any(state.connected for state in at.gateway.states))
        await at.rig.revokes()
        await at.until(lambda: at.gateway.states[-1].revoked)
