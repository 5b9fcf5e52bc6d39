from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirken.channels.side_by_side import Lanes
from wirken.channels.telegram_poll import Window


def test_the_offset_never_passes_an_update_that_is_not_done() -> None:
    window = Window()
    assert window.offset == 0
    assert window.new([5, 6, 7]) == {5, 6, 7}
    window.done(6)
    window.done(7)
    assert window.offset == 5 and window.waits
    assert window.new([5, 6, 7, 8]) == {8}, "what is shown again is not new"
    window.done(5)
    assert window.offset == 8
    window.done(8)
    assert window.offset == 9 and not window.waits


def test_numbers_that_begin_anew_lower_down_are_new() -> None:
    window = Window()
    window.new([900])
    window.done(900)
    assert window.offset == 901
    assert window.new([17]) == {17}
    window.done(17)
    assert window.offset == 18


def test_an_answer_without_updates_changes_nothing() -> None:
    window = Window()
    window.new([3])
    window.done(3)
    assert window.new([]) == set() and window.offset == 4


@given(st.lists(st.lists(st.integers(0, 3), max_size=6), max_size=12), st.randoms(use_true_random=False))
def test_whatever_the_order_each_update_is_handled_once_and_confirmed_only_after(
    arrivals: list[list[int]], chance: object
) -> None:
    """A server of its own: it shows everything from the offset on, and forgets what is below it."""
    assert hasattr(chance, "sample")
    window, server, open_now, handled = Window(), set[int](), set[int](), list[int]()
    last = 0
    for gaps in arrivals:
        for gap in gaps:
            last += gap + 1
            server.add(last)
        lost = {number for number in server if number < window.offset} - set(handled)
        assert not lost
        server = {number for number in server if number >= window.offset}
        fresh = window.new(sorted(server))
        assert fresh.isdisjoint(handled)
        open_now |= fresh
        for number in chance.sample(sorted(open_now), len(open_now) // 2):
            window.done(number)
            open_now.discard(number)
            handled.append(number)
    for number in open_now:
        window.done(number)
    assert window.offset == last + 1 if last else window.offset == 0


async def test_a_lane_keeps_its_order_and_stalls_no_other() -> None:
    stuck, seen = asyncio.Event(), list[str]()

    async def handle(item: str) -> None:
        if item == "a1":
            await stuck.wait()
        seen.append(item)

    lanes = Lanes(handle)
    for item in ("a1", "a2", "b1", "b2"):
        lanes.put(item[0], item)
    await lanes.settle(0.01)
    assert seen == ["b1", "b2"]
    stuck.set()
    await lanes.settle(10)
    assert seen == ["b1", "b2", "a1", "a2"]
    lanes.put("a", "a3")
    await lanes.settle(10)
    assert seen[-1] == "a3"


async def test_an_error_that_nobody_foresaw_comes_out() -> None:
    async def handle(item: str) -> None:
        raise LookupError(item)

    lanes = Lanes(handle)
    lanes.put("a", "a1")
    with pytest.raises(LookupError):
        await lanes.settle(10)


async def test_what_runs_is_ended_with_the_lanes() -> None:
    ended = list[str]()

    async def handle(item: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(item)

    lanes = Lanes(handle)
    lanes.put("a", "a1")
    await lanes.settle(0)
    await asyncio.sleep(0)
    await lanes.stop()
    assert ended == ["a1"]
