"""Discord over real sockets: what goes out, what is asked, what is refused."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.connect_proxy import connect_proxy
from tests.support.discord_rest import too_many
from tests.support.discord_sim import Discord as Simulated
from tests.support.discord_state import Account, Channel, Pressed, Refusal
from tests.support.recording_house import RecordingHouse, running
from tests.support.tls_files import BUNDLE, authority

from wirken.channels.contract import (
    Attachment,
    GatewayAway,
    PlatformAway,
    Press,
    Question,
    Revoked,
    SlowDown,
    Undeliverable,
)
from wirken.channels.discord import DiscordPlatform, platform
from wirken.channels.discord_convert import Handle, Place, handle
from wirken.channels.given import Given
from wirken.channels.render.pieces import Piece
from wirken.domain import channel_limits as limits
from wirken.domain.clock import SystemClock
from wirken.domain.platforms import Discord
from wirken.domain.secret import Secret

HI = Piece("**hi**", "hi")
ASKED = Question("a-1", (Piece("first", "first"), Piece("May I?", "May I?")), ("once", "session", "30d", "deny"))


@dataclass
class Bench:
    sim: Simulated
    platform: DiscordPlatform
    house: RecordingHouse[Discord]
    alice: Account
    direct: Channel

    @property
    def here(self) -> Handle:
        return handle(Place(self.direct.id))

    async def told(self, pressed: Pressed) -> str:
        async with asyncio.timeout(30):
            while pressed.answer is None:
                await asyncio.sleep(0.01)
        return pressed.answer


def given(sim: Simulated) -> Given:
    return Given({"api_url": sim.url}, {"token": Secret(sim.token.encode())}, SystemClock())


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with Simulated() as sim:
        served = platform(given(sim))
        try:
            yield Bench(sim, served, RecordingHouse(), sim.person("alice"), sim.direct())
        finally:
            await served.close()


# --- messages -------------------------------------------------------------------------------------------


async def test_a_message_calls_nobody_shows_no_preview_and_is_known_by_its_key(bench: Bench) -> None:
    sent = await bench.platform.send(bench.here, HI, "k" * 25)
    (stored,) = bench.sim.state.of_bot(bench.direct.id)
    assert sent == f"{bench.direct.id}:{stored.id}" and stored.content == "**hi**"
    assert stored.body["allowed_mentions"] == {"parse": []} and stored.body["flags"] == 4
    assert (stored.body["nonce"], stored.body["enforce_nonce"]) == ("k" * 25, True)
    assert await bench.platform.send(bench.here, HI, "k" * 25) == sent
    other = platform(given(bench.sim))
    assert await other.send(bench.here, HI, "k" * 25) == sent, "another process, the same message"
    await other.close()
    assert len(bench.sim.state.of_bot(bench.direct.id)) == 1


async def test_in_a_server_an_answer_names_what_it_answers(bench: Bench) -> None:
    room = bench.sim.room()
    asked = bench.sim.say(bench.alice, room, "?")
    await bench.platform.send(handle(Place(room.id, guild=True)), HI, "a", f"{room.id}:{asked.id}")
    await bench.platform.send(handle(Place(room.id, guild=True)), HI, "b", f"{room.id}:i77")
    await bench.platform.send(bench.here, HI, "c", f"{bench.direct.id}:{asked.id}")
    answer, to_command = bench.sim.state.of_bot(room.id)
    assert answer.body["message_reference"] == {"message_id": asked.id, "fail_if_not_exists": False}
    assert "message_reference" not in to_command.body
    assert "message_reference" not in bench.sim.state.of_bot(bench.direct.id)[0].body


async def test_an_edit_replaces_the_text_and_takes_the_buttons_away(bench: Bench) -> None:
    sent = await bench.platform.ask(bench.here, ASKED, "k")
    await bench.platform.edit(bench.here, sent, HI)
    stored = bench.sim.state.of_bot(bench.direct.id)[-1]
    assert (stored.content, stored.custom_ids, stored.edits) == ("**hi**", [], 1)
    with pytest.raises(Undeliverable, match="deleted"):
        await bench.platform.edit(bench.here, f"{bench.direct.id}:1", HI)
    for strange in ("", "1", f"{bench.direct.id}:i7", "1:2/../3"):
        with pytest.raises(Undeliverable, match="no message"):
            await bench.platform.edit(bench.here, strange, HI)


async def test_typing_is_shown(bench: Bench) -> None:
    await bench.platform.typing(bench.here)
    assert bench.sim.state.typing == [bench.direct.id]


# --- files ----------------------------------------------------------------------------------------------


async def test_a_file_is_sent_with_its_caption(bench: Bench) -> None:
    name = 'a "b"/c\r\n.txt'
    sent = await bench.platform.send_file(bench.here, name, "text/plain", b"\0data", HI, "k")
    assert await bench.platform.send_file(bench.here, name, "text/plain", b"\0data", HI, "k") == sent
    (stored,) = bench.sim.state.of_bot(bench.direct.id)
    assert (stored.data, stored.content) == (b"\0data", "**hi**")
    attached = stored.wire["attachments"]
    assert isinstance(attached, list) and attached[0]["filename"] == "a _b__c__.txt"
    await bench.platform.send_file(bench.here, "b.bin", "", b"data", None, "l")


@pytest.mark.parametrize("over", [0, 1])
async def test_a_file_may_have_as_many_bytes_as_the_limit(bench: Bench, over: int) -> None:
    data = bytes(bench.platform.traits.file_most + over)
    assert bench.platform.traits.file_most == limits.DISCORD_UPLOAD
    if over:
        with pytest.raises(Undeliverable, match="10 MiB"):
            await bench.platform.send_file(bench.here, "a", "", data, None, "k")
        return
    await bench.platform.send_file(bench.here, "a", "", data, None, "k")


async def test_a_file_that_came_is_fetched_from_discord_and_from_nowhere_else(bench: Bench) -> None:
    data = bytes(range(256)) * 8192
    async with running(bench.platform, bench.house), Simulated() as evil:
        bench.sim.say(bench.alice, bench.direct, "see", ("../a.bin", data, 7, "image/png; x=1"))
        await bench.house.texts(1)
        (file,) = bench.house.received[0].files
        assert (file.name, file.size, file.media_type) == ("a.bin", 7, "image/png")
        pieces = [piece async for piece in bench.platform.fetch(file)]
        assert b"".join(pieces) == data and max(map(len, pieces)) <= 2**20
        for url in (
            evil.url,
            f"{bench.sim.url}@evil.example/x",
            "https://cdn.discordapp.com@evil.example/",
            "https://cdn.discordapp.com.evil.example/",
            "http://cdn.discordapp.com/",
            "https://cdn.discordapp.com:444/",
            "https://[",
            "file:///etc/passwd",
        ):
            with pytest.raises(Undeliverable, match="somewhere else"):
                _ = [piece async for piece in bench.platform.fetch(Attachment("a", "", 1, url))]
        assert evil.calls == []
        gone = Attachment("a", "", 1, f"{bench.sim.url}/attachments/1/2/3")
        with pytest.raises(Undeliverable, match="no longer"):
            _ = [piece async for piece in bench.platform.fetch(gone)]


# --- questions and commands -----------------------------------------------------------------------------


async def test_a_question_has_buttons_that_carry_its_id_and_the_choice(bench: Bench) -> None:
    await bench.platform.ask(bench.here, ASKED, "k")
    before, last = bench.sim.state.of_bot(bench.direct.id)
    assert (before.content, last.content) == ("first", "May I?") and before.custom_ids == []
    assert last.custom_ids == ["a-1:once", "a-1:session", "a-1:30d", "a-1:deny"]
    await bench.platform.ask(bench.here, Question("a-2", (HI,), ("deny",)), "l")
    assert bench.sim.state.of_bot(bench.direct.id)[-1].custom_ids == ["a-2:deny"]


@pytest.mark.parametrize("guild", [False, True])
async def test_who_presses_is_what_discord_says(bench: Bench, guild: bool) -> None:
    channel = bench.sim.room() if guild else bench.direct
    where = handle(Place(channel.id, guild))
    sent = await bench.platform.ask(where, ASKED, "k")
    stored = bench.sim.state.of_bot(channel.id)[-1]
    mallory = bench.sim.person("mallory")
    async with running(bench.platform, bench.house):
        assert await bench.told(bench.sim.press(mallory, stored, "a-1:once")) == "It counts."
    assert bench.house.presses == [Press(mallory.id, where, "a-1", "once", sent)]


class SlowHouse(RecordingHouse[Discord]):
    """Takes its time over a press."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()

    async def pressed(self, press: Press[Discord]) -> str:
        await self.go.wait()
        return await super().pressed(press)


