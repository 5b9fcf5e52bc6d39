"""Runners with the same folder: the commands of one wait for those of the other, its own run side by side."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest
from tests.support.runner_client import runner

from wirken.domain.actions import Outside, SandboxKind
from wirken.runner.output import NOTHING
from wirken.runner.sandbox import Command, Finished
from wirken.runner.turns import Busy, Turns


class Held:
    """A sandbox whose commands run until they are let go."""

    kind: SandboxKind = "bubblewrap"

    def __init__(self) -> None:
        self.running: list[str] = []
        self.go = asyncio.Event()

    async def run(self, command: Command) -> Finished:
        self.running.append(command.argv[0])
        await self.go.wait()
        return Finished(0, "", NOTHING, 0.0)

    def stop(self) -> None:
        self.go.set()

    async def close(self) -> None:
        """Nothing is kept."""


def command(name: str, folder: Path, *outside: Path) -> Command:
    return Command((name,), str(folder), outside=tuple(Outside(str(one), writable=True) for one in outside))


async def started(sandbox: Held, count: int) -> None:
    while len(sandbox.running) < count:
        await asyncio.sleep(0.01)


async def test_commands_of_one_runner_run_side_by_side_and_another_runner_waits_for_all_of_them(tmp_path: Path) -> None:
    one, other = Held(), Held()
    ours, theirs = Turns(one), Turns(other)
    running = [asyncio.create_task(ours.run(command(name, tmp_path))) for name in "ab"]
    await started(one, 2)
    waiting = asyncio.create_task(theirs.run(command("c", tmp_path)))
    for _ in range(20):
        await asyncio.sleep(0.01)
    assert other.running == []
    one.go.set()
    await asyncio.gather(*running)
    await started(other, 1)
    other.go.set()
    assert (await waiting).exit_code == 0


async def test_whoever_waits_too_long_is_told_and_nothing_is_run(tmp_path: Path) -> None:
    one, other = Held(), Held()
    running = asyncio.create_task(Turns(one).run(command("a", tmp_path)))
    await started(one, 1)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(Busy, match="another conversation"):
        await Turns(other, patience=0.05).run(command("b", tmp_path))
    assert (other.running, len(os.listdir("/proc/self/fd"))) == ([], before)
    one.go.set()
    await running


async def test_a_folder_outside_that_can_be_written_is_kept_as_well_and_others_are_not(tmp_path: Path) -> None:
    for name in ("w1", "w2", "shared", "read"):
        (tmp_path / name).mkdir()
    one, other = Held(), Held()
    running = asyncio.create_task(Turns(one).run(command("a", tmp_path / "w1", tmp_path / "shared")))
    await started(one, 1)
    with pytest.raises(Busy, match="shared"):
        await Turns(other, patience=0.05).run(command("b", tmp_path / "w2", tmp_path / "shared"))
    reading = Command(("c",), str(tmp_path / "w2"), outside=(Outside(str(tmp_path / "shared")),))
    other.go.set()
    assert (await Turns(other, patience=0.05).run(reading)).exit_code == 0
    one.go.set()
    await running


async def test_a_cancelled_wait_and_a_command_that_fails_let_go(tmp_path: Path) -> None:
    one, other = Held(), Held()
    ours, theirs = Turns(one), Turns(other)
    running = asyncio.create_task(ours.run(command("a", tmp_path)))
    await started(one, 1)
    before = len(os.listdir("/proc/self/fd"))
    waiting = [asyncio.create_task(theirs.run(command(name, tmp_path))) for name in "bc"]
    await asyncio.sleep(0.02)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert len(os.listdir("/proc/self/fd")) == before
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    other.go.set()
    assert (await theirs.run(command("d", tmp_path))).exit_code == 0


async def test_a_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    with pytest.raises(Busy, match="No such file"):
        await Turns(Held()).run(command("a", tmp_path / "none"))


@pytest.mark.slow
def test_two_real_runners_take_turns_in_their_workspace(tmp_path: Path) -> None:
    with runner(tmp_path, "watchdog") as one, runner(tmp_path, "watchdog") as other:
        long = one.start("exec", command="touch began; while [ ! -e go ]; do sleep 0.02; done; echo one >> order")
        while not (one.workspace / "began").exists():
            time.sleep(0.01)
        second = other.start("exec", command="echo two >> order")
        beside = one.sh("echo beside >> order")
        (one.workspace / "go").touch()
        assert [one.answer(long)["outcome"], other.answer(second)["outcome"], beside.outcome] == ["ok"] * 3
        assert (one.workspace / "order").read_text() == "beside\none\ntwo\n"
