from __future__ import annotations

import asyncio

from tests.support.fake_platform import TRAITS, FakePlatform, Hangs
from tests.support.scripted_gateway import Joined, joined
from tests.support.virtual_time import until

from wirken.channels.contract import PlatformAway, SlowDown, Traits, Undeliverable
from wirken.domain import adapter_limits as limits

START = "This is how a longer answer begins, which is worth to be shown. "
AWAY = PlatformAway("The platform does not answer.")


async def begun(at: Joined) -> None:
    """A turn runs for the message `m1`, and enough of its answer is written."""
    await at.platform.says("hello")
    at.streams(START)
    await at.time.passes(limits.STREAM_AFTER)


async def test_an_answer_is_shown_while_it_is_written_and_the_last_edit_is_the_answer() -> None:
    async with joined() as at:
        await begun(at)
        assert at.platform.shown() == [f"{START}…"]
        assert at.platform.posts["b1"].reply_to == "m1"
        at.streams("And **more**.")
        await at.time.passes(TRAITS.edit_every)
        assert at.platform.shown() == [f"{START}And more. …"]
        delivered = await at.asks(f"{START}And **more**.", reply_to="m1")
        assert delivered.platform_ids == ("b1",) and at.platform.shown() == [f"{START}And more."]
        at.over("m1")
        await at.time.passes(limits.STREAM_GRACE * 2)
        assert at.platform.shown() == [f"{START}And more."]


async def test_edits_are_no_closer_than_the_platform_takes_them() -> None:
    async with joined() as at:
        await begun(at)
        for _ in range(20):
            at.streams("word ")
            await at.time.passes(TRAITS.edit_every / 10)
        assert [name for name, _ in at.platform.calls].count("edit") <= 2


async def test_short_answers_and_quick_ones_are_not_streamed() -> None:
    async with joined() as at:
        await at.platform.says("hello")
        at.streams("x" * (limits.STREAM_SHORTEST - 1))
        await at.time.passes(limits.STREAM_AFTER + 60)
        assert at.platform.shown() == []
        at.streams("x")
        await at.time.passes()
        assert len(at.platform.shown()) == 1
    async with joined() as at:
        await at.platform.says("hello")
        at.streams(START)
        await at.time.passes(limits.STREAM_AFTER - 0.1)
        await at.asks(START, reply_to="m1")
        await at.time.passes(60)
        assert at.platform.shown() == [START.strip()]


async def test_where_messages_cannot_be_edited_or_nobody_wants_it_nothing_is_streamed() -> None:
    async with joined(FakePlatform(Traits(dialect="whatsapp"))) as at:
        await begun(at)
        assert at.platform.posts == {}
    async with joined(stream=False) as at:
        await begun(at)
        assert at.platform.posts == {}


async def test_a_preview_is_one_message_whose_place_the_first_of_many_takes() -> None:
    async with joined() as at:
        await begun(at)
        for _ in range(40):
            at.streams("words " * 200)
            await at.time.passes(TRAITS.edit_every)
        assert len(at.platform.shown()) == 1 and len(at.platform.shown()[0]) <= 4096
        delivered = await at.asks("words " * 8000, reply_to="m1")
        assert delivered.platform_ids[0] == "b1" and len(delivered.platform_ids) == len(at.platform.posts) > 10
        assert " ".join(at.platform.shown()).split() == ["words"] * 8000


async def test_a_paragraph_begins_where_the_model_stopped_for_a_call() -> None:
    async with joined() as at:
        await begun(at)
        at.row()
        at.streams("Then this.")
        await at.time.passes(TRAITS.edit_every)
        assert at.platform.shown() == [f"{START.strip()}\n\nThen this. …"]


async def test_a_turn_that_fails_leaves_no_promise_behind() -> None:
    async with joined() as at:
        await begun(at)
        at.over("m1", "failed")
        await at.time.passes(limits.STREAM_GRACE - 1)
        assert at.platform.shown()[0].endswith("…")
        await at.time.passes(1)
        assert at.platform.shown() == [f"{START.strip()}\n\n(This answer was not finished.)"]


async def test_the_reason_of_a_failure_takes_the_place_of_the_preview() -> None:
    async with joined() as at:
        await begun(at)
        at.over("m1", "failed")
        await at.time.passes()
        delivered = await at.asks("It failed: no model.", reply_to="m1")
        await at.time.passes(limits.STREAM_GRACE)
        assert delivered.platform_ids == ("b1",) and at.platform.shown() == ["It failed: no model."]