async def test_an_answer_that_takes_long_is_told_later(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "DISCORD_AT_ONCE", 0.01)
    await bench.platform.ask(bench.here, ASKED, "k")
    house = SlowHouse()
    async with running(bench.platform, house), asyncio.timeout(30):
        pressed = bench.sim.press(bench.alice, bench.sim.state.of_bot(bench.direct.id)[-1], "a-1:deny")
        while not pressed.deferred:
            await asyncio.sleep(0.01)
        house.go.set()
        assert await bench.told(pressed) == "It counts."


@pytest.mark.parametrize("carried", ["", "a-1", "a-1:always", "a-1:once:x", "a 1:once", "x" * 90 + ":once"])
async def test_a_button_that_is_none_of_ours_says_so(bench: Bench, carried: str) -> None:
    await bench.platform.ask(bench.here, ASKED, "k")
    async with running(bench.platform, bench.house):
        pressed = bench.sim.press(bench.alice, bench.sim.state.of_bot(bench.direct.id)[-1], carried)
        assert "means nothing" in await bench.told(pressed)
    assert bench.house.presses == []


async def test_a_press_while_the_gateway_is_away_may_be_repeated(bench: Bench) -> None:
    bench.house.trouble = [GatewayAway("gone")]
    await bench.platform.ask(bench.here, ASKED, "k")
    async with running(bench.platform, bench.house):
        stored = bench.sim.state.of_bot(bench.direct.id)[-1]
        assert "press again" in await bench.told(bench.sim.press(bench.alice, stored, "a-1:once"))
        assert await bench.told(bench.sim.press(bench.alice, stored, "a-1:once")) == "It counts."


