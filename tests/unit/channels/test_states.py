from __future__ import annotations

import asyncio

import pytest
from tests.support.scripted_gateway import joined
from tests.support.virtual_time import VirtualTime, settled

from wirken.channels.contract import GatewayAway, PlatformAway, Revoked, SlowDown, Undeliverable
from wirken.channels.timing import Pauses, Rests
from wirken.domain import adapter_limits as limits
from wirken.domain.errors import Refused, WirkenError
from wirken.ipc.calls.channels import ChannelState

HERE = ChannelState(connected=True, detail="@pigeon")
GONE = PlatformAway("The platform is gone.")


async def test_the_gateway_hears_that_the_platform_is_there() -> None:
    async with joined() as at:
        assert at.gateway.states == [HERE]


async def test_it_hears_of_each_change_once_and_of_the_latest_alone() -> None:
    async with joined() as at:
        assert at.platform.house is not None
        for _ in range(5):
            at.platform.house.connected("@pigeon")
        await at.time.passes(10)
        assert at.gateway.states == [HERE]
        for number in range(50):
            at.platform.house.away(f"Trouble {number}.")
        await at.time.passes(limits.STATE_PAUSE * 3)
        assert at.gateway.states == [HERE, ChannelState(connected=False, detail="Trouble 49.")]


async def test_what_flaps_is_told_once_a_second() -> None:
    async with joined() as at:
        assert at.platform.house is not None
        for number in range(100):
            at.platform.house.away(f"Trouble {number}.")
            await at.time.passes(limits.STATE_PAUSE / 10)
        assert len(at.gateway.states) <= 12


async def test_a_new_link_hears_it_anew() -> None:
    async with joined() as at:
        await at.time.passes(10)
        await at.loses_the_gateway()
        await at.dials()
        await at.time.passes(10)
        assert at.gateway.states == [HERE, HERE]


async def test_a_gateway_that_does_not_take_it_ends_nothing() -> None:
    async with joined() as at:
        at.gateway.refuses = Refused("No.")
        assert at.platform.house is not None
        at.platform.house.away("Trouble.")
        await at.time.passes(10)
        at.gateway.refuses = None
        at.platform.house.connected("@pigeon")
        await at.time.passes(10)
        assert at.gateway.states[-1] == HERE


async def test_what_a_library_says_is_one_harmless_line() -> None:
    async with joined() as at:
        assert at.platform.house is not None
        at.platform.house.away("a\nb\x1b[2J\udc80" + "x" * 10_000)
        await at.time.passes(10)
        detail = at.gateway.states[-1].detail
        assert "\n" not in detail and "\x1b" not in detail and len(detail) < 2200


async def test_a_lost_platform_is_connected_again_after_pauses_that_grow() -> None:
    async with joined() as at:
        for pause in (1, 2, 4, 8, 16, 32, 60, 60):
            runs = at.platform.runs
            at.platform.ends(GONE)
            await at.time.passes(pause - 0.1)
            assert at.platform.runs == runs
            await at.time.passes(0.1)
            assert at.platform.runs == runs + 1
        assert ChannelState(connected=False, detail="The platform is gone.") in at.gateway.states


async def test_after_some_time_connected_earlier_losses_do_not_count() -> None:
    async with joined() as at:
        for _ in range(4):
            at.platform.ends(GONE)
            await at.time.passes(60)
        await at.time.passes(limits.RECONNECT_FORGET)
        runs = at.platform.runs
        at.platform.ends(GONE)
        await at.time.passes(limits.RECONNECT_FIRST)
        assert at.platform.runs == runs + 1


@pytest.mark.parametrize("error", [None, GatewayAway("The gateway is away."), Undeliverable("It is forbidden.")])
async def test_a_library_that_returns_or_lets_another_of_our_errors_through_is_run_again(
    error: WirkenError | None,
) -> None:
    async with joined() as at:
        at.platform.ends(error)
        await at.time.passes(limits.RECONNECT_FIRST)
        assert at.platform.runs == 2


async def test_a_pause_that_the_platform_asks_for_before_the_next_try_is_obeyed() -> None:
    async with joined() as at:
        at.platform.ends(SlowDown("Too many sessions.", 500.0))
        await at.time.passes(499)
        assert at.platform.runs == 1
        await at.time.passes(1)
        assert at.platform.runs == 2


async def test_a_revoked_token_is_said_and_never_tried_again() -> None:
    async with joined() as at:
        assert at.platform.house is not None
        at.platform.ends(Revoked("The token was refused."))
        await at.time.passes(10 * 3600)
        assert at.platform.runs == 1
        assert at.gateway.states == [HERE, ChannelState(connected=False, detail="The token was refused.", revoked=True)]
        at.platform.house.connected("@pigeon")
        await at.time.passes(10)
        assert at.gateway.states[-1].revoked


async def test_a_machine_that_slept_connects_again_at_once() -> None:
    async with joined() as at:
        at.time.machine_sleeps(limits.SUSPENDED - 0.1)
        await at.time.passes(limits.WATCH)
        assert at.platform.runs == 1
        at.time.machine_sleeps(limits.SUSPENDED)
        await at.time.passes(limits.WATCH)
        assert at.platform.runs == 2
        await at.time.passes(10)
        assert [state.connected for state in at.gateway.states][-1]


async def test_a_machine_that_slept_does_not_wait_for_the_end_of_a_pause() -> None:
    async with joined() as at:
        for _ in range(8):
            at.platform.ends(GONE)
            await at.time.passes(60)
        runs = at.platform.runs
        at.platform.ends(GONE)
        await at.time.passes()
        at.time.machine_sleeps(3600)
        await at.time.passes(limits.WATCH)
        assert at.platform.runs == runs + 1


async def test_a_clock_that_is_set_back_is_no_sleep() -> None:
    async with joined() as at:
        at.time.machine_sleeps(-7200)
        await at.time.passes(limits.WATCH * 3)
        assert at.platform.runs == 1


async def test_what_nobody_foresaw_ends_the_adapter() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        async with joined() as at:
            at.platform.ends(ZeroDivisionError("a library's bug"))  # type: ignore[arg-type]  # no error of ours
            await at.time.passes(10)
    assert caught.group_contains(ZeroDivisionError)


# --- timing -------------------------------------------------------------------------------------------


def test_pauses_are_shortened_by_up_to_a_half() -> None:
    assert [Pauses(lambda: 0.0, 2.0, 8.0).next(), Pauses(lambda: 1.0, 2.0, 8.0).next()] == [1.0, 2.0]


async def test_rests_end_when_they_are_over_or_woken_and_leave_nothing() -> None:
    time = VirtualTime()
    rests = Rests(time.timing())
    tasks = [asyncio.ensure_future(rests.rest(10.0)) for _ in range(3)]
    await time.passes(9.9)
    assert not any(task.done() for task in tasks)
    rests.wake()
    await settled()
    assert all(task.done() for task in tasks) and not rests._resting


async def test_within_cancels_what_takes_too_long_and_passes_on_what_is_raised() -> None:
    time = VirtualTime()
    timing = time.timing()
    ended = []

    async def never() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    task = asyncio.ensure_future(timing.within(5.0, never()))
    await time.passes(5.0)
    with pytest.raises(TimeoutError):
        await task
    assert ended == [True]

    async def raises() -> None:
        raise GONE

    with pytest.raises(PlatformAway):
        await timing.within(5.0, raises())
