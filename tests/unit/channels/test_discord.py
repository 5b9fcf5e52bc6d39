"""Discord over real sockets: what comes in, and how it ends up on record."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.discord_sim import Discord as Simulated
from tests.support.discord_state import THREAD, Account, Channel, Session
from tests.support.recording_house import RecordingHouse, running

from wirken.channels import discord_http
from wirken.channels.contract import GatewayAway, PlatformAway, Revoked, SlowDown
from wirken.channels.discord import DiscordPlatform, platform
from wirken.channels.discord_convert import Place, handle
from wirken.channels.given import Given
from wirken.channels.render.pieces import Piece
from wirken.domain import channel_limits as limits
from wirken.domain.clock import SystemClock
from wirken.domain.platforms import Discord
from wirken.domain.secret import Secret

HI = Piece("hi", "hi")


@dataclass
class Bench:
    sim: Simulated
    platform: DiscordPlatform
    house: RecordingHouse[Discord]
    alice: Account
    here: Channel
    state: Path

    @property
    def session(self) -> Session:
        return list(self.sim.state.sessions.values())[-1]

    async def acknowledged(self) -> None:
        """Return once the number that heartbeats carry has passed everything."""
        async with asyncio.timeout(30):
            while self.session.acknowledged < self.session.seq:
                await asyncio.sleep(0.01)

    def another(self) -> DiscordPlatform:
        """The platform of a next process."""
        return platform(given(self.sim, self.state))


def given(sim: Simulated, state: Path) -> Given:
    settings = {"api_url": sim.url, "prefix": "!ai"}
    return Given(settings, {"token": Secret(sim.token.encode())}, SystemClock(), state=state)


@pytest.fixture
async def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    monkeypatch.setattr(limits, "DISCORD_BEATS_LEAST", 0.05)
    monkeypatch.setattr(limits, "DISCORD_INVALID", 0.01)
    monkeypatch.setattr(limits, "DISCORD_AGAIN", 0.01)
    async with Simulated() as sim:
        sim.interval = 50
        served = platform(given(sim, tmp_path))
        try:
            yield Bench(sim, served, RecordingHouse(), sim.person("alice"), sim.direct(), tmp_path)
        finally:
            await served.close()


# --- messages -------------------------------------------------------------------------------------------


async def test_a_message_is_handed_over_and_counts_as_handled(bench: Bench) -> None:
    async with running(bench.platform, bench.house):
        bench.sim.say(bench.alice, bench.here, "hello 😀")
        assert await bench.house.texts(1) == ["hello 😀"]
        await bench.acknowledged()
    (received,) = bench.house.received
    assert (received.sender, received.sender_name) == (bench.alice.id, "Alice")
    assert received.conversation == handle(Place(bench.here.id)) and not received.group
    assert bench.house.connections == ["wirken_test_bot"]
    assert [one["name"] for one in bench.sim.state.commands] == ["new", "stop", "status", "whoami", "help"]


async def test_nothing_counts_as_handled_before_the_gateway_has_it(bench: Bench) -> None:
    stuck = asyncio.get_running_loop().create_future()
    bench.house.gate = lambda received: stuck if received.text == "slow" else None
    bob, there = bench.sim.person("bob"), bench.sim.direct()
    async with running(bench.platform, bench.house):
        bench.sim.say(bench.alice, bench.here, "slow")
        bench.sim.say(bench.alice, bench.here, "after it")
        for number in range(3):
            bench.sim.say(bob, there, f"other {number}")
            await bench.house.texts(number + 1)
        assert [received.text for received in bench.house.handled] == ["other 0", "other 1", "other 2"]
        before = len(bench.sim.said)
        async with asyncio.timeout(30):
            while len(bench.sim.said) < before + 3:
                await asyncio.sleep(0.01)
        assert {data for op, data in bench.sim.said[before:] if op == 1} == {1}, "READY and nothing after it"
        stuck.set_result(None)
        assert (await bench.house.texts(5))[3:] == ["slow", "after it"]
        await bench.acknowledged()
    assert len(bench.house.received) == 5


async def test_a_next_process_goes_on_with_the_session_and_is_handed_what_was_not_handled(bench: Bench) -> None:
    async with running(bench.platform, bench.house):
        bench.sim.say(bench.alice, bench.here, "one")
        await bench.house.texts(1)
        bench.house.gate = lambda _: asyncio.get_running_loop().create_future()
        bench.sim.say(bench.alice, bench.here, "two")
        await bench.house.until(lambda: len(bench.house.received) == 2)
    await bench.platform.close()
    bench.sim.say(bench.sim.person("carol"), bench.sim.direct(), "a stranger, meanwhile")
    house, served = RecordingHouse[Discord](), bench.another()
    async with running(served, house):
        assert sorted(await house.texts(2)) == ["a stranger, meanwhile", "two"]
    await served.close()
    assert len(bench.sim.state.sessions) == 1, "the session of the first process"
    assert [op for op, _ in bench.sim.said if op in (2, 6)] == [2, 6]


async def test_another_bots_session_is_left_alone(bench: Bench) -> None:
    async with running(bench.platform, bench.house):
        bench.sim.say(bench.alice, bench.here, "one")
        await bench.house.texts(1)
    bench.sim.state.bot.id = "77"
    house, served = RecordingHouse[Discord](), bench.another()
    async with running(served, house):
        assert len(bench.sim.state.sessions) == 2
    await served.close()


async def test_a_message_is_handed_to_the_gateway_again_when_it_was_away(bench: Bench) -> None:
    bench.house.trouble = [GatewayAway("gone"), GatewayAway("gone")]
    async with running(bench.platform, bench.house):
        bench.sim.say(bench.alice, bench.here, "one")
        bench.sim.say(bench.alice, bench.here, "two")
        assert await bench.house.texts(2) == ["one", "two"]
    assert [received.text for received in bench.house.received] == ["one", "one", "one", "two"]


async def test_the_same_message_again_has_the_same_id(bench: Bench) -> None:
    async with running(bench.platform, bench.house):
        bench.sim.again(bench.sim.say(bench.alice, bench.here, "hello"))
        await bench.house.texts(2)
    first, second = bench.house.received
    assert first == second


async def test_an_edit_is_told_as_one_and_a_preview_is_none(bench: Bench) -> None:
    async with running(bench.platform, bench.house):
        said = bench.sim.say(bench.alice, bench.here, "helo https://example.org")
        bench.sim.unfurl(said)
        bench.sim.edit(said, "hello")
        assert await bench.house.texts(2) == ["helo https://example.org", "hello"]
    first, second = bench.house.received
    assert not first.edited and second.edited and first.platform_id != second.platform_id


async def test_in_a_server_mention_reply_and_prefix_call_the_bot_and_a_thread_is_a_conversation(bench: Bench) -> None:
    room, thread, me = bench.sim.room(), bench.sim.room(THREAD), bench.sim.state.bot.id
    await bench.platform.send(handle(Place(room.id, guild=True)), HI, "k")
    (ours,) = bench.sim.state.of_bot(room.id)
    async with running(bench.platform, bench.house):
        bench.sim.say(bench.alice, room, "just talk")
        bench.sim.say(bench.alice, thread, f"<@{me}>, what does <@{bench.alice.id}> want?")
        bench.sim.say(bench.alice, room, "and then?", reply_to=ours)
        bench.sim.say(bench.alice, room, "!ai yes")
        bench.sim.say(bench.alice, room, f"<@!{me}>")
        await bench.house.texts(5)
    said = {(received.mentioned, received.text) for received in bench.house.handled}
    assert said == {
        (False, "just talk"),
        (True, "what does @Alice want?"),
        (True, "and then?"),
        (True, "yes"),
        (True, "/help"),
    }
    assert {received.conversation.conversation for received in bench.house.handled} == {f"g{room.id}", f"g{thread.id}"}
    assert all(received.group for received in bench.house.handled)


async def test_bots_and_webhooks_are_not_heard(bench: Bench) -> None:
    async with running(bench.platform, bench.house):
        bench.sim.say(bench.sim.person("robot", bot=True), bench.here, "beep")
        bench.sim.say(bench.alice, bench.here, "hook", webhook_id="5")
        bench.sim.say(bench.alice, bench.here, "pinned something", type=6)
        await bench.platform.send(handle(Place(bench.here.id)), HI, "k")
        bench.sim.say(bench.alice, bench.here, "hello")
        assert await bench.house.texts(1) == ["hello"]
        await bench.acknowledged()


@pytest.mark.parametrize("over", [0, 1])
async def test_only_so_many_events_wait_and_the_connection_lives_on_meanwhile(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, over: int
) -> None:
    monkeypatch.setattr(limits, "DISCORD_PENDING", 3)
    stuck = asyncio.get_running_loop().create_future()
    bench.house.gate = lambda _: stuck
    async with running(bench.platform, bench.house):
        for number in range(3 + over):
            bench.sim.say(bench.alice, bench.sim.direct(), str(number))
        await bench.house.until(lambda: len(bench.house.received) == 3)
        before = len(bench.sim.said)
        async with asyncio.timeout(30):
            while len(bench.sim.said) < before + 5:
                await asyncio.sleep(0.01)
        assert len(bench.house.received) == 3 and len(bench.house.connections) == 1
        stuck.set_result(None)
        await bench.house.texts(3 + over)


# --- connections ----------------------------------------------------------------------------------------


async def test_a_cut_connection_is_resumed_and_nothing_is_lost(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "DISCORD_HASTY", 0.0)
    async with running(bench.platform, bench.house):
        for number in range(3):
            bench.sim.cut()
            bench.sim.say(bench.alice, bench.here, str(number))
            await bench.house.texts(number + 1)
    assert [received.text for received in bench.house.received] == ["0", "1", "2"]
    assert len(bench.sim.state.sessions) == 1 and len(bench.house.gone) == 3


async def test_a_connection_that_lasts_no_time_is_not_made_again_without_a_pause(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "DISCORD_HASTY", 3600.0)
    with pytest.raises(PlatformAway, match="broke"):
        async with running(bench.platform, bench.house) as task:
            bench.sim.cut()
            await task


async def test_a_request_to_reconnect_is_followed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "DISCORD_HASTY", 0.0)
    async with running(bench.platform, bench.house):
        await bench.sim.tell(7)
        bench.sim.say(bench.alice, bench.here, "hello")
        assert await bench.house.texts(1) == ["hello"]
        await bench.house.until(lambda: len(bench.house.connections) == 2)
    assert len(bench.sim.state.sessions) == 1


async def test_after_a_lost_session_what_was_missed_is_fetched_once_and_in_order(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "DISCORD_PAGE", 5)
    monkeypatch.setattr(limits, "DISCORD_MISSED", 50)
    bench.sim.limits.allowed = 50
    room = bench.sim.room()
    async with running(bench.platform, bench.house):
        bench.sim.say(bench.alice, bench.here, "before")
        bench.sim.say(bench.alice, room, "!ai before")
        await bench.house.texts(2)
    bench.sim.forget_sessions()
    missed = [str(number) for number in range(12)]
    for text in missed:
        bench.sim.say(bench.alice, bench.here, text)
    bench.sim.say(bench.alice, room, "!ai in a server")
    async with running(bench.platform, bench.house):
        await bench.house.texts(15)
        bench.sim.say(bench.alice, bench.here, "after")
        await bench.house.texts(16)
    heard = bench.house.handled[2:]
    assert [one.text for one in heard if not one.group] == [*missed, "after"]
    assert [(one.text, one.mentioned) for one in heard if one.group] == [("in a server", True)]


async def test_a_process_that_dies_while_it_looks_for_what_was_missed_looks_again(bench: Bench) -> None:
    async with running(bench.platform, bench.house):
        bench.sim.say(bench.alice, bench.here, "before")
        await bench.house.texts(1)
    bench.sim.forget_sessions()
    bench.sim.say(bench.alice, bench.here, "missed")
    bench.house.gate = lambda _: asyncio.get_running_loop().create_future()
    async with running(bench.platform, bench.house):
        await bench.house.until(lambda: len(bench.house.received) == 2)
    house, served = RecordingHouse[Discord](), bench.another()
    async with running(served, house):
        assert await house.texts(1) == ["missed"]
    await served.close()


async def test_a_conversation_that_is_gone_is_not_looked_after_any_more(bench: Bench) -> None:
    async with running(bench.platform, bench.house):
        bench.sim.say(bench.alice, bench.here, "before")
        await bench.house.texts(1)
    bench.sim.forget_sessions()
    del bench.sim.state.channels[bench.here.id]
    house = RecordingHouse[Discord]()
    async with running(bench.platform, house):
        bench.sim.say(bench.alice, bench.sim.direct(), "hello")
        assert await house.texts(1) == ["hello"]


@pytest.mark.parametrize("resumable", [True, False])
async def test_an_invalid_session_is_resumed_or_begun_anew_as_discord_says(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, resumable: bool
) -> None:
    monkeypatch.setattr(limits, "DISCORD_HASTY", 0.0)
    async with running(bench.platform, bench.house):
        await bench.sim.tell(9, resumable)
        await bench.house.until(lambda: len(bench.house.connections) == 2)
        bench.sim.say(bench.alice, bench.here, "hello")
        assert await bench.house.texts(1) == ["hello"]
    assert len(bench.sim.state.sessions) == (1 if resumable else 2)


async def test_a_gateway_that_acknowledges_no_heartbeat_is_left(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "DISCORD_HASTY", 0.0)
    async with running(bench.platform, bench.house):
        bench.sim.deaf = True
        await bench.house.until(lambda: bench.house.gone)
        bench.sim.deaf = False
        assert "stopped answering" in bench.house.gone[0]
        await bench.house.until(lambda: len(bench.house.connections) >= 2)
    assert len(bench.sim.state.sessions) == 1


async def test_a_heartbeat_that_discord_asks_for_is_sent(bench: Bench) -> None:
    bench.sim.interval = 60_000
    async with running(bench.platform, bench.house):
        bench.sim.said.clear()
        await bench.sim.tell(1)
        async with asyncio.timeout(30):
            while not bench.sim.said:
                await asyncio.sleep(0.01)
        assert bench.sim.said[0] == (1, 1)


@pytest.mark.parametrize(
    ("code", "what", "sentence"),
    [
        (4004, Revoked, "token"),
        (4010, PlatformAway, "refuses how"),
        (4011, PlatformAway, "sharding"),
        (4012, PlatformAway, "version"),
        (4013, PlatformAway, "refuses how"),
        (4014, PlatformAway, "Message Content Intent is off"),
        (4999, PlatformAway, "closed"),
    ],
)
async def test_a_close_says_why(bench: Bench, code: int, what: type[Exception], sentence: str) -> None:
    with pytest.raises(what, match=sentence):
        async with running(bench.platform, bench.house) as task:
            await bench.sim.close(code)
            await task


@pytest.mark.parametrize(("code", "sessions"), [(4000, 1), (4008, 1), (4007, 2), (4009, 2)])
async def test_some_closes_end_the_session_and_others_do_not(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, code: int, sessions: int
) -> None:
    monkeypatch.setattr(limits, "DISCORD_HASTY", 0.0)
    async with running(bench.platform, bench.house):
        await bench.sim.close(code)
        await bench.house.until(lambda: len(bench.house.connections) == 2)
    assert len(bench.sim.state.sessions) == sessions


async def test_a_missing_intent_is_told_before_a_session_is_begun(bench: Bench) -> None:
    bench.sim.without_content()
    with pytest.raises(PlatformAway, match="Message Content Intent is off"):
        await bench.platform.run(bench.house)
    assert bench.sim.starts == 1000
    bench.sim.state.flags = 1 << 18  # what the application says and what the gateway does are two things
    with pytest.raises(PlatformAway, match="Message Content Intent is off"):
        await bench.platform.run(bench.house)


@pytest.mark.parametrize("left", [limits.DISCORD_IDENTIFIES, limits.DISCORD_IDENTIFIES - 1])
async def test_the_last_sessions_of_a_day_are_not_used_up(bench: Bench, left: int) -> None:
    bench.sim.starts = left
    if left < limits.DISCORD_IDENTIFIES:
        with pytest.raises(SlowDown) as told:
            await bench.platform.run(bench.house)
        assert told.value.seconds == 14_400 and bench.sim.starts == left
        return
    async with running(bench.platform, bench.house):
        assert bench.sim.starts == left - 1


async def test_a_gateway_that_is_not_discords_is_not_called(bench: Bench) -> None:
    async with Simulated() as evil:
        bench.sim.gateway_at = evil.gateway
        with pytest.raises(PlatformAway, match="not its own"):
            await bench.platform.run(bench.house)
        bench.sim.gateway_at, bench.sim.resume_at = "", evil.gateway
        async with running(bench.platform, bench.house):
            bench.sim.say(bench.alice, bench.here, "hello")
            await bench.house.texts(1)
        async with running(bench.platform, RecordingHouse[Discord]()):
            assert evil.said == [] and evil.calls == []
    assert [op for op, _ in bench.sim.said if op in (2, 6)] == [2, 6]


async def test_a_gateway_that_says_no_hello_is_left(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "DISCORD_HELLO", 0.05)
    bench.sim.mute = True
    with pytest.raises(PlatformAway, match="said nothing"):
        await bench.platform.run(bench.house)


@pytest.mark.parametrize(
    "text",
    ["", "nonsense", "[]", '{"op":"0"}', '{"op":0,"s":-1,"t":"MESSAGE_CREATE","d":{}}', '{"op":0,"d":' + "[" * 200_000],
    ids=["nothing", "no JSON", "list", "text", "negative", "deep"],
)
async def test_what_makes_no_sense_is_passed_over(bench: Bench, text: str) -> None:
    async with running(bench.platform, bench.house):
        await bench.sim.tell_raw(text)
        bench.sim.say(bench.alice, bench.here, "hello")
        assert await bench.house.texts(1) == ["hello"]
    assert len(bench.house.connections) == 1


@pytest.mark.parametrize(
    "content",
    [
        {"id": [], "channel_id": "1"},
        {"id": "1/../2", "channel_id": "1", "author": {"id": "1"}, "content": "x"},
        {"id": "1", "channel_id": "1" * 30, "author": {"id": "1"}, "content": "x"},
        {"id": "1", "channel_id": "1", "author": {"id": "1\n"}, "content": "x"},
    ],
)
async def test_an_event_that_makes_no_sense_is_passed_over_and_costs_no_message(bench: Bench, content: object) -> None:
    async with running(bench.platform, bench.house):
        bench.session.add("MESSAGE_CREATE", content)
        bench.sim.say(bench.alice, bench.here, "hello")
        assert await bench.house.texts(1) == ["hello"]
        await bench.acknowledged()


@pytest.mark.parametrize("over", [0, 1])
async def test_an_event_may_be_as_long_as_the_limit(bench: Bench, monkeypatch: pytest.MonkeyPatch, over: int) -> None:
    monkeypatch.setattr(limits, "DISCORD_FRAME", 5000)
    monkeypatch.setattr(limits, "DISCORD_HASTY", 0.0)
    async with running(bench.platform, bench.house):
        await bench.sim.tell_raw('{"op":11}'.ljust(limits.DISCORD_FRAME + over))
        bench.sim.say(bench.alice, bench.here, "hello")
        if over:
            await bench.house.until(lambda: len(bench.house.connections) == 2)
            bench.sim.say(bench.alice, bench.here, "and now?")
        await bench.house.texts(1)
    assert len(bench.sim.state.sessions) == 1 + over


async def test_a_revoked_token_is_told(bench: Bench) -> None:
    bench.sim.revoked = True
    with pytest.raises(Revoked):
        await bench.platform.run(bench.house)


async def test_a_platform_that_goes_away_and_comes_back_loses_nothing(bench: Bench) -> None:
    with pytest.raises(PlatformAway):
        async with running(bench.platform, bench.house) as task:
            await bench.sim.stop()
            await task
    bench.sim.say(bench.alice, bench.here, "meanwhile")
    with contextlib.suppress(PlatformAway):
        await bench.platform.run(bench.house)
    await bench.sim.start()
    async with running(bench.platform, bench.house):
        assert await bench.house.texts(1) == ["meanwhile"]


async def test_a_menu_that_cannot_be_set_keeps_nobody_from_being_heard(bench: Bench) -> None:
    bench.sim.missing = {"commands"}
    async with running(bench.platform, bench.house):
        bench.sim.say(bench.alice, bench.here, "hello")
        assert await bench.house.texts(1) == ["hello"]


@pytest.mark.parametrize("over", [0, 1])
async def test_an_answer_may_be_as_long_as_the_limit(bench: Bench, monkeypatch: pytest.MonkeyPatch, over: int) -> None:
    monkeypatch.setattr(limits, "DISCORD_ANSWER", 2000)
    bench.sim.garbage = [b'{"id":"1","channel_id":"2"}'.ljust(2000 + over)]
    if over:
        with pytest.raises(PlatformAway, match="too long"):
            await bench.platform.send(handle(Place("2")), HI, "k")
        return
    assert await bench.platform.send(handle(Place("2")), HI, "k") == "2:1"


async def test_only_discords_own_addresses_are_believed() -> None:
    wire = discord_http.Wire("t", "", "", "", SystemClock())
    good = {
        "wss://gateway.discord.gg": "wss://gateway.discord.gg",
        "wss://gateway-us-east1-b.discord.gg/?x=1": "wss://gateway-us-east1-b.discord.gg",
        "wss://gateway.discord.gg:443": "wss://gateway.discord.gg",
    }
    bad = """ws://gateway.discord.gg https://gateway.discord.gg wss://discord.gg.evil.example wss://evildiscord.gg
        wss://a@gateway.discord.gg wss://gateway.discord.gg:444 wss://gateway.discord.gg:x wss:// wss://[ x"""
    assert {url: wire.trusted(url) for url in good} == good
    assert [url for url in bad.split() if wire.trusted(url)] == []
    own = discord_http.Wire("t", "https://chat.example.org:8443/", "", "", SystemClock())
    assert own.trusted("wss://chat.example.org:8443/x") == "wss://chat.example.org:8443"
    assert own.trusted("wss://chat.example.org") == "" == own.trusted("ws://chat.example.org:8443")
