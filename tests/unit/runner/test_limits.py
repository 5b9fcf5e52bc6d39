"""Limits that a command, a workspace or a session can push against, each at its edge."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import inspect
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

import pytest
from tests.support.frozen import FrozenLoop

from wirken.domain import limits
from wirken.runner import beneath, files, steering
from wirken.runner.docker import Docker
from wirken.runner.steering import Unguarded
from wirken.runner.warm import Kept, Key, Warm


def test_as_many_entries_as_allowed_are_looked_at_for_what_steers_and_one_more_is_refused(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "plain").touch()
    assert steering.found(str(tmp_path), 6) == {}
    with pytest.raises(Unguarded, match="more than 5 files"):
        steering.found(str(tmp_path), 5)


@pytest.mark.parametrize(
    ("looks", "most"), [(steering.found, limits.STEERING_SCAN), (files.list_files, limits.LISTING_SCAN)]
)
def test_nobody_has_to_say_how_much_is_looked_at(looks: Callable[..., object], most: int) -> None:
    assert inspect.signature(looks).parameters["most"].default == most


class Racing:
    """The kernel, on a machine where somebody renames folders all the time: the first `times` walks come to nothing."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.libc = ctypes.CDLL(None, use_errno=True)

    def syscall(self, *given: object) -> int:
        if self.times:
            self.times -= 1
            ctypes.set_errno(errno.EAGAIN)
            return -1
        return int(self.libc.syscall(*given))


def test_a_path_is_resolved_again_so_often_and_then_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").touch()
    root = os.open(tmp_path, os.O_RDONLY)
    try:
        monkeypatch.setattr(beneath, "_libc", Racing(limits.RESOLVE_RETRIES - 1))
        os.close(beneath.open_beneath(root, b"a", os.O_RDONLY))
        monkeypatch.setattr(beneath, "_libc", Racing(limits.RESOLVE_RETRIES))
        with pytest.raises(OSError, match="temporarily unavailable") as caught:
            beneath.open_beneath(root, b"a", os.O_RDONLY)
        assert caught.value.errno == errno.EAGAIN
    finally:
        os.close(root)


# --- containers that wait -------------------------------------------------------------------------------


class Engine:
    """Removes containers, and does nothing else."""

    def __init__(self) -> None:
        self.gone: list[str] = []

    async def removed(self, name: str) -> None:
        self.gone.append(name)


def frozen(run: Callable[[FrozenLoop], Awaitable[None]]) -> None:
    loop = FrozenLoop()
    try:
        loop.run_until_complete(run(loop))
    finally:
        loop.close()


def key(session: str) -> Key:
    return session, "/w", (), ()


def test_a_container_waits_for_its_session_so_long_and_no_longer() -> None:
    async def run(loop: FrozenLoop) -> None:
        engine = Engine()
        warm = Warm(cast(Docker, engine), lambda: "x")
        await warm._keep(key("a"), Kept("first", contextlib.AsyncExitStack()))
        await loop.skip(limits.WARM_IDLE - 0.001)
        assert engine.gone == []
        await warm._keep(key("a"), warm._kept[key("a")]._replace(name="second"))
        engine.gone.clear()
        await loop.skip(limits.WARM_IDLE - 0.001)
        assert engine.gone == []
        await loop.skip(0.001)
        assert engine.gone == ["second"] and not warm._kept
        await warm.close()

    frozen(run)


def test_one_container_more_than_may_wait_sends_the_oldest_away() -> None:
    async def run(loop: FrozenLoop) -> None:
        engine = Engine()
        warm = Warm(cast(Docker, engine), lambda: "x")
        for number in range(limits.WARM_KEPT):
            await warm._keep(key(str(number)), Kept(f"c{number}", contextlib.AsyncExitStack()))
        assert engine.gone == [] and len(warm._kept) == limits.WARM_KEPT
        await warm._keep(key("more"), Kept("more", contextlib.AsyncExitStack()))
        assert engine.gone == ["c0"] and len(warm._kept) == limits.WARM_KEPT
        await warm.close()
        assert len(engine.gone) == limits.WARM_KEPT + 1
        await asyncio.sleep(0)

    frozen(run)
