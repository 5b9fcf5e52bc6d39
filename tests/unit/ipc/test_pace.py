from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.linked import Scripted

from wirken.domain import pace_limits
from wirken.domain.ids import RoleName
from wirken.ipc import codec
from wirken.ipc.frames import Delta
from wirken.ipc.framing import encode_frame
from wirken.ipc.link import Link
from wirken.ipc.pace import Pace
from wirken.ipc.peer import adopt


def test_a_burst_is_taken_at_once_and_then_as_much_as_seeps_away() -> None:
    pace = Pace(per_second=10, burst=5)
    assert [pace.took(1, 100.0) for _ in range(5)] == [0.0] * 5
    assert pace.took(1, 100.0) == pytest.approx(0.1)
    assert pace.took(1, 100.1) == pytest.approx(0.1)
    assert pace.took(0, 100.2) == 0.0
    assert pace.took(5, 200.0) == 0.0


def test_a_clock_that_goes_back_lets_nothing_more_through() -> None:
    pace = Pace(per_second=10, burst=1)
    pace.took(2, 100.0)
    assert pace.took(0, 50.0) == pytest.approx(0.1)


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 10)), min_size=1, max_size=50))
def test_whoever_waits_as_told_is_never_faster_than_the_pace(steps: list[tuple[float, float]]) -> None:
    pace, now, taken = Pace(per_second=7, burst=20), 0.0, 0.0
    largest = max(amount for amount, _ in steps)
    for amount, pause in steps:
        taken += amount
        now += pace.took(amount, now) + pause
        assert taken <= 20 + 7 * now + largest + 1e-6


class Slowly(Scripted):
    """A receiver whose peer is read at a pace."""

    def __init__(self, pace: Pace) -> None:
        super().__init__()
        self.pace = pace


@asynccontextmanager
async def read_at(pace: Pace) -> AsyncIterator[tuple[Slowly, socket.socket, Link]]:
    ours, theirs = socket.socketpair()
    for one in (ours, theirs):
        one.setblocking(False)
    receiver = Slowly(pace)
    link = adopt(ours, RoleName("channel-x"), receiver)
    try:
        yield receiver, theirs, link
    finally:
        link.drop()
        await link.closed.wait()
        theirs.close()


async def test_a_peer_that_hurries_waits_and_everything_comes_in_order() -> None:
    frames = [Delta("s", str(number)) for number in range(40)]
    async with read_at(Pace(per_second=200, burst=1)) as (receiver, peer, _):
        loop = asyncio.get_running_loop()
        started = loop.time()
        for frame in frames:
            await loop.sock_sendall(peer, encode_frame(codec.encode(frame)))
            await asyncio.sleep(0)
        async with asyncio.timeout(10):
            while len(receiver.frames) < len(frames):
                receiver.arrived.clear()
                await receiver.arrived.wait()
        assert receiver.frames == frames
        assert receiver.pace.took(0, loop.time()) > 0 or loop.time() - started >= len(frames) / 200 / 2


async def test_a_pause_that_ends_after_the_link_does_no_harm() -> None:
    async with read_at(Pace(per_second=100, burst=0)) as (receiver, peer, link):
        await asyncio.get_running_loop().sock_sendall(peer, encode_frame(codec.encode(Delta("s", "t"))))
        await receiver.arrived.wait()
        link.drop()
        await link.closed.wait()
        await asyncio.sleep(0.05)
        assert receiver.losses == 1


@pytest.mark.parametrize(("more", "taken"), [(0, True), (1, False)])
async def test_a_paced_peer_sends_no_larger_frames(more: int, taken: bool) -> None:
    async with read_at(Pace(per_second=1e9, burst=1e9)) as (_, peer, link):
        await asyncio.get_running_loop().sock_sendall(peer, (pace_limits.PACED_FRAME + more).to_bytes(4, "big"))
        if taken:
            await asyncio.sleep(0.1)
            assert not link.closed.is_set()
        else:
            async with asyncio.timeout(10):
                await link.closed.wait()
