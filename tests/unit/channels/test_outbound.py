from __future__ import annotations

import asyncio

import pytest
from tests.support.fake_platform import FakePlatform, Hangs
from tests.support.scripted_gateway import joined
from tests.support.virtual_time import VirtualTime, settled, until

from wirken.channels.attempts import Pace
from wirken.channels.contract import PlatformAway, Revoked, SlowDown, Traits, Undeliverable
from wirken.channels.keys import short_key
from wirken.channels.outbound import TooBusy
from wirken.domain import adapter_limits as limits
from wirken.domain.errors import UsageError
from wirken.ipc.calls.channels import Deliver, Delivered

KEY = "default/telegram/c:5"
AWAY = PlatformAway("The platform does not answer.")
LONG = "word " * 4000  # five messages of Telegram's


async def test_a_message_arrives_as_an_answer_to_its_question_and_is_confirmed() -> None:
    async with joined() as at:
        delivered = await at.asks("**Hello** there", reply_to="m1")
        assert delivered == Delivered(platform_ids=("b1",))
        assert at.platform.shown() == ["Hello there"]
        assert at.platform.posts["b1"].reply_to == "m1"
        assert at.platform.keys == [short_key(KEY)]


async def test_what_fails_for_a_while_goes_on_from_the_piece_that_failed() -> None:
    async with joined() as at:
        at.platform.trouble.extend([None, None, AWAY, AWAY])
        asked = at.asks(LONG)
        await until(lambda: len(at.platform.calls) == 3)
        await at.time.passes(limits.SEND_FIRST + limits.SEND_FIRST * 2)
        delivered = await asked
        assert delivered.platform_ids == ("b1", "b2", "b3", "b4", "b5")
        assert at.platform.keys == [short_key(KEY, part) for part in range(5)]
        assert "".join(at.platform.shown()).split() == LONG.split()
        assert [at.platform.posts[name].reply_to for name in delivered.platform_ids] == [""] * 5


async def test_only_the_first_piece_answers_a_message() -> None:
    async with joined() as at:
        await at.asks(LONG, reply_to="m1")
        assert [post.reply_to for post in at.platform.posts.values()] == ["m1", "", "", "", ""]


async def test_a_long_outage_is_outlasted_with_pauses_that_grow_to_a_bound() -> None:
    async with joined() as at:
        at.platform.trouble.extend([AWAY] * 40)
        asked = at.asks("x")
        await at.time.passes(limits.SEND_FIRST * 63)  # 0.5, 1, 2, 4, 8, 16
        assert len(at.platform.calls) == 7
        await at.time.passes(limits.SEND_LONGEST * 10)
        assert len(at.platform.calls) == 17
        await at.time.passes(limits.SEND_LONGEST * 40)
        assert (await asked).platform_ids == ("b1",)


async def test_a_platform_that_is_there_again_ends_the_pause() -> None:
    async with joined() as at:
        at.platform.trouble.extend([AWAY] * 8)
        asked = at.asks("x")
        await at.time.passes(limits.SEND_FIRST * 127)
        at.platform.trouble.clear()
        assert at.platform.house is not None
        at.platform.house.connected("@pigeon, again")
        await at.time.passes()
        assert (await asked).platform_ids == ("b1",)


async def test_a_call_that_never_ends_is_tried_again_with_the_same_key() -> None:
    async with joined() as at:
        at.platform.trouble.append(Hangs())
        asked = at.asks("x")
        await at.time.passes(limits.SEND_TIME - 0.1)
        assert len(at.platform.calls) == 1 and not asked.done()
        await at.time.passes(0.1 + limits.SEND_FIRST)
        assert (await asked).platform_ids == ("b1",)
        assert len(at.platform.calls) == 2


async def test_one_conversation_is_in_order_and_holds_up_no_other() -> None:
    async with joined() as at:
        at.platform.trouble.append(AWAY)
        first = at.asks("first", "k:1")
        second = at.asks("second", "k:2")
        await at.time.passes()
        other = at.asks("other", "k:3", conversation="d")
        await at.time.passes()
        assert other.done() and not second.done() and at.platform.shown() == []
        await at.time.passes(limits.SEND_FIRST)
        await first, await second
        assert at.platform.shown() == ["first", "second"]


