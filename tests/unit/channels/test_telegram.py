"""python-telegram-bot over real sockets against a simulated Bot API."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from tests.support.recording_house import RecordingHouse, running
from tests.support.telegram_sim import Telegram as Simulated
from tests.support.telegram_state import Answer, Person, Stored

from wirken.channels.contract import (
    Attachment,
    GatewayAway,
    PlatformAway,
    Question,
    Revoked,
    SlowDown,
    Undeliverable,
)
from wirken.channels.given import Given
from wirken.channels.render import telegram as dialect
from wirken.channels.render.pieces import Piece, rendered
from wirken.channels.telegram import TelegramPlatform, platform
from wirken.channels.telegram_convert import Handle, Place, button, handle
from wirken.domain import channel_limits as limits
from wirken.domain.clock import SystemClock
from wirken.domain.platforms import Telegram
from wirken.domain.secret import Secret

GROUP = -1_001_234_567_890
HI = Piece("<b>hi</b>", "hi")


def given(sim: Simulated, **settings: str) -> Given:
    return Given({"api_url": sim.url, **settings}, {"token": Secret(sim.token.encode())}, SystemClock())


@dataclass
class Bench:
    sim: Simulated
    platform: TelegramPlatform
    house: RecordingHouse[Telegram]
    alice: Person
    here: Handle

    async def confirmed(self) -> None:
        """Return once the bot has confirmed everything."""
        async with asyncio.timeout(30):
            while self.sim.state.updates:
                await asyncio.sleep(0.01)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with Simulated() as sim:
        served = platform(given(sim, prefix="!ai"))
        try:
            yield Bench(sim, served, RecordingHouse(), sim.person(111, "Alice"), handle(Place(111)))
        finally:
            await served.close()


# --- in -------------------------------------------------------------------------------------------------


async def test_a_message_is_handed_over_and_confirmed(bench: Bench) -> None:
    async with running(bench.platform, bench.house):
        bench.sim.say(bench.alice, "hello 😀")
        assert await bench.house.texts(1) == ["hello 😀"]
        await bench.confirmed()
    assert bench.house.connections == ["@wirken_test_bot"]
    assert [command["command"] for command in bench.sim.state.commands] == ["new", "stop", "status", "whoami", "help"]


async def test_what_waited_while_nobody_polled_comes_in_order(bench: Bench) -> None:
    for number in range(250):
        bench.sim.say(bench.alice, str(number))
    async with running(bench.platform, bench.house):
        assert await bench.house.texts(250) == [str(number) for number in range(250)]
        await bench.confirmed()
    assert len(bench.house.received) == 250


async def test_nothing_is_confirmed_before_the_gateway_has_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TELEGRAM_RECHECK", 0.02)
    stuck = asyncio.get_running_loop().create_future()
    bench.house.gate = lambda received: stuck if received.text == "slow" else None
    bob = bench.sim.person(222, "Bob")
    async with running(bench.platform, bench.house):
        slow = bench.sim.say(bench.alice, "slow")
        bench.sim.say(bench.alice, "after it")
        for number in range(3):
            bench.sim.say(bob, f"other {number}")
            await bench.house.texts(number + 1)
        assert [received.text for received in bench.house.handled] == ["other 0", "other 1", "other 2"]
        assert any(update.get("message") == slow.wire for update in bench.sim.state.updates.values())
        assert len(bench.sim.state.updates) == 5, "what came after it is not confirmed either"
        stuck.set_result(None)
        assert (await bench.house.texts(5))[3:] == ["slow", "after it"]
        await bench.confirmed()
    assert len(bench.house.received) == 5


async def test_a_platform_that_stops_before_the_gateway_answers_confirms_nothing(bench: Bench) -> None:
    bench.house.gate = lambda _: asyncio.get_running_loop().create_future()
    async with running(bench.platform, bench.house):
        bench.sim.say(bench.alice, "hello")
        await bench.house.until(lambda: bench.house.received)
    bench.house.gate = lambda _: None
    async with running(bench.platform, bench.house):
        assert await bench.house.texts(1) == ["hello"]
    first, second = bench.house.received
    assert first == second


async def test_a_message_is_handed_to_the_gateway_again_when_it_was_away(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "TELEGRAM_AGAIN", 0.01)
    bench.house.trouble = [GatewayAway("gone"), GatewayAway("gone")]
    async with running(bench.platform, bench.house):
        bench.sim.say(bench.alice, "one")
        bench.sim.say(bench.alice, "two")
        assert await bench.house.texts(2) == ["one", "two"]
    assert [received.text for received in bench.house.received] == ["one", "one", "one", "two"]


async def test_the_same_message_again_has_the_same_id(bench: Bench) -> None:
    async with running(bench.platform, bench.house):
        bench.sim.again(bench.sim.say(bench.alice, "hello"))
        await bench.house.texts(2)
    first, second = bench.house.received
    assert first == second


async def test_an_edit_is_told_as_one(bench: Bench) -> None:
    async with running(bench.platform, bench.house):
        bench.sim.edit(bench.sim.say(bench.alice, "helo"), "hello")
        assert await bench.house.texts(2) == ["helo", "hello"]
    first, second = bench.house.received
    assert not first.edited and second.edited and first.platform_id != second.platform_id


async def test_in_a_group_mention_reply_and_prefix_call_the_bot(bench: Bench) -> None:
    bench.sim.group(GROUP, "Tea", topics=(7,))
    await bench.platform.send(handle(Place(GROUP)), HI, "k")
    (ours,) = bench.sim.seen(GROUP)
    async with running(bench.platform, bench.house):
        bench.sim.say(bench.alice, "just talk", GROUP)
        bench.sim.say(bench.alice, "@wirken_test_bot what?", GROUP, thread=7)
        bench.sim.say(bench.alice, "and then?", GROUP, reply_to=ours.id)
        bench.sim.say(bench.alice, "!ai yes", GROUP)
        await bench.house.texts(4)
    said = [(received.mentioned, received.text) for received in bench.house.handled]
    assert said == [(False, "just talk"), (True, "what?"), (True, "and then?"), (True, "yes")]
    assert [received.conversation for received in bench.house.handled[:2]] == [
        handle(Place(GROUP)),
        handle(Place(GROUP, 7)),
    ]


async def test_in_privacy_mode_telegram_itself_hands_over_less(bench: Bench) -> None:
    bench.sim.group(GROUP, "Tea", privacy=True)
    async with running(bench.platform, bench.house):
        bench.sim.say(bench.alice, "just talk", GROUP)
        bench.sim.say(bench.alice, "/status@wirken_test_bot", GROUP)
        assert await bench.house.texts(1) == ["/status"]


async def test_what_makes_no_sense_is_passed_over_and_costs_no_message(bench: Bench) -> None:
    strange = b'{"update_id": 699, "message": {"message_id": [], "chat": null}}'
    bench.sim.garbage = [b'{"ok":true,"result":[' + strange + b"]}"]
    async with running(bench.platform, bench.house):
        bench.sim.say(bench.alice, "hello")
        assert await bench.house.texts(1) == ["hello"]


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b'{"ok":true,"result":[{}]}', b'{"ok":true,"result":' + b"[" * 200_000, b'["' + b"x" * 17_000_000],
    ids=["nothing", "html", "no number", "deep", "17 MB"],
)
async def test_nonsense_instead_of_an_answer_is_a_platform_that_is_away(bench: Bench, body: bytes) -> None:
    bench.sim.garbage = [body]
    with pytest.raises(PlatformAway):
        async with asyncio.timeout(30), running(bench.platform, bench.house) as task:
            await task
    bench.sim.say(bench.alice, "hello")
    async with running(bench.platform, bench.house):
        assert await bench.house.texts(1) == ["hello"]


@pytest.mark.slow
async def test_a_server_that_waits_for_nothing_is_not_asked_without_pause(bench: Bench) -> None:
    bench.sim.hasty = True
    bench.sim.say(bench.alice, "hello")
    async with running(bench.platform, bench.house):
        await bench.house.texts(1)
        first = len(bench.sim.offsets)
        await asyncio.sleep(2.5 * limits.TELEGRAM_RECHECK)
        assert len(bench.sim.offsets) - first <= 4
    assert len(bench.house.received) == 1, "and what it shows again is not new"


async def test_a_menu_that_cannot_be_set_keeps_nobody_from_being_heard(bench: Bench) -> None:
    bench.sim.missing = {"setmycommands"}
    async with running(bench.platform, bench.house):
        bench.sim.say(bench.alice, "hello")
        assert await bench.house.texts(1) == ["hello"]


@pytest.mark.parametrize("over", [0, 1])
async def test_an_answer_may_be_as_long_as_the_limit(bench: Bench, monkeypatch: pytest.MonkeyPatch, over: int) -> None:
    monkeypatch.setattr(limits, "TELEGRAM_ANSWER", 2000)
    bench.sim.garbage = [b'{"ok":true,"result":[]' + b" " * (1977 + over) + b"}"]
    with contextlib.ExitStack() as expected:
        if over:
            expected.enter_context(pytest.raises(PlatformAway, match="too long"))
        async with running(bench.platform, bench.house) as task:
            bench.sim.say(bench.alice, "hello")
            await bench.house.until(lambda: bench.house.handled or task.done())
            if over:
                await task


# --- fate -----------------------------------------------------------------------------------------------


async def test_a_revoked_token_is_told(bench: Bench) -> None:
    bench.sim.revoked = True
    with pytest.raises(Revoked):
        await bench.platform.run(bench.house)
    with pytest.raises(Revoked):
        await bench.platform.send(bench.here, HI, "k")


async def test_a_token_that_is_revoked_while_polling_is_told(bench: Bench) -> None:
    with pytest.raises(Revoked):
        async with running(bench.platform, bench.house) as task:
            bench.sim.revoked = True
            bench.sim.cut()
            bench.sim.say(bench.alice, "wakes the poll")
            try:
                await task
            except PlatformAway:  # the cut was seen first
                await bench.platform.run(bench.house)


async def test_a_second_poller_is_named(bench: Bench) -> None:
    other = platform(given(bench.sim))
    theirs = RecordingHouse[Telegram]()
    with pytest.raises(PlatformAway, match="Another program"):
        async with running(bench.platform, bench.house) as task, running(other, theirs):
            await task
    await other.close()


async def test_a_webhook_that_was_set_is_taken_away(bench: Bench) -> None:
    bench.sim.state.webhook = "https://example.org/"
    async with running(bench.platform, bench.house):
        bench.sim.say(bench.alice, "hello")
        assert await bench.house.texts(1) == ["hello"]


async def test_a_platform_that_goes_away_and_comes_back_loses_nothing(bench: Bench) -> None:
    with pytest.raises(PlatformAway):
        async with running(bench.platform, bench.house) as task:
            await bench.sim.stop()
            await task
    bench.sim.say(bench.alice, "meanwhile")
    with pytest.raises(PlatformAway):
        await bench.platform.send(bench.here, HI, "k")
    await bench.sim.start()
    async with running(bench.platform, bench.house):
        assert await bench.house.texts(1) == ["meanwhile"]
        await bench.platform.send(bench.here, HI, "k")
    assert [stored.text for stored in bench.sim.seen(111)] == ["hi"]


async def test_a_front_that_is_not_the_bot_api_refuses_no_token(bench: Bench) -> None:
    bench.sim.away = True
    with pytest.raises(PlatformAway, match="502"):
        await bench.platform.run(bench.house)


async def test_a_pause_is_passed_on_in_seconds(bench: Bench) -> None:
    bench.sim.slow_downs = [17, 10**9]
    with pytest.raises(SlowDown) as told:
        await bench.platform.send(bench.here, HI, "k")
    assert told.value.seconds == 17
    with pytest.raises(SlowDown) as told:
        await bench.platform.send(bench.here, HI, "k")
    assert told.value.seconds == limits.TELEGRAM_LONGEST_PAUSE


@pytest.mark.parametrize(
    ("code", "description", "ours"),
    [
        (403, "Forbidden: bot was blocked by the user", "blocked the bot"),
        (403, "Forbidden: user is deactivated", "no longer exists"),
        (403, "Forbidden: bot was kicked from the supergroup chat", "removed"),
        (403, "Forbidden: something new", "refuses to let"),
        (400, "Bad Request: chat not found", "does not know"),
        (400, "Bad Request: message thread not found", "topic"),
        (400, "Bad Request: not enough rights to send text messages to the chat", "may not write"),
        (400, "Bad Request: <b>0123:secret</b>", "refuses this request"),
    ],
)
async def test_a_refusal_is_final_and_in_our_own_words(bench: Bench, code: int, description: str, ours: str) -> None:
    bench.sim.refusals = [Answer(code, description)]
    with pytest.raises(Undeliverable, match=ours) as told:
        await bench.platform.send(bench.here, HI, "k")
    assert "secret" not in str(told.value)


@pytest.mark.parametrize("code", [500, 502, 503, 504])
async def test_trouble_on_their_side_may_be_tried_again(bench: Bench, code: int) -> None:
    bench.sim.refusals = [Answer(code, "Internal Server Error")]
    with pytest.raises(PlatformAway):
        await bench.platform.send(bench.here, HI, "k")
    await bench.platform.send(bench.here, HI, "k")


async def test_the_token_is_in_no_error_and_in_no_log(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret = bench.sim.token.partition(":")[2]
    await bench.platform.send(bench.here, HI, "k")
    bench.sim.revoked = True
    with pytest.raises(Revoked) as revoked:
        await bench.platform.run(bench.house)
    await bench.sim.stop()
    with pytest.raises(PlatformAway) as away:
        await bench.platform.send(bench.here, HI, "k2")
    for error in (revoked.value, away.value):
        assert secret not in str(error) and error.__cause__ is None and error.__suppress_context__
    assert secret not in caplog.text


# --- out ------------------------------------------------------------------------------------------------


def only(sim: Simulated, chat: int = 111) -> Stored:
    (stored,) = sim.seen(chat)
    return stored


async def test_a_message_is_sent_in_html_without_preview(bench: Bench) -> None:
    sent = await bench.platform.send(bench.here, Piece('<a href="https://x.org">x</a>', "x"), "k")
    stored = only(bench.sim)
    assert sent == f"111:{stored.id}"
    assert stored.wire["entities"] == [{"type": "text_link", "offset": 0, "length": 1, "url": "https://x.org"}]
    assert not stored.preview


async def test_markup_that_telegram_refuses_is_sent_plain(bench: Bench) -> None:
    sent = await bench.platform.send(bench.here, Piece("<b>hi<i>", "hi <i>"), "k")
    assert (only(bench.sim).text, only(bench.sim).wire.get("entities")) == ("hi <i>", None)
    await bench.platform.edit(bench.here, sent, Piece("<marquee>", "<marquee>"))
    assert only(bench.sim).text == "<marquee>"


async def test_the_same_key_again_is_the_same_message(bench: Bench) -> None:
    first = await bench.platform.send(bench.here, HI, "k")
    assert await bench.platform.send(bench.here, HI, "k") == first
    assert await bench.platform.send(bench.here, HI, "k2") != first
    assert len(bench.sim.seen(111)) == 2


async def test_everything_the_renderer_makes_is_taken_as_it_is(bench: Bench) -> None:
    source = (
        "# Head\n\n" + "**bold _both_** `a<b` [x](https://x.org) 😀\n\n> quote\n\n```py\nif a < b: pass\n```\n\n" * 150
    )
    pieces = rendered(source, dialect.DIALECT)
    for number, piece in enumerate(pieces):
        await bench.platform.send(bench.here, piece, f"k{number}")
    seen = bench.sim.seen(111)
    assert len(seen) == len(pieces) > 3
    for piece, stored in zip(pieces, seen, strict=True):
        assert (stored.raw, stored.text) == (piece.markup, piece.plain.replace("> quote", "quote"))


async def test_a_text_beyond_the_limit_is_refused_at_once(bench: Bench) -> None:
    await bench.platform.send(bench.here, Piece("x" * 4096, ""), "k")
    with pytest.raises(Undeliverable):
        await bench.platform.send(bench.here, Piece("x" * 4097, ""), "k2")


async def test_a_topic_is_answered_in_the_topic_and_a_message_as_a_reply(bench: Bench) -> None:
    bench.sim.group(GROUP, "Tea", topics=(7,))
    asked = bench.sim.say(bench.alice, "hello", GROUP, thread=7)
    there = handle(Place(GROUP, 7))
    await bench.platform.send(there, HI, "k", f"{GROUP}:{asked.id}")
    assert (only(bench.sim, GROUP).wire["message_thread_id"], only(bench.sim, GROUP).reply_to) == (7, asked.id)
    await bench.platform.typing(there)
    assert bench.sim.state.typing == [(GROUP, 7)]
    await bench.platform.send(there, HI, "k2", f"{GROUP}:999")  # what it answers is gone
    assert bench.sim.seen(GROUP)[1].reply_to == 0
    with pytest.raises(Undeliverable, match="topic"):
        await bench.platform.send(handle(Place(GROUP, 8)), HI, "k3")


async def test_a_group_that_became_another_is_followed(bench: Bench) -> None:
    bench.sim.group(-55, "Tea")
    bench.sim.migrate(-55, GROUP)
    sent = await bench.platform.send(handle(Place(-55)), HI, "k")
    await bench.platform.typing(handle(Place(-55)))
    await bench.platform.edit(handle(Place(-55)), sent, Piece("ho", "ho"))
    assert only(bench.sim, GROUP).text == "ho" and bench.sim.state.typing == [(GROUP, 0)]
    assert bench.sim.calls == ["sendmessage", "sendmessage", "sendchataction", "editmessagetext"]


async def test_an_edit_replaces_the_text_and_one_that_changes_nothing_is_no_error(bench: Bench) -> None:
    sent = await bench.platform.send(bench.here, HI, "k")
    for _ in range(2):
        await bench.platform.edit(bench.here, sent, Piece("<i>ho</i>", "ho"))
    assert (only(bench.sim).text, only(bench.sim).edits, only(bench.sim).preview) == ("ho", 1, False)
    with pytest.raises(Undeliverable, match="deleted"):
        await bench.platform.edit(bench.here, "111:999", HI)
    with pytest.raises(Undeliverable):
        await bench.platform.edit(bench.here, "nonsense", HI)


async def test_in_a_group_edits_keep_a_slower_pace(bench: Bench) -> None:
    bench.sim.group(GROUP, "Tea")
    sent = await bench.platform.send(handle(Place(GROUP)), HI, "k")
    await bench.platform.edit(handle(Place(GROUP)), sent, Piece("1", "1"))
    with pytest.raises(SlowDown) as told:
        await bench.platform.edit(handle(Place(GROUP)), sent, Piece("2", "2"))
    assert 0 < told.value.seconds <= limits.TELEGRAM_GROUP_EDIT_EVERY
    assert limits.TELEGRAM_GROUP_EDIT_EVERY * 20 > 60, "fewer than 20 a minute"


# --- questions ------------------------------------------------------------------------------------------

APPROVAL = "0123456789abcdef"


async def test_a_question_has_buttons_and_a_press_is_answered(bench: Bench) -> None:
    asked = Question(
        APPROVAL, (Piece("May I?", "May I?"), Piece("<b>rm</b>", "rm")), ("once", "session", "30d", "deny")
    )
    sent = await bench.platform.ask(bench.here, asked, "k")
    before, last = bench.sim.seen(111)
    assert not before.markup
    assert [button["text"] for row in last.markup for button in row] == [
        "Allow once",
        "Allow for this session",
        "Allow for 30 days",
        "Deny",
    ]
    bench.house.told = "x" * 300
    async with running(bench.platform, bench.house):
        query = bench.sim.press(bench.alice, last, str(last.markup[1][1]["callback_data"]))
        await bench.house.until(lambda: bench.house.presses)
        await bench.confirmed()
    (press,) = bench.house.presses
    assert (press.sender, press.approval, press.choice) == ("111", APPROVAL, "deny")
    assert (press.conversation, press.message_id) == (bench.here, sent)
    assert query.answer == "x" * limits.TELEGRAM_TOLD
    await bench.platform.edit(bench.here, sent, Piece("Denied by alice.", "Denied by alice."))
    assert bench.sim.seen(111)[1].markup == []


async def test_a_press_that_nobody_can_take_now_says_so_and_is_not_kept(bench: Bench) -> None:
    await bench.platform.ask(bench.here, Question(APPROVAL, (HI,), ("once", "deny")), "k")
    bench.house.trouble = [GatewayAway("gone")]
    async with running(bench.platform, bench.house):
        query = bench.sim.press(bench.alice, only(bench.sim), button(APPROVAL, "once"))
        await bench.house.until(lambda: bench.house.presses)
        await bench.confirmed()
    assert "press again" in (query.answer or "") and len(bench.house.presses) == 1


async def test_a_late_press_and_a_strange_one_do_no_harm(bench: Bench) -> None:
    await bench.platform.ask(bench.here, Question(APPROVAL, (HI,), ("once", "deny")), "k")
    async with running(bench.platform, bench.house):
        late = bench.sim.press(bench.alice, only(bench.sim), button(APPROVAL, "once"), inaccessible=True)
        late.expired = True
        strange = bench.sim.press(bench.alice, only(bench.sim), "approve-everything")
        await bench.confirmed()
    assert late.answer is None and strange.answer == "This button means nothing any more."
    assert [press.approval for press in bench.house.presses] == [APPROVAL]


# --- files ----------------------------------------------------------------------------------------------


async def whole(served: TelegramPlatform, file: Attachment) -> bytes:
    data = bytearray()
    async for piece in served.fetch(file):
        assert len(piece) <= 2**20
        data += piece
    return bytes(data)


async def test_a_file_that_came_is_fetched_whole(bench: Bench) -> None:
    data = bytes(range(256)) * 20_000
    async with running(bench.platform, bench.house):
        bench.sim.send_document(bench.alice, data, "notes.bin", caption="read this")
        await bench.house.texts(1)
    (file,) = bench.house.received[0].files
    assert (file.name, file.size, bench.house.received[0].text) == ("notes.bin", len(data), "read this")
    assert await whole(bench.platform, file) == data


async def test_a_file_that_lies_about_its_size_is_fetched_as_it_is(bench: Bench) -> None:
    document = bench.sim.upload(b"x" * 3_000_000, "a", claims=10)
    assert len(await whole(bench.platform, Attachment("a", "x/y", 10, str(document["file_id"])))) == 3_000_000


async def test_beyond_20_mb_telegram_hands_out_nothing(bench: Bench) -> None:
    for size in (20_000_000, 20_000_001):
        document = bench.sim.upload(b"x", "a", claims=size)
        file = Attachment("a", "x/y", size, str(document["file_id"]))
        if size > 20_000_000:
            with pytest.raises(Undeliverable, match="20 MB"):
                await whole(bench.platform, file)
        else:
            assert await whole(bench.platform, file) == b"x"


@pytest.mark.parametrize("path", ["/etc/passwd", "\0"])
async def test_a_path_of_this_machine_is_fetched_from_nowhere(bench: Bench, path: str) -> None:
    document = bench.sim.upload(b"x", "a")
    bench.sim.state.files[str(document["file_id"])].path = path
    with pytest.raises((Undeliverable, PlatformAway)):
        await whole(bench.platform, Attachment("a", "x/y", 1, str(document["file_id"])))


async def test_an_address_instead_of_a_path_is_a_path_at_telegram(bench: Bench) -> None:
    document = bench.sim.upload(b"x", "a")
    bench.sim.state.files[str(document["file_id"])].path = "https://evil.example/x"
    assert await whole(bench.platform, Attachment("a", "x/y", 1, str(document["file_id"]))) == b"x"


async def test_a_file_is_sent_with_its_caption(bench: Bench) -> None:
    sent = await bench.platform.send_file(bench.here, "plan ä.txt", "text/plain", b"data", HI, "k")
    again = await bench.platform.send_file(bench.here, "plan ä.txt", "text/plain", b"data", HI, "k")
    stored = only(bench.sim)
    assert sent == again == f"111:{stored.id}"
    assert (stored.file_name, stored.data, stored.text) == ("plan ä.txt", b"data", "hi")
    assert stored.wire["caption_entities"] == [{"type": "bold", "offset": 0, "length": 2}]


async def test_a_caption_that_is_too_long_follows_its_file(bench: Bench) -> None:
    for units, messages in ((1024, 1), (1025, 3)):
        long = "x" * units
        await bench.platform.send_file(bench.here, "a", "text/plain", b"data", Piece(long, long), f"k{units}")
        assert len(bench.sim.seen(111)) == messages
    assert bench.sim.seen(111)[1].data == b"data" and bench.sim.seen(111)[2].text == "x" * 1025


async def test_a_file_without_a_caption_is_sent_as_well(bench: Bench) -> None:
    await bench.platform.send_file(bench.here, "a", "text/plain", b"data", None, "k")
    assert only(bench.sim).text == ""