async def test_a_press_that_is_too_late_to_be_answered_counts(bench: Bench) -> None:
    await bench.platform.ask(bench.here, ASKED, "k")
    async with running(bench.platform, bench.house):
        stored = bench.sim.state.of_bot(bench.direct.id)[-1]
        bench.sim.press(bench.alice, stored, "a-1:once").late = True
        await bench.house.until(lambda: bench.house.presses)
        bench.sim.say(bench.alice, bench.direct, "and?")
        assert await bench.house.texts(1) == ["and?"]


@pytest.mark.parametrize("name", ["new", "stop", "status", "whoami", "help"])
async def test_a_slash_command_is_the_word(bench: Bench, name: str) -> None:
    room = bench.sim.room()
    async with running(bench.platform, bench.house):
        direct = bench.sim.command(bench.alice, bench.direct, name)
        await bench.house.texts(1)
        bench.sim.command(bench.alice, room, name)
        assert await bench.house.texts(2) == [f"/{name}"] * 2
        assert "follows" in await bench.told(direct)
    first, second = bench.house.handled
    assert (first.conversation, first.sender, first.group) == (bench.here, bench.alice.id, False)
    assert (second.conversation, second.mentioned) == (handle(Place(room.id, guild=True)), True)
    assert first.platform_id == f"{bench.direct.id}:i{direct.id}"


# --- refusals -------------------------------------------------------------------------------------------


async def test_a_pause_is_passed_on_and_kept(bench: Bench) -> None:
    bench.sim.slow_downs = [17.5]
    with pytest.raises(SlowDown) as told:
        await bench.platform.send(bench.here, HI, "k")
    assert told.value.seconds == 17.5 and not told.value.everywhere
    calls = len(bench.sim.calls)
    with pytest.raises(SlowDown) as told:
        await bench.platform.send(bench.here, HI, "k")
    assert 0 < told.value.seconds <= 17.5 and len(bench.sim.calls) == calls, "Discord is not asked"
    await bench.platform.typing(bench.here)
    await bench.platform.send(handle(Place(bench.sim.direct().id)), HI, "l")


async def test_a_pause_for_everything_is_one(bench: Bench) -> None:
    bench.sim.refusals = [too_many(9.0, everywhere=True)]
    for act in (bench.platform.send(bench.here, HI, "k"), bench.platform.typing(bench.here)):
        with pytest.raises(SlowDown) as told:
            await act
        assert told.value.everywhere and told.value.seconds <= 9.0
    assert len(bench.sim.calls) == 1


async def test_a_bucket_that_is_used_up_is_left_in_peace(bench: Bench) -> None:
    bench.sim.limits.allowed, bench.sim.limits.seconds = 2, 3600.0
    for key in "ab":
        await bench.platform.send(bench.here, HI, key)
    with pytest.raises(SlowDown) as told:
        await bench.platform.send(bench.here, HI, "c")
    assert 0 < told.value.seconds <= 3600.0
    assert len(bench.sim.calls) == 2, "not one call too many"


@pytest.mark.parametrize(
    ("status", "code", "ours"),
    [
        (403, 50007, "does not take messages"),
        (403, 50001, "cannot see"),
        (403, 50013, "may not write"),
        (403, 99, "refuses to let"),
        (404, 10003, "gone"),
        (400, 50083, "archived"),
        (400, 50035, "refuses this request"),
        (413, 0, "10 MiB"),
    ],
)
async def test_a_refusal_is_final_and_in_our_own_words(bench: Bench, status: int, code: int, ours: str) -> None:
    bench.sim.refusals = [Refusal(status, code, "<b>secret</b>")]
    with pytest.raises(Undeliverable, match=ours) as told:
        await bench.platform.send(bench.here, HI, "k")
    assert "secret" not in str(told.value)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_trouble_on_their_side_may_be_tried_again(bench: Bench, status: int) -> None:
    bench.sim.refusals = [Refusal(status, 0)]
    with pytest.raises(PlatformAway):
        await bench.platform.send(bench.here, HI, "k")
    await bench.platform.send(bench.here, HI, "k")