async def test_a_pause_that_the_platform_asks_for_is_obeyed_in_that_conversation() -> None:
    async with joined() as at:
        at.platform.trouble.append(SlowDown("Too fast.", 7.0))
        slow, other = at.asks("slow", "k:1"), at.asks("other", "k:2", conversation="d")
        await at.time.passes(6.9)
        assert other.done() and not slow.done()
        await at.time.passes(0.1)
        assert slow.done()


async def test_a_pause_for_everything_holds_every_conversation() -> None:
    async with joined() as at:
        at.platform.trouble.append(SlowDown("Too fast.", 7.0, everywhere=True))
        asked = [at.asks("x", "k:1"), at.asks("y", "k:2", conversation="d")]
        await at.time.passes()
        asked.append(at.asks("z", "k:3", conversation="e"))
        await at.time.passes(6.9)
        assert not any(one.done() for one in asked[::2])
        await at.time.passes(0.1)
        assert all(one.done() for one in asked)


@pytest.mark.parametrize("seconds", [-1.0, 0.0, float("nan"), float("inf"), 1e300, limits.SLOW_DOWN + 1])
async def test_no_pause_is_longer_than_an_hour_whatever_is_asked(seconds: float) -> None:
    async with joined() as at:
        at.platform.trouble.append(SlowDown("Too fast.", seconds))
        asked = at.asks("x")
        await at.time.passes(limits.SLOW_DOWN)
        assert asked.done()


def test_pauses_are_remembered_for_so_many_conversations_and_not_longer_than_they_last() -> None:
    time = VirtualTime()
    pace = Pace(time.timing())
    for number in range(limits.SLOWED + 1):
        pace.slow(f"c{number}", SlowDown("Too fast.", 10.0 + number))
    assert (pace.left("c0"), pace.left("c1")) == (0.0, 11.0) and len(pace._until) == limits.SLOWED
    for seconds in (float("nan"), -5.0):
        pace.slow("d", SlowDown("Too fast.", seconds))
        assert pace.left("d") == 0.0 and "d" not in pace._until


async def test_what_will_never_arrive_is_said_with_what_did() -> None:
    async with joined() as at:
        at.platform.trouble.extend([None, Undeliverable("The person blocked the bot.")])
        assert await at.asks(LONG) == Delivered(platform_ids=("b1",), failed="The person blocked the bot.")
        assert (await at.asks("next", "k:2")).failed == ""


async def test_a_revoked_token_is_waited_out_and_said() -> None:
    async with joined() as at:
        at.platform.trouble.append(Revoked("The token was refused."))
        asked = at.asks("x")
        await at.time.passes(3600.0)
        assert not asked.done() and len(at.platform.calls) == 1
        assert at.gateway.states[-1].revoked and not at.gateway.states[-1].connected
        asked.cancel()


async def test_asked_again_while_it_is_under_way_it_is_sent_once() -> None:
    async with joined() as at:
        at.platform.trouble.append(AWAY)
        first = at.asks("x")
        await at.time.passes()
        await at.loses_the_gateway()
        with pytest.raises(Exception, match="lost"):
            await first
        await at.dials()
        again = at.asks("x")
        await at.time.passes(limits.SEND_FIRST)
        assert (await again).platform_ids == ("b1",) and at.platform.shown() == ["x"]


async def test_asked_again_after_it_arrived_it_is_answered_from_memory() -> None:
    async with joined() as at:
        delivered = await at.asks("x")
        await at.loses_the_gateway()
        await at.dials()
        assert await at.asks("x") == delivered
        assert at.platform.shown() == ["x"]


async def test_what_arrived_while_the_gateway_was_away_is_known_when_it_asks() -> None:
    async with joined() as at:
        at.platform.trouble.append(AWAY)
        first = at.asks("x")
        await at.time.passes()
        await at.loses_the_gateway()
        with pytest.raises(Exception, match="lost"):
            await first
        await at.time.passes(limits.SEND_FIRST)
        assert at.platform.shown() == ["x"]
        await at.dials()
        assert (await at.asks("x")).platform_ids == ("b1",)
        assert at.platform.shown() == ["x"]


async def test_of_as_many_as_are_remembered_none_is_sent_again() -> None:
    async with joined() as at:
        for number in range(limits.DELIVERED + 1):
            await at.asks("x", f"k:{number}")
        await at.asks("x", "k:1")
        assert len(at.platform.posts) == limits.DELIVERED + 1
        await at.asks("x", "k:0")
        assert len(at.platform.posts) == limits.DELIVERED + 2


