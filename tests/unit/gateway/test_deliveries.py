from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.support.adapter import adapter
from tests.support.gateway_bench import Bench, bench, facts
from tests.support.later import Later
from tests.support.scripted_wings import says

from wirken.domain import channel_limits, limits
from wirken.domain.errors import Unavailable
from wirken.domain.events import (
    Attestation,
    DeliveryConfirmed,
    DeliveryFailed,
    Fact,
    TurnEnded,
    TurnStarted,
    UserMessageFact,
)
from wirken.gateway.deliveries import BACK, NOT_ADMITTED, TOO_OLD
from wirken.gateway.outbox import FAILED, STOPPED
from wirken.ipc.calls.channels import ChannelRow, ChannelRows, Deliver, Delivered, ShowChannels
from wirken.ipc.calls.operator import Acknowledged, GatewayReport, GatewayStatus
from wirken.ipc.calls.senders import AllowSender, BlockSender
from wirken.ipc.frames import Over
from wirken.record.verify import Status

ANNA = "default/telegram/d7"


async def allow(at: Bench, sender: str, role: str = "user") -> None:
    async with at.operator() as owner:
        await owner.link.call(AllowSender(channel="telegram", sender=sender, principal="", role=role), Acknowledged)


def said(at: Bench, kind: type[Fact], session: str = ANNA) -> list[Fact]:
    return [fact for fact in facts(at.paths.audit_db, session) if isinstance(fact, kind)]


async def delivered(at: Bench, session: str = ANNA) -> list[DeliveryConfirmed]:
    await at.rest(session)
    return [fact for fact in said(at, DeliveryConfirmed, session) if isinstance(fact, DeliveryConfirmed)]


class Held:
    """A platform that takes nothing until it is told to."""

    def __init__(self, *conversations: str) -> None:
        self.conversations = conversations
        self.gate = asyncio.Event()

    async def __call__(self, asked: Deliver) -> Delivered:
        if asked.conversation in self.conversations:
            await self.gate.wait()
        return Delivered(platform_ids=("1",))


# --- confirmed, failed ------------------------------------------------------------------------------


async def test_an_answer_is_delivered_once_on_record_and_attested(tmp_path: Path) -> None:
    async with bench(tmp_path, says("hello Anna")) as at, adapter(at) as telegram:
        await allow(at, "7")
        await telegram.say("7", "hi")
        [confirmed] = await delivered(at)
        [asked] = telegram.asked
        assert (asked.conversation, asked.text, asked.reply_to) == ("d7", "hello Anna", "p1")
        assert asked.key == f"{ANNA}:{confirmed.about_seq}"
        assert confirmed.platform_ids == (f"sent-{asked.key}",) and confirmed.attempts == 1
        report = await at.verify(ANNA)
        assert report.status is Status.VERIFIED and report.attestations == 2
        assert at.house.log.unfinished() == []


async def test_what_the_owner_says_at_a_terminal_is_delivered_to_nobody(tmp_path: Path) -> None:
    async with bench(tmp_path) as at, adapter(at) as telegram:
        await at.say("hi")
        await at.rest("default/terminal/c")
        assert telegram.asked == [] and "delivery_confirmed" not in at.kinds()


async def test_a_message_that_the_platform_repeats_is_one_turn_and_one_delivery(tmp_path: Path) -> None:
    async with bench(tmp_path) as at, adapter(at) as telegram:
        await allow(at, "7")
        message = telegram.message("7", "hi")
        for _ in range(3):
            telegram.put(message)
        await telegram.outcome(message)
        await delivered(at)
        telegram.seen.clear()
        await telegram.accepted(telegram.put(message))
        await at.rest(ANNA)
        assert len(telegram.asked) == len(said(at, DeliveryConfirmed)) == len(said(at, TurnStarted)) == 1


