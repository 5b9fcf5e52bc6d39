from __future__ import annotations

import asyncio

import pytest

from wirken.channels.matrix_progress import Progress


async def nothing() -> None: ...


async def test_a_token_is_kept_when_everything_before_it_is_done() -> None:
    kept: list[str] = []
    progress, gate = Progress(kept.append), asyncio.Event()

    async def waits() -> None:
        await gate.wait()

    progress.add("one", [])
    assert kept == ["one"]
    progress.add("two", [waits(), nothing()])
    progress.add("three", [nothing()])
    await progress.settle(1, None)
    assert kept == ["one"] and len(progress) == 1
    gate.set()
    await progress.settle(0, None)
    assert kept == ["one", "three"]


async def test_what_is_slow_is_waited_for_so_long_and_no_longer() -> None:
    kept: list[str] = []
    progress = Progress(kept.append)
    progress.add("one", [asyncio.sleep(3600)])
    await progress.settle(0, 0.01)
    assert await progress.meanwhile(asyncio.sleep(0.01, "came")) == "came" and kept == []
    await progress.stop()
    assert len(progress) == 0 and kept == []


async def test_what_goes_wrong_under_way_is_raised_and_nothing_is_kept() -> None:
    kept: list[str] = []
    progress = Progress(kept.append)

    async def fails() -> None:
        await asyncio.sleep(0)
        raise ValueError("not foreseen")

    progress.add("one", [fails()])
    with pytest.raises(ValueError, match="not foreseen"):
        await progress.meanwhile(asyncio.sleep(3600))
    assert kept == []
    await progress.stop()
