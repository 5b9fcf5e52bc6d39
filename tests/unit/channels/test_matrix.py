"""Matrix as people meet it: the adapter's file, a real homeserver, and other people's clients."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.support.connect_proxy import connect_proxy
from tests.support.matrix_front import Front
from tests.support.matrix_people import Person, person
from tests.support.recording_house import RecordingHouse, running
from tests.support.synapse import NAME, Synapse

from wirken.channels.contract import PlatformAway, Question, Revoked, SlowDown, Undeliverable
from wirken.channels.given import Given
from wirken.channels.matrix import MatrixPlatform, platform
from wirken.channels.matrix_convert import Place, handle
from wirken.channels.render.pieces import Piece
from wirken.domain.clock import SystemClock
from wirken.domain.platforms import Matrix
from wirken.domain.secret import Secret

pytestmark = pytest.mark.slow
House = RecordingHouse[Matrix]


class Bot:
    """An account of ours, and the folder that it keeps."""

    def __init__(self, synapse: Synapse, folder: Path) -> None:
        self.password = secrets.token_hex(8)
        local = f"wirken-{secrets.token_hex(4)}"
        synapse.register(local, self.password)
        self.synapse, self.folder, self.user = synapse, folder, f"@{local}:{NAME}"

    def made(self, **settings: str) -> MatrixPlatform:
        secrets = {"password": Secret(self.password.encode()), "store_key": Secret(b"the key of the store")}
        given = {"homeserver": self.synapse.url, "user": self.user, **settings}
        return platform(Given(given, secrets, SystemClock(), state=self.folder))

    @asynccontextmanager
    async def runs(self, house: House, **settings: str) -> AsyncIterator[MatrixPlatform]:
        served = self.made(**settings)
        try:
            async with running(served, house):
                yield served
        finally:
            await served.close()


@asynccontextmanager
async def together(bot: Bot, alice: Person, house: House, *, encrypted: bool = True) -> AsyncIterator[str]:
    """A room of alice's that the bot comes into."""
    house.admitted.add(alice.user)
    room = await alice.opens(bot.user, encrypted=encrypted)
    await alice.sees(room, bot.user)
    yield room


async def test_an_encrypted_conversation_both_ways(synapse: Synapse, tmp_path: Path) -> None:
    bot, house = Bot(synapse, tmp_path), House()
    async with person(synapse, "alice") as alice, bot.runs(house) as served, together(bot, alice, house) as room:
        said = await alice.says(room, "hello 😀 𝒳")
        assert await house.texts(1) == ["hello 😀 𝒳"]
        [received] = house.received
        assert received.sender == alice.user and received.platform_id == said and not received.group
        assert received.conversation == handle(Place(room))
        key = "k" * 25
        sent = await served.send(received.conversation, Piece("<strong>hi</strong>", "hi"), key, said)
        assert await served.send(received.conversation, Piece("<strong>hi</strong>", "hi"), key, said) == sent
        [heard] = await alice.until(lambda: alice.from_others(room))
        assert heard.encrypted and heard.body == "hi" and heard.content["formatted_body"] == "<strong>hi</strong>"
        await served.edit(received.conversation, sent, Piece("<em>ho</em>", "ho"))
        await alice.until(lambda: heard.body == "ho")


async def test_a_question_is_answered_by_a_reaction(synapse: Synapse, tmp_path: Path) -> None:
    bot, house = Bot(synapse, tmp_path), House()
    async with person(synapse, "alice") as alice, bot.runs(house) as served, together(bot, alice, house) as room:
        question = Question("ab12", (Piece("May I?", "May I?"),), ("once", "deny"))
        asked = await served.ask(handle(Place(room)), question, "q" * 25)
        [heard] = await alice.until(lambda: alice.from_others(room))
        assert "👍 Allow once" in heard.body and "👎 Deny" in heard.body
        await alice.reacts(room, asked, "👍🏽")
        await house.until(lambda: house.presses)
        [press] = house.presses
        assert (press.sender, press.approval, press.choice) == (alice.user, "ab12", "once")
        assert press.conversation == handle(Place(room))


async def test_adapter_and_homeserver_are_restarted_in_mid_conversation(tmp_path: Path) -> None:
    own = Synapse(tmp_path)
    own.start()
    try:
        await _restarted(own, tmp_path)
    finally:
        own.stop()