async def test_more_than_may_be_on_its_way_is_refused_and_can_be_asked_for_again() -> None:
    async with joined() as at:
        outbound = at.adapter.receiver.outbound
        at.platform.trouble.extend([SlowDown("Too fast.", 60.0, everywhere=True)])
        asked = [at.asks("x", "k:0")]
        await at.time.passes()
        for number in range(1, limits.SENDINGS):  # some that an earlier link asked for are among them
            wanted = Deliver(key=f"k:{number}", conversation=f"c{number}", text="x")
            asked.append(asyncio.ensure_future(outbound.deliver(wanted)))
        await settled()
        with pytest.raises(TooBusy):
            await outbound.deliver(Deliver(key="k:more", conversation="c", text="y"))
        assert not any(one.done() for one in asked)
        await at.time.passes(60.0)
        assert len(await asyncio.gather(*asked)) == limits.SENDINGS
        assert (await at.asks("y", "k:more")).failed == ""


async def test_an_answer_of_more_messages_than_anybody_reads_says_what_is_left_out() -> None:
    async with joined(FakePlatform(Traits(dialect="discord"))) as at:
        exactly = "\n\n".join("y" * 1990 for _ in range(limits.PIECES))
        assert len((await at.asks(exactly)).platform_ids) == limits.PIECES
        assert at.platform.shown()[-1] == "y" * 1990
        delivered = await at.asks("\n\n".join("z" * 1990 for _ in range(limits.PIECES + 1)), "k:2", conversation="d")
        assert len(delivered.platform_ids) == limits.PIECES
        assert "2 more messages" in at.platform.shown("d")[-1]


async def test_an_answer_without_anything_to_see_says_so() -> None:
    async with joined() as at:
        await at.asks("\n\n \n")
        assert at.platform.shown() == ["(The answer is empty.)"]


async def test_a_conversation_that_cannot_be_is_refused() -> None:
    async with joined() as at:
        with pytest.raises(UsageError):
            await at.asks("x", conversation="../x")
        assert at.platform.calls == []


async def test_what_no_adapter_is_asked_is_refused() -> None:
    async with joined() as at:
        assert at.link is not None
        with pytest.raises(Exception, match="not asked"):
            await at.link.call(Delivered(), Delivered)


# --- files --------------------------------------------------------------------------------------------


async def test_a_file_goes_out_with_its_caption() -> None:
    async with joined() as at:
        asked = Deliver(key=KEY, conversation="c", text="**Look**", file="a.png", media_type="image/png", reply_to="m")
        delivered = await at.sends(asked, b"x" * 1000)
        [post] = at.platform.posts.values()
        assert delivered.platform_ids == ("b1",) and (post.file, post.name) == (b"x" * 1000, "a.png")
        assert (post.text, post.reply_to) == ("Look", "m")


async def test_a_long_caption_goes_before_its_file() -> None:
    async with joined() as at:
        asked = Deliver(key=KEY, conversation="c", text=LONG, file="a.png")
        delivered = await at.sends(asked, b"x")
        assert len(delivered.platform_ids) == 6 and list(at.platform.posts.values())[-1].file == b"x"


@pytest.mark.parametrize(("most", "said"), [(1000, "1001 bytes"), (0, "No files")])
async def test_a_file_that_the_platform_does_not_take_fails_with_the_reason(most: int, said: str) -> None:
    async with joined(FakePlatform(Traits(dialect="telegram", file_most=most))) as at:
        asked = Deliver(key=KEY, conversation="c", text="", file="a.png")
        delivered = await at.sends(asked, b"x" * 1001)
        assert said in delivered.failed and at.platform.calls == []


async def test_a_file_without_its_bytes_fails() -> None:
    async with joined() as at:
        delivered = await at.asks("", file="a.png")
        assert "did not come" in delivered.failed


# --- keys ---------------------------------------------------------------------------------------------


def test_keys_are_short_plain_and_differ_by_message_and_part() -> None:
    keys = {short_key(key, part) for key in ("a:1", "a:11", "1\na:1", "\udc80") for part in (0, 1, 11)}
    assert len(keys) == 12
    assert all(len(key) == 25 and key.isalnum() and key == key.lower() and key.isascii() for key in keys)