@pytest.mark.parametrize(
    ("role", "heard"), [("owner", "There is no answer to this. the model is away"), ("user", FAILED), ("guest", FAILED)]
)
async def test_why_a_turn_failed_is_told_to_those_who_may_decide_about_it(
    tmp_path: Path, role: str, heard: str
) -> None:
    async with bench(tmp_path, says("", error="the model is away")) as at, adapter(at) as telegram:
        await allow(at, "7", role)
        await telegram.say("7", "hi")
        await telegram.until_asked(1)
        assert telegram.texts == [heard]
        [confirmed] = await delivered(at)
        assert isinstance(facts(at.paths.audit_db, ANNA)[confirmed.about_seq], TurnEnded)


async def test_who_stops_a_turn_is_told_that_it_ended(tmp_path: Path) -> None:
    held = says("never", gate=asyncio.Event())
    async with bench(tmp_path, held) as at, adapter(at) as telegram:
        await allow(at, "7")
        telegram.put(telegram.message("7", "hi"))
        await held.asked.wait()
        await telegram.say("7", "/stop")
        await telegram.until_asked(1)
        assert telegram.texts == [STOPPED]


async def test_what_a_platform_will_never_take_is_on_record_as_failed(tmp_path: Path) -> None:
    async def never(asked: Deliver) -> Delivered:
        return Delivered(failed="The person blocked the bot.")

    async with bench(tmp_path) as at, adapter(at) as telegram:
        telegram.deliver = never
        await allow(at, "7")
        await telegram.say("7", "hi")
        assert (await at.verify(ANNA)).status is Status.VERIFIED
        [failed] = said(at, DeliveryFailed)
        assert isinstance(failed, DeliveryFailed) and failed.reason == "The person blocked the bot."
        assert said(at, DeliveryConfirmed) == [] and len(telegram.asked) == 1


async def test_what_a_platform_calls_its_messages_is_kept_within_bounds(tmp_path: Path) -> None:
    async def shouting(asked: Deliver) -> Delivered:
        return Delivered(platform_ids=("x" * 1000, *("y",) * channel_limits.DELIVERY_IDS))

    async with bench(tmp_path) as at, adapter(at) as telegram:
        telegram.deliver = shouting
        await allow(at, "7")
        await telegram.say("7", "hi")
        [confirmed] = await delivered(at)
        assert len(confirmed.platform_ids) == channel_limits.DELIVERY_IDS
        assert confirmed.platform_ids[:2] == ("x" * limits.PLATFORM_ID, "y")


# --- not now ----------------------------------------------------------------------------------------


@pytest.mark.slow
async def test_an_adapter_that_cannot_take_it_now_is_asked_again_with_the_same_key(tmp_path: Path) -> None:
    tries = 0

    async def third_time(asked: Deliver) -> Delivered:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise Unavailable("Not now.")
        return Delivered(platform_ids=("1",))

    async with bench(tmp_path) as at, adapter(at) as telegram:
        telegram.deliver = third_time
        await allow(at, "7")
        await telegram.say("7", "hi")
        [confirmed] = await delivered(at)
        assert confirmed.attempts == 3 and len({asked.key for asked in telegram.asked}) == 1


async def test_what_an_adapter_took_with_it_is_asked_of_the_next_one(tmp_path: Path) -> None:
    held = Held("d7")
    async with bench(tmp_path, says("hello")) as at:
        async with adapter(at) as first:
            first.deliver = held
            await allow(at, "7")
            await first.say("7", "hi")
            await first.until_asked(1)
        async with adapter(at) as second:
            await second.until_asked(1)
            assert second.asked == first.asked
            [confirmed] = await delivered(at)
            assert confirmed.attempts == 2
        async with adapter(at) as third:
            await third.states(connected=True)
            assert third.asked == []


async def test_what_was_not_confirmed_is_sent_after_a_restart_and_then_no_more(tmp_path: Path) -> None:
    async with bench(tmp_path, says("one"), says("two")) as at, adapter(at) as telegram:
        telegram.deliver = Held("d7")
        await allow(at, "7")
        await telegram.say("7", "hi")
        await telegram.say("7", "again")
        assert at.house.log.unfinished() == [ANNA]
        await at.stop()
    for expected in (["one", "two"], []):
        async with bench(tmp_path) as at, adapter(at) as telegram:
            await telegram.until_asked(len(expected))
            assert (await at.verify(ANNA)).status is Status.VERIFIED
            assert telegram.texts == expected
            await at.stop()