async def test_what_was_said_of_a_turn_that_nobody_hears_of_any_more_is_ended() -> None:
    async with joined() as at:
        await begun(at)
        await at.time.passes(limits.TYPING_SILENT + TRAITS.edit_every)
        assert at.platform.shown()[0].endswith("(This answer was not finished.)")


async def test_the_answer_to_another_message_does_not_take_the_preview() -> None:
    async with joined() as at:
        await begun(at)
        await at.asks("Something older.", reply_to="m0")
        assert at.platform.shown() == [f"{START}…", "Something older."]


async def test_a_late_answer_and_the_next_turns_preview_are_two_messages() -> None:
    async with joined() as at:
        await begun(at)
        await at.platform.says("and then?", "m2")
        at.over("m1")
        at.streams("The second answer, which is long enough to be shown by itself.")
        await at.time.passes(limits.STREAM_AFTER)
        assert len(at.platform.shown()) == 2
        await at.asks("One.", "k:1", reply_to="m1")
        await at.asks("Two.", "k:2", reply_to="m2")
        assert at.platform.shown() == ["One.", "Two."]


async def test_an_answer_waits_for_the_preview_that_is_under_way_and_takes_its_place() -> None:
    async with joined() as at:
        at.platform.trouble.append(Hangs())
        await at.platform.says("hello")
        at.streams(START)
        await at.time.passes(limits.STREAM_AFTER)
        at.over("m1")
        asked = at.asks("Done.", reply_to="m1")
        await at.time.passes()
        assert not asked.done()
        await at.time.passes(limits.STREAM_TIME)
        await asked
        assert at.platform.shown() == ["Done."]


async def test_a_preview_that_arrives_after_the_end_of_its_turn_is_no_orphan() -> None:
    async with joined() as at:
        slow = asyncio.Event()
        at.platform.trouble.append(slow)
        await at.platform.says("hello")
        at.streams(START)
        await at.time.passes(limits.STREAM_AFTER)
        at.over("m1")
        at.over("m1")
        await at.time.passes()
        slow.set()
        await at.time.passes()
        assert at.platform.shown() == [f"{START}…"]
        await at.asks("Done.", reply_to="m1")
        await at.time.passes(limits.STREAM_GRACE)
        assert at.platform.shown() == ["Done."]


async def test_a_preview_that_fails_is_not_insisted_on() -> None:
    async with joined() as at:
        at.platform.trouble.append(AWAY)
        await begun(at)
        assert at.platform.shown() == []
        at.streams("more")
        await at.time.passes(TRAITS.edit_every)
        assert at.platform.shown() == [f"{START}more …"]
        at.platform.trouble.append(SlowDown("Too fast.", 60.0))
        for _ in range(20):
            at.streams(".")
            await at.time.passes(TRAITS.edit_every)
        assert [name for name, _ in at.platform.calls].count("edit") == 1


async def test_a_preview_that_somebody_deleted_is_followed_by_the_answer() -> None:
    async with joined() as at:
        await begun(at)
        at.platform.trouble.append(Undeliverable("It is gone."))
        delivered = await at.asks("Done.", reply_to="m1")
        assert delivered.platform_ids == ("b2",)


async def test_a_gateway_that_comes_back_writes_the_answer_anew_into_the_same_message() -> None:
    async with joined() as at:
        await begun(at)
        await at.loses_the_gateway()
        await at.dials()
        at.streams("Anew: " + START)
        await at.time.passes(TRAITS.edit_every)
        assert at.platform.shown() == [f"Anew: {START}…"]
        await at.asks("Anew.", reply_to="m1")
        assert at.platform.shown() == ["Anew."]


async def test_no_more_previews_than_allowed_are_shown_at_once() -> None:
    async with joined() as at:
        for number in range(limits.STREAMS + 1):
            await at.platform.says("x", f"m{number}", f"c{number}")
            at.streams(START, f"c{number}")
            await at.time.passes()
        await until(lambda: True)
        await at.time.passes(limits.STREAM_AFTER)
        await at.time.passes()
        assert len(at.platform.posts) == limits.STREAMS