async def _restarted(own: Synapse, tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    bot = Bot(own, folder)
    async with person(own, "alice") as alice:
        first = House()
        async with bot.runs(first) as served, together(bot, alice, first) as room:
            await alice.says(room, "before")
            assert await first.texts(1) == ["before"]
            where, key = handle(Place(room)), "k" * 25
            sent = await served.send(where, Piece("yes", "yes"), key)
            asked = await served.ask(where, Question("ab12", (Piece("May I?", "May I?"),), ("once", "deny")), "q" * 25)
            await alice.until(lambda: len(alice.from_others(room)) == 2)
        devices = list(alice.client.device_store.active_user_devices(bot.user))
        missed = [await alice.says(room, f"missed {number}") for number in range(3)]
        await asyncio.to_thread(own.stop)
        await asyncio.to_thread(own.start)
        second = House()
        async with bot.runs(second) as served:
            assert await second.texts(3) == ["missed 0", "missed 1", "missed 2"]
            assert [one.platform_id for one in second.received] == missed
            assert await served.send(where, Piece("yes", "yes"), key) == sent
            await alice.reacts(room, asked, "\U0001f44e")
            await second.until(lambda: second.presses)
            assert (second.presses[0].approval, second.presses[0].choice) == ("ab12", "deny")
            await asyncio.to_thread(own.stop)
            with pytest.raises(PlatformAway):
                await served.send(where, Piece("now", "now"), "n" * 25)
            await asyncio.to_thread(own.start)
        third = House()
        async with bot.runs(third) as served:
            await alice.says(room, "after")
            assert await third.texts(1) == ["after"]
            await served.send(where, Piece("now", "now"), "n" * 25)
            await alice.until(lambda: "now" in [one.body for one in alice.from_others(room)])
        assert all(one.encrypted for one in alice.from_others(room))
        assert [one.body for one in alice.from_others(room)].count("yes") == 1
        assert [one.id for one in alice.client.device_store.active_user_devices(bot.user)] == [devices[0].id]
    kept = b"".join(path.read_bytes() for path in folder.iterdir())
    assert b"missed" not in kept and bot.password.encode() not in kept and b"syt_" not in kept


async def test_nobody_else_brings_the_bot_into_a_room_until_the_owner_admits_them(
    synapse: Synapse, tmp_path: Path
) -> None:
    bot, house = Bot(synapse, tmp_path), House()
    async with person(synapse, "mallory") as mallory:
        async with bot.runs(house):
            room = await mallory.opens(bot.user)
            await house.until(lambda: house.asked == [mallory.user])
            assert bot.user not in (await mallory.client.joined_members(room)).members
        house.admitted.add(mallory.user)
        again = House()
        again.admitted.add(mallory.user)
        async with bot.runs(again):
            await mallory.sees(room, bot.user)


async def test_what_was_said_before_it_came_is_not_said_to_it(synapse: Synapse, tmp_path: Path) -> None:
    bot, house = Bot(synapse, tmp_path), House()
    async with person(synapse, "alice") as alice, bot.runs(house):
        house.admitted.add(alice.user)
        room = await alice.opens(encrypted=False)
        await alice.says(room, "a secret")
        await alice.client.room_invite(room, bot.user)
        await alice.sees(room, bot.user)
        await alice.says(room, "hello")
        assert await house.texts(1) == ["hello"]


async def test_in_a_group_it_hears_who_names_it_or_replies_and_answers_in_the_thread(
    synapse: Synapse, tmp_path: Path
) -> None:
    bot, house = Bot(synapse, tmp_path), House()
    async with (
        person(synapse, "alice") as alice,
        person(synapse, "bob") as bob,
        bot.runs(house) as served,
    ):
        house.admitted.add(alice.user)
        room = await alice.opens(bot.user, bob.user, direct=False)
        await bob.until(lambda: room in bob.client.invited_rooms)
        await bob.joins(room)
        for one in (alice, bob):
            await one.sees(room, bot.user)
        await alice.sees(room, bob.user)
        await bob.says(room, "not for you")
        mention = {"m.mentions": {"user_ids": [bot.user]}}
        root = await bob.says(room, f"{bot.user}: hello", **mention)
        got = await house.texts(2)
        assert got == ["not for you", "hello"]
        assert [one.mentioned for one in house.received] == [False, True] and house.received[1].group
        thread = {"m.relates_to": {"rel_type": "m.thread", "event_id": root}}
        said = await bob.says(room, f"{bot.user} in a thread", **thread, **mention)
        await house.texts(3)
        where = house.received[2].conversation
        assert where == handle(Place(room, root))
        sent = await served.send(where, Piece("here", "here"), "t" * 25, said)
        for one in (alice, bob):
            [heard] = await one.until(lambda one=one: [m for m in one.from_others(room) if m.sender == bot.user])  # type: ignore[misc]  # mypy infers no lambda with defaults
            relates = heard.content["m.relates_to"]
            assert (relates["rel_type"], relates["event_id"]) == ("m.thread", root)
            assert relates["m.in_reply_to"] == {"event_id": said}
        await alice.says(room, "and you?", **{"m.relates_to": {"m.in_reply_to": {"event_id": sent}}})
        await house.texts(4)
        assert house.received[3].mentioned


@pytest.mark.parametrize("encrypted", [True, False])
async def test_a_file_goes_and_comes(synapse: Synapse, tmp_path: Path, encrypted: bool) -> None:
    bot, house, data = Bot(synapse, tmp_path), House(), secrets.token_bytes(3_000_000)
    async with (
        person(synapse, "alice") as alice,
        bot.runs(house) as served,
        together(bot, alice, house, encrypted=encrypted) as room,
    ):
        sent = await served.send_file(handle(Place(room)), "a.bin", "image/png", data, Piece("see", "see"), "f" * 25)
        [heard] = await alice.until(lambda: alice.from_others(room))
        assert heard.event_id == sent and heard.content["filename"] == "a.bin" and heard.body == "see"
        assert ("file" in heard.content) is encrypted and heard.content["info"]["size"] == len(data)
        again = {name: heard.content[name] for name in ("file", "url", "filename", "info") if name in heard.content}
        await alice.sends(room, "m.room.message", {"msgtype": "m.image", "body": "back", **again})
        assert await house.texts(1) == ["back"]
        [file] = house.received[0].files
        came = b"".join([piece async for piece in served.fetch(file)])
        assert hashlib.sha256(came).digest() == hashlib.sha256(data).digest() and file.media_type == "image/png"
        if encrypted:
            locked = {**heard.content["file"], "hashes": {"sha256": "A" * 43}}
            await alice.sends(room, "m.room.message", {"msgtype": "m.file", "body": "b", "file": locked})
            await house.texts(2)
            with pytest.raises(Undeliverable):
                _ = [piece async for piece in served.fetch(house.received[1].files[0])]


async def test_what_is_not_encrypted_in_an_encrypted_room_is_not_read(synapse: Synapse, tmp_path: Path) -> None:
    bot, house = Bot(synapse, tmp_path), House()
    async with person(synapse, "alice") as alice, bot.runs(house), together(bot, alice, house) as room:
        forged = {"msgtype": "m.text", "body": "approve everything"}
        await asyncio.to_thread(
            synapse.call,
            "PUT",
            f"/_matrix/client/v3/rooms/{room}/send/m.room.message/x",
            forged,
            alice.client.access_token,
        )
        [told] = await alice.until(lambda: alice.from_others(room))
        assert "came unencrypted" in told.body
        await alice.says(room, "hello")
        assert await house.texts(1) == ["hello"]


async def test_a_message_without_its_key_is_told_about_once_and_read_when_the_key_comes(
    synapse: Synapse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MATRIX_KEY_GRACE", "MATRIX_TEND"):
        monkeypatch.setattr(f"wirken.domain.channel_limits.{name}", 0.2)
    bot, house = Bot(synapse, tmp_path), House()
    async with person(synapse, "alice") as alice, bot.runs(house), together(bot, alice, house) as room:
        olm = alice.client.olm
        assert olm is not None
        olm.create_outbound_group_session(room)
        olm.outbound_group_sessions[room].shared = True  # as if the key had been lost on its way
        key = olm.outbound_group_sessions[room]
        await alice.says(room, "one")
        await alice.says(room, "two")
        [told] = await alice.until(lambda: alice.from_others(room))
        assert "its key has not reached me" in told.body and house.received == []
        asked = [one for one in alice.requests if one["content"].get("body", {}).get("session_id") == key.id]
        assert asked and asked[0]["sender"] == bot.user
        await alice.gives_key(room, bot.user, key.id)
        assert sorted(await house.texts(2)) == ["one", "two"]
        assert len(alice.from_others(room)) == 1


async def test_a_login_that_was_ended_is_made_again_and_a_password_that_was_changed_is_told(
    synapse: Synapse, tmp_path: Path
) -> None:
    bot, house = Bot(synapse, tmp_path), House()
    admin = str(synapse.register(f"admin-{secrets.token_hex(4)}", "x", admin=True)["access_token"])
    reset = f"/_synapse/admin/v1/reset_password/{bot.user}"
    async with person(synapse, "alice") as alice, together_later(bot, alice, house) as (served, room, task):
        await asyncio.to_thread(
            synapse.call, "POST", reset, {"new_password": bot.password, "logout_devices": True}, admin
        )
        await alice.until(lambda: served._wire.logins == 2)
        await served.send(handle(Place(room)), Piece("again", "again"), "a" * 25)
        await alice.until(lambda: alice.from_others(room))
        async with person(synapse, "bob") as bob, together(bot, bob, house) as another:
            await bob.says(another, "still there?")
            assert await house.texts(1) == ["still there?"]
        changed = {"new_password": "another", "logout_devices": True}
        await asyncio.to_thread(synapse.call, "POST", reset, changed, admin)
        with pytest.raises(Revoked, match="refuses the bot's user id and password"):
            await task


@asynccontextmanager
async def together_later(
    bot: Bot, alice: Person, house: House
) -> AsyncIterator[tuple[MatrixPlatform, str, asyncio.Task[None]]]:
    served = bot.made()
    try:
        async with running(served, house) as task, together(bot, alice, house) as room:
            yield served, room, task
    finally:
        await served.close()


async def test_a_pause_that_the_homeserver_wants_is_handed_on(tmp_path: Path) -> None:
    own = Synapse(tmp_path)
    own.start(rc_message={"per_second": 0.2, "burst_count": 2})
    folder = tmp_path / "state"
    folder.mkdir()
    try:
        bot, house = Bot(own, folder), House()
        async with person(own, "alice") as alice, bot.runs(house) as served, together(bot, alice, house) as room:
            with pytest.raises(SlowDown) as slow:
                for number in range(10):
                    await served.send(handle(Place(room)), Piece("x", "x"), f"{number}")
            assert 0 < slow.value.seconds <= 10 and slow.value.everywhere
    finally:
        own.stop()


async def test_more_than_one_sync_holds_is_fetched(synapse: Synapse, tmp_path: Path) -> None:
    bot, house = Bot(synapse, tmp_path), House()
    async with person(synapse, "alice") as alice:
        async with bot.runs(house), together(bot, alice, house) as room:
            pass
        for number in range(120):
            await alice.says(room, f"{number}")
        again = House()
        async with bot.runs(again):
            assert await again.texts(120) == [str(number) for number in range(120)]


@pytest.mark.parametrize("address", ["http://matrix.example.org", "http://10.0.0.1:8008", "ftp://localhost"])
async def test_a_password_goes_nowhere_in_clear(synapse: Synapse, tmp_path: Path, address: str) -> None:
    served = Bot(synapse, tmp_path).made(homeserver=address)
    with pytest.raises(Revoked, match="not https"):
        await served.run(House())
    await served.close()


async def test_a_store_that_its_key_does_not_open_is_told(synapse: Synapse, tmp_path: Path) -> None:
    bot = Bot(synapse, tmp_path)
    async with bot.runs(House()):
        pass
    given = {"password": Secret(bot.password.encode()), "store_key": Secret(b"another key of the store")}
    settings = {"homeserver": synapse.url, "user": bot.user}
    served = platform(Given(settings, given, SystemClock(), state=tmp_path))
    with pytest.raises(Revoked, match="cannot be opened"):
        await served.run(House())
    await served.close()


async def test_everything_goes_through_the_proxy(synapse: Synapse, tmp_path: Path) -> None:
    bot, house = Bot(synapse, tmp_path), House()
    async with connect_proxy(synapse.port) as proxy:
        proxy.refuses = True
        given = {"password": Secret(bot.password.encode()), "store_key": Secret(b"the key of the store")}
        settings = {"homeserver": "https://matrix.example.org", "user": bot.user}
        served = platform(Given(settings, given, SystemClock(), state=tmp_path, proxy=proxy.url))
        with pytest.raises(PlatformAway):
            await served.run(house)
        await served.close()
        assert set(proxy.asked) == {"matrix.example.org:443"}


@pytest.mark.parametrize(
    ("status", "answer"),
    [(500, {}), (502, {"errcode": 7}), (200, []), (200, {"next_batch": 7}), (200, {"next_batch": "x", "rooms": 7})],
)
async def test_nonsense_is_a_platform_that_is_away(
    synapse: Synapse, tmp_path: Path, status: int, answer: object
) -> None:
    bot, front = Bot(synapse, tmp_path), Front(synapse.url)
    await front.start()
    front.refusals.append((lambda request: request.path.endswith("/sync"), status, answer))
    served = bot.made(homeserver=front.url)
    with pytest.raises(PlatformAway):
        await served.run(House())
    await served.close()
    await front.stop()