@pytest.mark.slow
async def test_an_adapter_that_comes_while_sessions_are_taken_up_misses_none(tmp_path: Path) -> None:
    crowd = 60
    async with bench(tmp_path) as at, adapter(at) as telegram:
        await allow(at, "7")
        await telegram.states(connected=False)
        for number in range(crowd):
            await telegram.say("7", "hi", f"g{number}")
        await at.stop()
    async with bench(tmp_path) as at, adapter(at) as telegram:
        await telegram.until_asked(crowd)
        for number in range(crowd):
            assert len(await delivered(at, f"default/telegram/g{number}")) == 1
        assert at.house.log.unfinished() == []


async def test_nothing_overtakes_in_a_conversation_and_no_conversation_waits_for_another(tmp_path: Path) -> None:
    held = Held("d7")
    async with bench(tmp_path, says("one"), says("two"), says("three")) as at, adapter(at) as telegram:
        telegram.deliver = held
        for sender in ("7", "8"):
            await allow(at, sender)
        await telegram.say("7", "hi")
        await telegram.say("7", "again")
        await telegram.say("8", "hi")
        assert len(await delivered(at, "default/telegram/d8")) == 1
        assert telegram.texts == ["one", "three"]
        held.gate.set()
        await telegram.until_asked(3)
        assert [telegram.asked[n].text for n in (0, 2)] == ["one", "two"]
        assert len(await delivered(at)) == 2


@pytest.mark.slow
async def test_a_crowd_of_slow_conversations_is_asked_for_no_faster_than_an_adapter_answers(tmp_path: Path) -> None:
    crowd = channel_limits.DELIVERIES + 8
    held = Held(*(f"g{n}" for n in range(crowd)))
    async with bench(tmp_path) as at, adapter(at) as telegram:
        telegram.deliver = held
        await allow(at, "7")
        for number in range(crowd):
            if number % 100 == 99:
                at.house.bounds._paces._buckets.clear()
            await telegram.say("7", "hi", f"g{number}")
        assert len(telegram.asked) == channel_limits.DELIVERIES and telegram.links == 1
        held.gate.set()
        await telegram.until_asked(crowd)


async def test_while_a_platform_is_away_nothing_is_asked_and_then_it_is_said_that_it_is_late(tmp_path: Path) -> None:
    clock = Later()
    async with bench(tmp_path, says("one"), says("two"), clock=clock) as at, adapter(at) as telegram:
        await allow(at, "7")
        await telegram.states(connected=False, detail="no network")
        await telegram.say("7", "hi")
        await telegram.say("7", "again")
        assert telegram.asked == []
        clock.ahead = channel_limits.DELIVERY_LATE
        await telegram.states(connected=True)
        await telegram.until_asked(2)
        assert telegram.texts == [f"{BACK}one", "two"]
        await telegram.say("7", "hi")
        await telegram.until_asked(3)
        assert telegram.texts[2] == "ok"


async def test_after_a_short_pause_nothing_is_said_about_it(tmp_path: Path) -> None:
    clock = Later()
    async with bench(tmp_path, says("one"), clock=clock) as at, adapter(at) as telegram:
        await allow(at, "7")
        await telegram.states(connected=False)
        await telegram.say("7", "hi")
        clock.ahead = channel_limits.DELIVERY_LATE - 30
        await telegram.states(connected=True)
        await telegram.until_asked(1)
        assert telegram.texts == ["one"]


@pytest.mark.parametrize(("more", "reason"), [(1, TOO_OLD), (-60, "")])
async def test_what_is_too_old_is_given_up(tmp_path: Path, more: float, reason: str) -> None:
    clock = Later()
    async with bench(tmp_path, says("one"), clock=clock) as at, adapter(at) as telegram:
        await allow(at, "7")
        await telegram.states(connected=False)
        await telegram.say("7", "hi")
        clock.ahead = channel_limits.DELIVERY_LIFETIME + more
        await telegram.states(connected=True)
        await at.rest(ANNA)
        assert [fact.reason for fact in said(at, DeliveryFailed) if isinstance(fact, DeliveryFailed)] == (
            [reason] if reason else []
        )
        assert len(telegram.asked) == (0 if reason else 1)


