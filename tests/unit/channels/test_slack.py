"""slack-sdk over real sockets against a simulated Slack."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from tests.support.recording_house import RecordingHouse, running
from tests.support.slack_sim import Slack as Simulated
from tests.support.slack_state import Person, Refusal, Stored

from wirken.channels.contract import (
    Attachment,
    Choice,
    GatewayAway,
    PlatformAway,
    Question,
    Revoked,
    SlowDown,
    Undeliverable,
)
from wirken.channels.given import Given
from wirken.channels.render import slack as dialect
from wirken.channels.render.pieces import Piece, literal, rendered
from wirken.channels.slack import SlackPlatform, platform
from wirken.channels.slack_convert import Handle, Place, handle
from wirken.domain import channel_limits as limits
from wirken.domain.clock import SystemClock
from wirken.domain.ids import conversation_id
from wirken.domain.platforms import SessionHandle, Slack
from wirken.domain.secret import Secret

HI = Piece("*hi*", "hi")
ROOM = "C0GENERAL0"
ALL: tuple[Choice, ...] = ("once", "session", "30d", "deny")


def given(sim: Simulated, **settings: str) -> Given:
    secrets = {"bot_token": Secret(sim.bot_token.encode()), "app_token": Secret(sim.app_token.encode())}
    return Given({"api_url": sim.url, **settings}, secrets, SystemClock())


@dataclass
class Bench:
    sim: Simulated
    platform: SlackPlatform
    house: RecordingHouse[Slack]
    alice: Person

    @property
    def here(self) -> Handle:
        return handle(Place(self.alice.im))

    def seen(self, place: str = "") -> list[Stored]:
        return self.sim.seen(place or self.alice.im)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with Simulated() as sim:
        sim.channel(ROOM)
        served = platform(given(sim, prefix="!ai"))
        try:
            yield Bench(sim, served, RecordingHouse(), sim.person("U0ALICE000", "Alice"))
        finally:
            await served.close()


# --- in -------------------------------------------------------------------------------------------------


async def test_a_message_is_handed_over_with_its_senders_name_and_acknowledged(bench: Bench) -> None:
    async with running(bench.platform, bench.house):
        said = bench.sim.say(bench.alice, "hello 😀 <b>&amp;")
        assert await bench.house.texts(1) == ["hello 😀 <b>&amp;"]
        (pending,) = bench.sim.told[f"{said.channel}:{said.ts}"]
        await pending.acknowledged.wait()
        (got,) = bench.house.received
    assert (got.sender, got.sender_name, got.conversation) == ("U0ALICE000", "Alice", bench.here)
    assert (got.platform_id, got.group, got.mentioned) == (f"{said.channel}:{said.ts}", False, False)
    assert bench.house.connections == ["@wirken"] and pending.attempts == 1


async def test_nothing_is_acknowledged_before_the_gateway_has_it_and_it_comes_again(bench: Bench) -> None:
    gate = asyncio.get_running_loop().create_future()
    bench.house.gate = lambda _: gate
    bench.sim.envelopes.again_after = 0.05
    async with running(bench.platform, bench.house):
        said = bench.sim.say(bench.alice, "hello")
        (pending,) = bench.sim.told[f"{said.channel}:{said.ts}"]
        async with asyncio.timeout(30):
            while pending.attempts < 3:
                await asyncio.sleep(0.01)
        assert not pending.acknowledged.is_set()
        gate.set_result(None)
        await pending.acknowledged.wait()
    assert {got.platform_id for got in bench.house.received} == {f"{said.channel}:{said.ts}"}


@pytest.mark.slow
async def test_a_gateway_that_is_away_is_asked_again_and_the_order_stays(bench: Bench) -> None:
    bench.house.trouble = [GatewayAway("gone")]
    async with running(bench.platform, bench.house):
        bench.sim.say(bench.alice, "one")
        bench.sim.say(bench.alice, "two")
        assert await bench.house.texts(2) == ["one", "two"]


async def test_one_conversation_waits_for_no_other_and_words_for_nothing(bench: Bench) -> None:
    gate = asyncio.get_running_loop().create_future()
    bench.house.gate = lambda got: gate if got.text == "slow" else None
    bob = bench.sim.person("U0BOB00000", "Bob")
    async with running(bench.platform, bench.house):
        bench.sim.say(bench.alice, "slow")
        await bench.house.until(lambda: bench.house.received)
        bench.sim.say(bench.alice, "after it")
        bench.sim.say(bench.alice, "/stop")
        bench.sim.say(bob, "hello")
        assert sorted(await bench.house.texts(2)) == ["/stop", "hello"]
        gate.set_result(None)
        assert (await bench.house.texts(4))[2:] == ["slow", "after it"]


async def test_in_a_channel_a_mention_begins_a_thread_that_the_bot_is_part_of(bench: Bench) -> None:
    async with running(bench.platform, bench.house):
        first = bench.sim.say(bench.alice, "", ROOM, raw="<@U0WIRKEN00> what is the time?")
        await bench.house.until(lambda: len(bench.house.handled) >= 2)  # message and app_mention, the same
        thread = handle(Place(ROOM, first.ts))
        assert {got.platform_id for got in bench.house.handled} == {f"{ROOM}:{first.ts}"}
        assert {(got.text, got.mentioned, got.conversation) for got in bench.house.handled} == {
            ("what is the time?", True, thread)
        }
        bench.sim.say(bench.alice, "said to somebody else", ROOM)
        bench.sim.say(bench.alice, "and now?", ROOM, thread=first.ts)
        bench.sim.say(bench.alice, "!ai prefixed", ROOM)
        assert sorted((await bench.house.texts(4))[2:]) == ["and now?", "prefixed"]
        await bench.platform.send(thread, HI, "k")
    assert [(stored.thread, stored.raw) for stored in bench.seen(ROOM)] == [(first.ts, "*hi*")]


async def test_a_thread_that_began_before_the_process_is_looked_at_once(bench: Bench) -> None:
    first = bench.sim.say(bench.alice, "", ROOM, raw="<@U0WIRKEN00> go")
    foreign = bench.sim.say(bench.alice, "lunch?", ROOM)
    answered = bench.sim.say(bench.alice, "who?", ROOM)
    await bench.platform.send(handle(Place(ROOM, answered.ts)), HI, "k")
    fresh = platform(given(bench.sim))
    for pending in bench.sim.envelopes.all.values():
        pending.acknowledged.set()  # by the process before
    async with running(fresh, bench.house):
        for thread in (first, foreign, answered):
            bench.sim.say(bench.alice, f"in {thread.ts}", ROOM, thread=thread.ts)
        assert sorted(await bench.house.texts(2)) == [f"in {first.ts}", f"in {answered.ts}"]
        bench.sim.say(bench.alice, "yes", ROOM, thread=foreign.ts)
        bench.sim.say(bench.alice, "more", ROOM, thread=first.ts)
        assert (await bench.house.texts(3))[2] == "more"
    await fresh.close()
    assert bench.sim.calls.count("conversations.replies") == 3


async def test_threads_are_not_looked_at_without_end(bench: Bench) -> None:
    bench.sim.refusals["conversations.replies"] = [Refusal("ratelimited", 429)] * (limits.SLACK_LOOKUPS + 5)
    threads = [bench.sim.say(bench.alice, "x", ROOM) for _ in range(limits.SLACK_LOOKUPS + 5)]
    async with running(bench.platform, bench.house):
        for thread in threads:
            bench.sim.say(bench.alice, "y", ROOM, thread=thread.ts)
        async with asyncio.timeout(30):
            for pending in bench.sim.envelopes.all.values():
                await pending.acknowledged.wait()
    assert bench.house.received == []
    assert limits.SLACK_LOOKUPS <= bench.sim.calls.count("conversations.replies") <= limits.SLACK_LOOKUPS + 2


async def test_an_app_that_hears_mentions_alone_hears_them(bench: Bench) -> None:
    bench.sim.hears_channels = False
    async with running(bench.platform, bench.house):
        bench.sim.say(bench.alice, "", ROOM, raw="hey <@U0WIRKEN00|wirken>, look")
        assert await bench.house.texts(1) == ["hey look"]
        assert bench.house.handled[0].mentioned


async def test_who_answers_a_message_of_the_bot_in_its_thread_is_heard(bench: Bench) -> None:
    sent = await bench.platform.send(handle(Place(ROOM)), HI, "k")
    async with running(bench.platform, bench.house):
        bench.sim.say(bench.alice, "why?", ROOM, thread=sent.partition(":")[2])
        assert await bench.house.texts(1) == ["why?"]
        assert bench.house.handled[0].mentioned


async def test_a_thread_with_the_bot_is_a_conversation_of_its_own(bench: Bench) -> None:
    async with running(bench.platform, bench.house):
        first = bench.sim.say(bench.alice, "one")
        bench.sim.say(bench.alice, "two", thread=first.ts)
        await bench.house.texts(2)
    assert [got.conversation.conversation for got in bench.house.received] == [
        bench.alice.im,
        f"{bench.alice.im}:{first.ts}",
    ]


async def test_an_edit_is_a_message_of_its_own_and_a_preview_is_none(bench: Bench) -> None:
    async with running(bench.platform, bench.house):
        said = bench.sim.say(bench.alice, "hello")
        await bench.house.texts(1)
        bench.sim.change(said, {})  # Slack adds a preview
        edited = bench.sim.edit(said, "hello again")
        assert await bench.house.texts(2) == ["hello", "hello again"]
    assert [got.edited for got in bench.house.received] == [False, True]
    assert bench.house.received[1].platform_id == f"{said.channel}:{said.ts}:{edited.edited}"


async def test_bots_and_what_is_no_message_are_not_heard_but_acknowledged(bench: Bench) -> None:
    quiet: list[dict[str, object]] = [
        {"type": "message", "channel": bench.alice.im, "user": "U0ALICE000", "ts": "1.1", "text": "x", "bot_id": "B1"},
        {"type": "message", "channel": bench.alice.im, "user": "USLACKBOT", "ts": "1.2", "text": "x"},
        {"type": "message", "channel": bench.alice.im, "user": "U0WIRKEN00", "ts": "1.3", "text": "x"},
        {"type": "message", "subtype": "channel_join", "channel": ROOM, "user": "U0ALICE000", "ts": "1.4", "text": "x"},
        {"type": "reaction_added", "user": "U0ALICE000"},
        {"type": "assistant_thread_started", "assistant_thread": {}},
        {"type": "message", "channel": "../../etc", "user": "U0ALICE000", "ts": "1.5", "text": "hostile"},
        {"type": "message", "channel": bench.alice.im, "user": "U0 ALICE", "ts": "1.6", "text": "hostile"},
        {"type": "message", "channel": bench.alice.im, "user": "U0ALICE000", "ts": "1.7\n", "text": "hostile"},
        {"type": "message", "channel": bench.alice.im, "user": 5, "ts": None, "text": ["hostile"]},
    ]
    async with running(bench.platform, bench.house):
        async with asyncio.timeout(30):
            for pending in [bench.sim.event(event) for event in quiet]:
                await pending.acknowledged.wait()
    assert bench.house.received == []


async def test_nonsense_and_depth_disturb_nothing(bench: Bench) -> None:
    deep = '{"type":"events_api","envelope_id":"e","payload":' + "[" * 100_000 + "]" * 100_000 + "}"
    async with running(bench.platform, bench.house):
        for frame in ("", "{", "[]", "\x00", '{"type":5}', deep, b"\xff\xfe", '{"type":"unheard"}'):
            await bench.sim.raw(frame)
        bench.sim.say(bench.alice, "still there")
        assert await bench.house.texts(1) == ["still there"]


async def test_an_envelope_that_is_too_long_ends_the_connection_only(bench: Bench) -> None:
    house = bench.house
    with pytest.raises(PlatformAway):
        async with running(bench.platform, house) as task:
            await bench.sim.raw('"' + "x" * limits.SLACK_ENVELOPE + '"')
            await house.until(task.done)
            task.result()
    assert bench.sim.envelopes.links == [] or house.received == []


async def test_an_envelope_of_the_longest_length_is_read(bench: Bench) -> None:
    async with running(bench.platform, bench.house):
        await bench.sim.raw('"' + "x" * (limits.SLACK_ENVELOPE - 2) + '"')
        bench.sim.say(bench.alice, "still there")
        assert await bench.house.texts(1) == ["still there"]


async def test_no_more_envelopes_are_open_than_may_be(bench: Bench) -> None:
    gate = asyncio.get_running_loop().create_future()
    bench.house.gate = lambda _: gate
    people = [bench.sim.person(f"U{number:09}", "Somebody") for number in range(limits.SLACK_OPEN_ENVELOPES + 1)]
    async with running(bench.platform, bench.house):
        for person in people:
            bench.sim.say(person, "hello")
        await bench.house.until(lambda: len(bench.house.received) == limits.SLACK_OPEN_ENVELOPES)
        await asyncio.sleep(0.05)
        assert len(bench.house.received) == limits.SLACK_OPEN_ENVELOPES
        gate.set_result(None)
        await bench.house.texts(len(people))
        for pending in bench.sim.envelopes.all.values():
            await pending.acknowledged.wait()
            assert pending.attempts == 1  # each found its place when its turn came


async def test_a_name_that_cannot_be_had_is_the_id(bench: Bench) -> None:
    bench.sim.refusals["users.info"] = [Refusal("ratelimited", 429, **{"Retry-After": "30"}), Refusal("missing_scope")]
    async with running(bench.platform, bench.house):
        for text in ("one", "two", "three"):
            bench.sim.say(bench.alice, text)
        await bench.house.texts(3)
    assert [got.sender_name for got in bench.house.received] == ["U0ALICE000"] * 3
    assert bench.sim.calls.count("users.info") == 2  # what can be had later is asked for again


async def test_a_slash_command_says_a_word_or_anything(bench: Bench) -> None:
    async with running(bench.platform, bench.house):
        pending = [bench.sim.command(bench.alice, text) for text in ("status", "", "what is up?", "/new")]
        assert sorted(await bench.house.texts(4)) == ["/help", "/new", "/status", "what is up?"]
        for one in pending:
            await one.acknowledged.wait()
    assert {got.conversation for got in bench.house.received} == {bench.here}
    assert len({got.platform_id for got in bench.house.received}) == 4


# --- connections ----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("reason", ["warning", "refresh_requested"])
async def test_a_connection_that_slack_wants_to_end_is_replaced_first(bench: Bench, reason: str) -> None:
    async with running(bench.platform, bench.house):
        (first,) = bench.sim.envelopes.links
        await bench.sim.disconnects(reason)
        async with asyncio.timeout(30):
            while len(bench.sim.envelopes.links) < 2:
                await asyncio.sleep(0.01)
        for text in ("over the old", "over the new", "or the other"):
            bench.sim.say(bench.alice, text)
        assert len(await bench.house.texts(3)) == 3
        await first.close()
        bench.sim.say(bench.alice, "still there")
        await bench.house.texts(4)
    assert bench.house.gone == [] and bench.sim.calls.count("auth.test") == 1


@pytest.mark.slow
async def test_connections_that_never_last_are_opened_slowly_and_few_stay(bench: Bench) -> None:
    clock = asyncio.get_running_loop().time
    async with running(bench.platform, bench.house):
        began = clock()
        for count in range(2, 4):
            await bench.sim.disconnects("refresh_requested")
            async with asyncio.timeout(30):
                while bench.sim.greeted < count:
                    await asyncio.sleep(0.01)
        assert clock() - began >= 1.9 * limits.SLACK_REOPEN
        assert len(bench.sim.envelopes.links) <= limits.SLACK_REPLACED + 1


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        ('{"type":"disconnect","reason":"link_disabled"}', "Socket Mode is switched off"),
        ('{"type":"disconnect","reason":"too_many_websockets"}', "hung up"),
        ("nonsense", "hung up"),
    ],
)
async def test_a_connection_that_is_refused_is_said(bench: Bench, frame: str, said: str) -> None:
    bench.sim.greeting = [frame]
    with pytest.raises(PlatformAway, match=said):
        async with running(bench.platform, bench.house):
            pass
    assert bench.house.connections == []


async def test_socket_mode_that_is_switched_off_meanwhile_is_said(bench: Bench) -> None:
    with pytest.raises(PlatformAway, match="switched off"):
        async with running(bench.platform, bench.house) as task:
            await bench.sim.disconnects("link_disabled")
            await bench.house.until(task.done)
            task.result()


async def test_a_connection_that_breaks_is_said_and_what_was_open_comes_over_the_next(bench: Bench) -> None:
    gate = asyncio.get_running_loop().create_future()
    bench.house.gate = lambda _: gate
    with pytest.raises(PlatformAway, match="closed the connection"):
        async with running(bench.platform, bench.house) as task:
            bench.sim.say(bench.alice, "hello")
            await bench.house.until(lambda: bench.house.received)
            bench.sim.cut()
            await bench.house.until(task.done)
            task.result()
    bench.house.gate = lambda _: None
    async with running(bench.platform, bench.house):
        assert await bench.house.texts(1) == ["hello"]


@pytest.mark.parametrize(
    "link", ["ws://evil.example/link", "wss://slack.com.evil.example/", "http://slack.com/", "wss://a@slack.com/", "x"]
)
async def test_a_connection_to_somewhere_else_is_refused(bench: Bench, link: str) -> None:
    bench.sim.link = link
    with pytest.raises(PlatformAway, match="none of Slack's"):
        await bench.platform.run(bench.house)
    bench.sim.garbage["apps.connections.open"] = [b'{"ok":true,"url":5}']
    with pytest.raises(PlatformAway, match="no address"):
        await bench.platform.run(bench.house)


@pytest.mark.parametrize("word", ["invalid_auth", "token_revoked", "account_inactive", "token_expired"])
async def test_a_token_that_is_refused_is_revoked(bench: Bench, word: str) -> None:
    bench.sim.revoked = word
    with pytest.raises(Revoked, match="bot token"):
        await bench.platform.run(bench.house)
    with pytest.raises(Revoked):
        await bench.platform.send(bench.here, HI, "k")
    bench.sim.revoked, bench.sim.app_revoked = "", word
    with pytest.raises(Revoked, match="app-level token"):
        await bench.platform.run(bench.house)


async def test_what_else_is_refused_while_connecting_is_tried_again(bench: Bench) -> None:
    for method in ("auth.test", "apps.connections.open"):
        bench.sim.refusals[method] = [Refusal("access_denied")]
        with pytest.raises(PlatformAway, match="refuses this request"):
            await bench.platform.run(bench.house)
    bench.sim.refusals["apps.connections.open"] = [Refusal("missing_scope")]
    with pytest.raises(Revoked, match="connections:write"):
        await bench.platform.run(bench.house)


async def test_tokens_that_are_mixed_up_are_told_apart(bench: Bench) -> None:
    bench.sim.bot_token, bench.sim.app_token = bench.sim.app_token, bench.sim.bot_token
    served = platform(given(bench.sim))
    with pytest.raises(Revoked, match="of another kind"):
        await served.run(bench.house)
    await served.close()


async def test_an_app_that_was_removed_is_looked_at_again_at_once(bench: Bench) -> None:
    with pytest.raises(PlatformAway, match="removed"):
        async with running(bench.platform, bench.house) as task:
            bench.sim.event({"type": "app_uninstalled"})
            await bench.house.until(task.done)
            task.result()


async def test_trouble_on_the_way_is_never_a_revoked_token(bench: Bench) -> None:
    bench.sim.away = True
    with pytest.raises(PlatformAway):
        await bench.platform.run(bench.house)
    bench.sim.away = False
    for body in (b"", b"[]", b'{"ok":"yes"}', b"<html>invalid_auth</html>", b"[" * 100_000, b'{"ok":true,"user_id":5}'):
        bench.sim.garbage["auth.test"] = [body]
        with pytest.raises(PlatformAway):
            await bench.platform.run(bench.house)
    await bench.sim.stop()
    with pytest.raises(PlatformAway, match="cannot be reached"):
        await bench.platform.run(bench.house)


async def test_an_answer_that_is_too_long_is_not_read(bench: Bench) -> None:
    bench.sim.garbage["chat.postMessage"] = [b'{"ok":true,"x":"' + b"x" * limits.SLACK_ANSWER + b'"}']
    with pytest.raises(PlatformAway, match="too long"):
        await bench.platform.send(bench.here, HI, "k")
    room = limits.SLACK_ANSWER - len('{"ok":true,"ts":"1.1","x":""}')
    bench.sim.garbage["chat.postMessage"] = [b'{"ok":true,"ts":"1.1","x":"' + b"x" * room + b'"}']
    assert await bench.platform.send(bench.here, HI, "k") == f"{bench.alice.im}:1.1"


# --- out ------------------------------------------------------------------------------------------------


async def test_a_message_shows_no_previews_and_calls_nobody(bench: Bench) -> None:
    source = "**Hi** <!channel> @here <@U0ALICE000> https://example.com & `code` 😀𠀀"
    (piece,) = rendered(source, dialect.DIALECT)
    sent = await bench.platform.send(bench.here, piece, "k")
    (stored,) = bench.seen()
    assert sent == f"{bench.alice.im}:{stored.ts}" and not stored.unfurls
    assert "<!channel>" in stored.text.replace("\u200b", "") and "😀𠀀" in stored.text and "Hi" in stored.text
    assert not [call for call in stored.calls if call[0] in "@#!" or call == "names"]


async def test_the_same_key_is_the_same_message(bench: Bench) -> None:
    first = await bench.platform.send(bench.here, HI, "k")
    assert await bench.platform.send(bench.here, HI, "k") == first and len(bench.seen()) == 1
    again = platform(given(bench.sim))
    await again.send(bench.here, HI, "k")
    await again.close()
    assert len({stored.client_id for stored in bench.seen()}) == 1  # what Slack may make of it is Slack's


@pytest.mark.parametrize(
    ("wanted", "seconds"), [("7", 7.0), ("0", 1.0), ("nan", 1.0), ("x", 1.0), ("99999999", 3600.0)]
)
async def test_a_pause_that_slack_wants_is_told(bench: Bench, wanted: str, seconds: float) -> None:
    bench.sim.slow_downs = [wanted]
    with pytest.raises(SlowDown) as told:
        await bench.platform.send(bench.here, HI, "k")
    assert told.value.seconds == seconds
    await bench.platform.send(bench.here, HI, "k")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("channel_not_found", Undeliverable),
        ("is_archived", Undeliverable),
        ("not_in_channel", Undeliverable),
        ("msg_too_long", Undeliverable),
        ("missing_scope", Undeliverable),
        ("xoxb-what-Slack-said", Undeliverable),
        ("internal_error", PlatformAway),
        ("fatal_error", PlatformAway),
        ("ratelimited", SlowDown),
    ],
)
async def test_what_slack_refuses_is_told_in_our_words(
    bench: Bench, error: str, kind: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    bench.sim.refusals["chat.postMessage"] = [Refusal(error)]
    with caplog.at_level(logging.DEBUG), pytest.raises(kind) as told:
        await bench.platform.send(bench.here, HI, "k")
    shown = (
        f"{told.value} {told.value.__cause__} {told.value.__context__ if not told.value.__suppress_context__ else ''}"
    )
    assert error not in shown and "xox" not in shown and "xox" not in caplog.text


async def test_tokens_are_in_no_log(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        async with running(bench.platform, bench.house):
            bench.sim.say(bench.alice, "hello", files=(bench.sim.file("a.txt", b"data"),))
            await bench.house.texts(1)
            await bench.platform.send(bench.here, HI, "k")
            assert (
                b"".join([piece async for piece in bench.platform.fetch(bench.house.received[0].files[0])]) == b"data"
            )
    assert "xoxb-" not in caplog.text and "xapp-" not in caplog.text and "ticket-" not in caplog.text


async def test_a_foreign_conversation_or_message_is_refused_before_anything_is_sent(bench: Bench) -> None:
    for name in ("12345", "general", "C0GENERAL0:x", "C0GENERAL0:1.1:2.2", "X0GENERAL0"):
        foreign: Handle = SessionHandle(conversation_id(name))
        with pytest.raises(Undeliverable):
            await bench.platform.send(foreign, HI, "k")
    for message in ("", "1.1", f"{ROOM}:", f"{ROOM}:1.1:2.2", "x:1.1"):
        with pytest.raises(Undeliverable):
            await bench.platform.edit(bench.here, message, HI)
    assert bench.sim.calls == []


async def test_an_edit_replaces_the_text_and_takes_the_buttons_away(bench: Bench) -> None:
    sent = await bench.platform.ask(bench.here, Question("appr-1", (HI,), ALL), "k")
    await bench.platform.edit(bench.here, sent, Piece("_done_", "done"))
    (stored,) = bench.seen()
    assert (stored.text, stored.buttons, stored.edits, stored.calls) == ("done", [], 1, [])
    with pytest.raises(Undeliverable, match="deleted"):
        await bench.platform.edit(bench.here, f"{bench.alice.im}:1.1", HI)


async def test_edits_over_all_conversations_keep_slacks_pace(bench: Bench) -> None:
    sent = await bench.platform.send(bench.here, HI, "k")
    for number in range(limits.SLACK_EDITS):
        await bench.platform.edit(bench.here, sent, Piece(str(number), str(number)))
    with pytest.raises(SlowDown) as told:
        await bench.platform.edit(bench.here, sent, HI)
    assert 0 < told.value.seconds <= limits.SLACK_EDIT_GAP


async def test_the_longest_piece_is_taken_as_it_is(bench: Bench) -> None:
    pieces = rendered("&" * 2000, dialect.DIALECT)
    assert len(pieces) > 1
    for number, piece in enumerate(pieces):
        sent = await bench.platform.send(bench.here, piece, f"k{number}")
        await bench.platform.edit(bench.here, sent, piece)
    assert "".join(stored.text for stored in bench.seen()) == "&" * 2000


async def test_typing_is_a_status_in_threads_which_an_edit_takes_away(bench: Bench) -> None:
    carol = bench.sim.person("U0CAROL000", "Carol", assistant=True)
    first = bench.sim.say(carol, "hello")
    thread = handle(Place(carol.im, first.ts))
    await bench.platform.typing(handle(Place(carol.im)))
    assert bench.sim.calls == []
    sent = await bench.platform.send(thread, HI, "k")
    await bench.platform.typing(thread)
    await bench.platform.edit(thread, sent, HI)
    await bench.platform.edit(thread, sent, HI)
    assert [status for _, _, status in bench.sim.state.statuses] == ["is working on it…", ""]


async def test_where_there_is_no_status_nobody_misses_it(bench: Bench) -> None:
    first = bench.sim.say(bench.alice, "hello")
    await bench.platform.typing(handle(Place(bench.alice.im, first.ts)))
    bench.sim.refusals["assistant.threads.setStatus"] = [Refusal("ratelimited", 429, **{"Retry-After": "60"})]
    await bench.platform.typing(handle(Place(bench.alice.im, first.ts)))


async def test_a_proxy_of_the_environment_is_not_asked(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    served = platform(given(bench.sim))
    await served.send(bench.here, HI, "k")
    await served.close()
    assert len(bench.seen()) == 1


# --- questions ------------------------------------------------------------------------------------------


async def test_buttons_carry_the_question_and_the_choice_and_slack_says_who_pressed(bench: Bench) -> None:
    sent = await bench.platform.ask(bench.here, Question("appr-1_x", (HI, Piece("&lt;rm&gt;", "<rm>")), ALL), "k")
    first, last = bench.seen()
    assert sent == f"{bench.alice.im}:{last.ts}" and first.text == "hi" and last.text == "<rm>"
    bob = bench.sim.person("U0BOB00000", "Bob")
    async with running(bench.platform, bench.house):
        for button in last.buttons:
            await bench.sim.press(bob, last, button).acknowledged.wait()
        async with asyncio.timeout(30):
            while len(bench.sim.state.ephemerals) < 4:
                await asyncio.sleep(0.01)
    assert [(press.approval, press.choice) for press in bench.house.presses] == [("appr-1_x", choice) for choice in ALL]
    assert {(press.sender, press.conversation, press.message_id) for press in bench.house.presses} == {
        ("U0BOB00000", bench.here, sent)
    }
    assert bench.sim.state.ephemerals[0] == (bench.alice.im, "U0BOB00000", "", "It counts.")


async def test_a_press_in_a_thread_is_of_that_conversation_and_told_there(bench: Bench) -> None:
    first = bench.sim.say(bench.alice, "", ROOM, raw="<@U0WIRKEN00> go")
    thread = handle(Place(ROOM, first.ts))
    await bench.platform.ask(thread, Question("a", (HI,), ("once", "deny")), "k")
    bench.house.told = "No <b> & so."
    async with running(bench.platform, bench.house):
        bench.sim.press(bench.alice, bench.seen(ROOM)[0], bench.seen(ROOM)[0].buttons[1])
        async with asyncio.timeout(30):
            while not bench.sim.state.ephemerals:
                await asyncio.sleep(0.01)
    assert bench.house.presses[0].conversation == thread and bench.house.presses[0].choice == "deny"
    assert bench.sim.state.ephemerals == [(ROOM, "U0ALICE000", first.ts, "No &lt;b&gt; &amp; so.")]


@pytest.mark.parametrize(
    "button",
    [
        {"action_id": "wirken-root", "value": "a"},
        {"action_id": "once", "value": "a"},
        {"action_id": "wirken-once", "value": "../../a b"},
        {"action_id": "wirken-once", "value": ""},
        {"action_id": "wirken-once", "value": "a" * 49},
        {"action_id": 5, "value": {}},
    ],
)
async def test_a_button_that_is_none_of_ours_means_nothing(bench: Bench, button: dict[str, object]) -> None:
    await bench.platform.send(bench.here, HI, "k")
    async with running(bench.platform, bench.house):
        await bench.sim.press(bench.alice, bench.seen()[0], button).acknowledged.wait()
    assert bench.house.presses == [] and bench.sim.state.ephemerals == []


async def test_a_press_while_the_gateway_is_away_is_told_so(bench: Bench) -> None:
    bench.house.trouble = [GatewayAway("gone")]
    await bench.platform.ask(bench.here, Question("a", (HI,), ("once", "deny")), "k")
    async with running(bench.platform, bench.house):
        bench.sim.press(bench.alice, bench.seen()[0], bench.seen()[0].buttons[0])
        async with asyncio.timeout(30):
            while not bench.sim.state.ephemerals:
                await asyncio.sleep(0.01)
    assert "not ready" in bench.sim.state.ephemerals[0][3]


async def test_a_question_of_the_longest_piece_fits_its_sections(bench: Bench) -> None:
    text = "x" * limits.SLACK_TEXT
    (piece,) = literal(text, dialect.DIALECT)
    await bench.platform.ask(bench.here, Question("a", (piece,), ALL), "k")
    (stored,) = bench.seen()
    assert stored.text == text and len(stored.blocks) == 3
    with pytest.raises(Undeliverable):
        await bench.platform.ask(bench.here, Question("a b", (HI,), ALL), "k2")


# --- files ----------------------------------------------------------------------------------------------


async def test_a_file_comes_with_our_token_from_slack_alone(bench: Bench) -> None:
    data = bytes(range(256)) * 5000
    async with running(bench.platform, bench.house):
        bench.sim.say(bench.alice, "look", files=(bench.sim.file("../a b.png", data, 10, "image/png"),))
        await bench.house.texts(1)
    (file,) = bench.house.received[0].files
    assert (file.name, file.media_type, file.size) == ("a b.png", "image/png", 10)
    pieces = [piece async for piece in bench.platform.fetch(file)]
    assert b"".join(pieces) == data and max(map(len, pieces)) <= 2**20
    bench.sim.state.files[file.reference].url = "http://evil.example/steal"
    with pytest.raises(Undeliverable, match="none of Slack's"):
        [piece async for piece in bench.platform.fetch(file)]


async def test_a_file_that_lies_elsewhere_is_a_line_of_text(bench: Bench) -> None:
    file = bench.sim.file("plan", b"")
    file.mode, file.url = "external", "https://docs.example/plan"
    async with running(bench.platform, bench.house):
        bench.sim.say(bench.alice, "look", files=(file,))
        assert await bench.house.texts(1) == ["look\n[File elsewhere: plan https://docs.example/plan]"]
    assert bench.house.received[0].files == ()


async def test_a_file_that_may_not_be_had_is_said(bench: Bench) -> None:
    file = bench.sim.file("a.txt", b"data", mimetype="text/plain")
    bench.sim.logs_in = True
    with pytest.raises(Undeliverable, match="lacks a permission"):
        [piece async for piece in bench.platform.fetch(Attachment("a.txt", "text/plain", 4, file.id))]
    with pytest.raises(Undeliverable, match="deleted"):
        [piece async for piece in bench.platform.fetch(Attachment("a.txt", "text/plain", 4, "F404"))]


async def test_a_file_is_sent_into_the_thread_after_its_caption(bench: Bench) -> None:
    first = bench.sim.say(bench.alice, "hello")
    thread = handle(Place(bench.alice.im, first.ts))
    caption = Piece("<https://example.com|report>", "report")
    sent = await bench.platform.send_file(thread, "bericht ü.txt", "text/plain", b"data" * 1_000_000, caption, "k")
    said, file = bench.seen()
    assert (said.text, said.unfurls, said.thread) == ("report", False, first.ts)
    (known,) = [bench.sim.state.files[one] for one in file.files]
    assert (known.name, known.data, file.thread) == ("bericht ü.txt", b"data" * 1_000_000, first.ts)
    assert sent == f"{bench.alice.im}:{known.id}"
    assert await bench.platform.send_file(thread, "x", "text/plain", b"data", caption, "k") == sent
    assert len(bench.seen()) == 2 and "Bearer" not in "".join(bench.sim.authorized)


async def test_an_upload_goes_nowhere_else(bench: Bench) -> None:
    bench.sim.garbage["files.getUploadURLExternal"] = [
        b'{"ok":true,"upload_url":"https://evil.example/u","file_id":"F1"}',
        b'{"ok":true,"upload_url":5,"file_id":"F1"}',
        b'{"ok":true,"upload_url":"https://files.slack.com/u","file_id":"../x"}',
    ]
    with pytest.raises(Undeliverable, match="none of Slack's"):
        await bench.platform.send_file(bench.here, "a", "", b"data", None, "k")
    for _ in range(2):
        with pytest.raises(PlatformAway):
            await bench.platform.send_file(bench.here, "a", "", b"data", None, "k")