async def test_a_refused_token_is_told_by_whoever_meets_it(bench: Bench) -> None:
    bench.sim.revoked = True
    with pytest.raises(Revoked):
        await bench.platform.send(bench.here, HI, "k")


async def test_a_front_that_is_not_discord_refuses_no_token_and_no_message(bench: Bench) -> None:
    bench.sim.away = True
    with pytest.raises(PlatformAway, match="502"):
        await bench.platform.send(bench.here, HI, "k")
    await bench.sim.stop()
    with pytest.raises(PlatformAway, match="reached"):
        await bench.platform.send(bench.here, HI, "k")


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"id":7}', b'{"id":"1","channel_id":"../2"}', b'{"id":' + b"[" * 200_000]
)
async def test_an_answer_that_makes_no_sense_is_a_platform_that_is_away(bench: Bench, body: bytes) -> None:
    bench.sim.garbage = [body]
    with pytest.raises(PlatformAway):
        await bench.platform.send(bench.here, HI, "k")


@pytest.mark.parametrize("text", ["", "@alice", "g", "gg1", "1/2", "1" * 21, "-1"])
async def test_a_conversation_that_is_none_of_discords_is_refused(bench: Bench, text: str) -> None:
    from wirken.domain.ids import ConversationId
    from wirken.domain.platforms import SessionHandle

    with pytest.raises(Undeliverable):
        await bench.platform.send(SessionHandle[Discord](ConversationId(text)), HI, "k")
    assert bench.sim.calls == []


async def test_the_token_is_in_no_error_and_in_no_log(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with running(bench.platform, bench.house):
        bench.sim.say(bench.alice, bench.direct, "hello")
        await bench.house.texts(1)
    bench.sim.garbage = [b"nonsense"]
    with pytest.raises(PlatformAway) as told:
        await bench.platform.send(bench.here, HI, "k")
    assert bench.sim.token not in caplog.text + repr(told.value) + repr(told.value.__cause__) + str(vars(told.value))
    assert "MTMw" not in caplog.text


# --- the way out ----------------------------------------------------------------------------------------

NAMES = ("discord.com", "gateway.discord.gg", "cdn.discordapp.com")


async def test_everything_goes_to_discord_through_the_proxy(tmp_path: Path) -> None:
    async with Simulated(tls=authority(tmp_path, NAMES)) as sim, connect_proxy(sim.port) as proxy:
        sim.gateway_at = "wss://gateway.discord.gg"
        token = {"token": Secret(sim.token.encode())}
        served = platform(Given({}, token, SystemClock(), proxy=proxy.url, ca_file=str(tmp_path / BUNDLE)))
        house, here = RecordingHouse[Discord](), sim.direct()
        async with running(served, house):
            said = sim.say(sim.person("alice"), here, "hello")
            assert await house.texts(1) == ["hello"]
            await served.send(handle(Place(here.id)), HI, "k")
            sim.state.files["/attachments/1/2/file"] = b"data"
            file = Attachment("a", "", 4, "https://cdn.discordapp.com/attachments/1/2/file?ex=1")
            assert b"".join([piece async for piece in served.fetch(file)]) == b"data"
        await served.close()
        assert said.content == "hello" and len(sim.state.of_bot(here.id)) == 1
        assert set(proxy.asked) == {f"{name}:443" for name in NAMES}


async def test_a_proxy_that_refuses_is_a_platform_that_is_away() -> None:
    async with Simulated() as sim, connect_proxy(sim.port) as proxy:
        proxy.refuses = True
        served = platform(Given({}, {"token": Secret(sim.token.encode())}, SystemClock(), proxy=proxy.url))
        with pytest.raises(PlatformAway):
            await served.send(handle(Place("1")), HI, "k")
        await served.close()
        assert proxy.asked == ["discord.com:443"] and sim.calls == []


async def test_a_certificate_that_nobody_vouches_for_is_not_believed(tmp_path: Path) -> None:
    async with Simulated(tls=authority(tmp_path, NAMES)) as sim, connect_proxy(sim.port) as proxy:
        served = platform(Given({}, {"token": Secret(sim.token.encode())}, SystemClock(), proxy=proxy.url))
        with pytest.raises(PlatformAway):
            await served.send(handle(Place("1")), HI, "k")
        await served.close()
        assert sim.calls == []