async def test_who_was_blocked_meanwhile_hears_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path) as at, adapter(at) as telegram:
        await allow(at, "7")
        await telegram.states(connected=False)
        await telegram.say("7", "hi")
        async with at.operator() as owner:
            await owner.link.call(BlockSender(channel="telegram", sender="7"), Acknowledged)
        await telegram.states(connected=True)
        await at.rest(ANNA)
        [failed] = said(at, DeliveryFailed)
        assert isinstance(failed, DeliveryFailed) and failed.reason == NOT_ADMITTED and telegram.asked == []


async def test_nothing_is_sent_before_its_row_is_on_disk(tmp_path: Path) -> None:
    gate = asyncio.Event()
    answer = says("one", gate=gate)
    async with bench(tmp_path, answer) as at, adapter(at) as telegram:
        await allow(at, "7")
        telegram.put(telegram.message("7", "hi"))
        await answer.asked.wait()
        with at.disk_stands_still():
            gate.set()
            await asyncio.sleep(0.2)
            assert telegram.asked == []
        await telegram.until_asked(1)


async def test_the_next_message_needs_not_wait_for_a_slow_platform(tmp_path: Path) -> None:
    async with bench(tmp_path) as at, adapter(at) as telegram:
        telegram.deliver = Held("d7")
        await allow(at, "7")
        for _ in range(3):
            assert isinstance(await telegram.say("7", "hi"), Over)
        assert len(said(at, UserMessageFact)) == 3 and len(telegram.asked) == 1


async def test_rows_of_deliveries_are_attested_though_the_vault_was_away(tmp_path: Path) -> None:
    held = Held("d7")
    async with bench(tmp_path) as at, adapter(at) as telegram:
        telegram.deliver = held
        await allow(at, "7")
        await telegram.say("7", "hi")
        await telegram.until_asked(1)
        at.lose_vault()
        held.gate.set()
        while not said(at, DeliveryConfirmed):
            await asyncio.sleep(0.01)
        at.new_vault()
        assert (await at.verify(ANNA)).status is Status.VERIFIED
        assert len(said(at, Attestation)) == 2


# --- what is known of a channel ---------------------------------------------------------------------


async def channels(at: Bench) -> tuple[ChannelRow, ...]:
    async with at.operator() as owner:
        asked = (await owner.link.call(ShowChannels(), ChannelRows)).channels
        assert (await owner.link.call(GatewayStatus(), GatewayReport)).channels == asked
        return asked


async def test_what_an_adapter_says_of_its_platform_is_shown_to_the_owner(tmp_path: Path) -> None:
    clock = Later()
    async with bench(tmp_path, clock=clock) as at:
        assert await channels(at) == ()
        started = clock.now()
        async with adapter(at) as telegram:
            [row] = await channels(at)
            assert (row.channel, row.attached, row.connected, row.last_message) == ("telegram", True, False, 0)
            await telegram.states(connected=True, detail="@bot\u202e\n" + "x" * 1000)
            await allow(at, "7")
            await telegram.say("7", "hi")
            [row] = await channels(at)
            assert row.connected and row.detail.startswith("@bot\\u202e\\x0axxx")
            assert len(row.detail) == channel_limits.CHANNEL_DETAIL
            assert started <= row.since <= row.last_message <= clock.now()
            clock.ahead = 5
            await telegram.states(connected=False, detail="The token was refused.", revoked=True)
            telegram.deliver = Held("d7")
            await telegram.say("7", "hi")
            [gone] = await channels(at)
            assert (gone.connected, gone.revoked, gone.undelivered) == (False, True, 1)
            assert gone.since >= row.since + 5000


async def test_what_an_adapter_said_counts_no_more_once_it_is_gone(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        async with adapter(at) as telegram:
            await telegram.states(connected=True, detail="@bot")
        while (rows := await channels(at))[0].attached:
            await asyncio.sleep(0.01)
        assert (rows[0].connected, rows[0].detail) == (False, "")
