"""What an adapter's process is told, and what it does while it cannot serve."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.linked import Scripted, linked

from wirken.channels.__main__ import parser
from wirken.channels.contract import GatewayAway
from wirken.channels.given import Given
from wirken.channels.idle import Idle
from wirken.channels.platforms import NotServed, opened
from wirken.channels.serving import first
from wirken.domain.clock import SystemClock
from wirken.domain.ids import ChannelId
from wirken.ipc.calls.channels import ChannelState
from wirken.ipc.calls.operator import Acknowledged
from wirken.ipc.link import Answered, Emit, Link, LinkLost, unpack

WORDS = ["--data", "/d", "--gateway-socket", "/s/g", "--control-fd", "3", "--vault-fd", "4", "--relay-socket", "/s/r"]


def test_settings_are_what_stands_after_the_first_sign() -> None:
    told = parser().parse_args(["matrix", *WORDS, "--setting", "homeserver=https://m.example/?a=b", "--no-stream"])
    assert dict(told.setting) == {"homeserver": "https://m.example/?a=b"}
    assert (told.channel, told.stream, told.listen_fd, told.state) == ("matrix", False, -1, None)


@pytest.mark.parametrize("words", [["irc", *WORDS], ["slack", *WORDS, "--setting", "x"], ["slack"]])
def test_what_the_supervisor_would_not_say_ends_the_process(words: list[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(words)


async def test_a_channel_that_no_file_serves_says_so() -> None:
    async def serve(platform: object) -> None:
        raise AssertionError("nobody is there")

    with pytest.raises(NotServed, match="no adapter for irc"):
        await opened(ChannelId("irc"), Given({}, {}, SystemClock()), serve)


async def test_the_first_to_end_ends_the_others_and_its_error_counts() -> None:
    ended: list[str] = []

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append("waits")

    async def fails() -> None:
        await asyncio.sleep(0)
        raise GatewayAway("gone")

    with pytest.raises(GatewayAway):
        await first(waits(), fails())
    assert ended == ["waits"]


class _Gateway(Scripted):
    """Hears what an adapter says of itself."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[ChannelState] = []
        self.told = asyncio.Event()

    async def answer(self, link: Link, question: bytes, emit: Emit) -> Answered:
        self.heard.append(unpack(question, ChannelState))
        self.told.set()
        return Acknowledged()


async def test_who_cannot_serve_says_why_and_lets_deliveries_wait() -> None:
    idle, gateway = Idle("The Bot token is not stored. \x1b[31m"), _Gateway()
    async with linked(idle, gateway) as (ours, theirs):  # type: ignore[arg-type]  # a receiver, if not a scripted one
        idle.linked(ours)
        async with asyncio.timeout(10):
            await gateway.told.wait()
        [said] = gateway.heard
        assert (said.connected, said.revoked) == (False, False)
        assert said.detail.startswith("The Bot token is not stored.") and "\x1b" not in said.detail
        asked = asyncio.ensure_future(theirs.call(Acknowledged(), Acknowledged))
        await asyncio.sleep(0.05)
        assert not asked.done()
        idle.close()
        with pytest.raises(LinkLost):
            async with asyncio.timeout(10):
                await asked
