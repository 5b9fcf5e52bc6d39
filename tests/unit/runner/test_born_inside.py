"""A command is inside its own groups before its first instruction, seen from outside; real groups of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.support.runner_client import Client

from wirken.confine import delegate
from wirken.confine.bpf import machine_named
from wirken.confine.seccomp import command_filter
from wirken.domain import limits
from wirken.domain.errors import SandboxUnavailable
from wirken.runner import bubblewrap, cgroups
from wirken.runner.cgroups import GroupV1
from wirken.runner.commands import Commands
from wirken.runner.drain import Drain
from wirken.runner.egress import Egress
from wirken.runner.fences import Fence, Fences
from wirken.runner.sandbox import Bounds, Command
from wirken.runner.tree import Tree

pytestmark = pytest.mark.slow

PROGRAM = command_filter(machine_named(os.uname().machine))
_BEFORE_START = 0.05  # seconds a held command is left to show that it does not start


@pytest.fixture
def given() -> Iterator[delegate.Delegation]:
    """Directories for groups of this process."""
    delegation = delegate.delegate(os.getpid(), os.getuid(), os.getgid())
    if delegation.kind == "watchdog":
        pytest.skip("no cgroup can be written here")
    yield delegation
    for place in delegation.binds:
        leave(Path(place))
    delegate.remove(delegation, os.getpid())


def leave(place: Path) -> None:
    """Take threads of this process out, which outlives the directory; a runner does not."""
    with contextlib.suppress(FileNotFoundError):
        for thread in (place / "tasks").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                (place.parent / "tasks").write_text(thread)


@pytest.fixture
def fences(given: delegate.Delegation) -> Fences:
    found = cgroups.delegated(tuple(value for _, value in given.options), "test", Bounds())
    assert found is not None
    return found


def groups(process: str, kind: str) -> set[str]:
    """Return the groups of a process or thread, as /proc/<process>/cgroup says, in what holds the limits."""
    wanted = {""} if kind == "cgroup-v2" else {"memory", "pids"}
    lines = (line.split(":", 2) for line in Path("/proc", process, "cgroup").read_text().splitlines())
    return {group.rpartition("/")[2] for _, controllers, group in lines if controllers in wanted}


def running(word: str) -> list[str]:
    """Return the pids of all processes whose arguments end in `word`."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and (entry / "cmdline").read_bytes().split(b"\0")[-2:-1] == [word.encode()]:
                found.append(entry.name)
    return found


def threads(pid: int) -> list[str]:
    return [f"{pid}/task/{thread}" for thread in os.listdir(f"/proc/{pid}/task")]


async def test_the_held_sandbox_is_inside_and_no_thread_of_ours_is(
    given: delegate.Delegation, fences: Fences, tmp_path: Path
) -> None:
    root = bubblewrap.prepare(tmp_path, Path("/"))
    options = functools.partial(bubblewrap.options, root, Bounds(), Command(("touch", "/tmp/x"), ""))
    fence = fences.fence()
    with Drain() as drain, ThreadPoolExecutor(1) as starter:
        tree = Tree(options, ("true",), drain.write_end, drain.write_end, PROGRAM)

        def start() -> int:
            with fence.around():
                tree.start()
            return threading.get_native_id()

        thread = await asyncio.get_running_loop().run_in_executor(starter, start)
        first = await tree.held()
        fence.admit(first)
        assert groups(str(first), given.kind) == {"command-test-1"}
        assert (f"{os.getpid()}/task/{thread}") in threads(os.getpid())
        assert all(groups(each, given.kind).isdisjoint({"command-test-1"}) for each in threads(os.getpid()))
        await tree.clear()
        tree.close()
    fence.remove()
    assert not [inner for place in given.binds for inner in Path(place).iterdir() if inner.is_dir()]


def test_a_process_that_is_elsewhere_is_not_admitted(given: delegate.Delegation, fences: Fences) -> None:
    if given.kind == "cgroup-v2":
        pytest.skip("there it is moved")
    fence = fences.fence()
    with pytest.raises(ProcessLookupError):
        fence.admit(os.getpid())
    fence.remove()


class Elsewhere(GroupV1):
    """A group that nothing is born into, as if the kernel had done otherwise than it said."""

    @contextlib.contextmanager
    def around(self) -> Iterator[None]:
        yield


class Apart:
    """One such group."""

    kind = "cgroup-v1"

    def __init__(self, memory: str, pids: str) -> None:
        self._group = Elsewhere(Path(memory, "elsewhere"), Path(pids, "elsewhere"), Bounds())

    def fence(self) -> Fence:
        self._group.make()
        self._group.limit()
        return self._group


async def test_a_command_whose_limits_do_not_stand_never_starts(given: delegate.Delegation, tmp_path: Path) -> None:
    if given.kind == "cgroup-v2":
        pytest.skip("there it is moved")
    (tmp_path / "root").mkdir()
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    root = bubblewrap.prepare(tmp_path / "root", Path("/"))
    commands = Commands(root, Apart(*given.binds), PROGRAM, Egress("", Path("/proc")), Bounds())
    with pytest.raises(SandboxUnavailable, match="limits could not be set"):
        await commands.run(Command(("touch", "ran"), str(workspace)))
    await asyncio.sleep(_BEFORE_START)
    assert not (workspace / "ran").exists()


def test_what_a_command_forks_at_once_is_inside_too(sandbox: Client) -> None:
    if sandbox.held_by == "watchdog":
        pytest.skip("there are no groups")
    number = sandbox.start("exec", command="setsid -f sleep 98781; sleep 98781 & (sleep 98781 &) ; sleep 98781; true")
    while len(found := running("98781")) < 4:
        time.sleep(0.01)
    inside = [groups(pid, sandbox.held_by) for pid in found]
    assert all(len(each) == 1 and each == inside[0] for each in inside)
    assert inside[0].pop().startswith("command-")
    sandbox.control(do="cancel", id=number)
    sandbox.answer(number)


def test_commands_in_a_burst_have_a_group_each_and_leave_none(sandbox: Client) -> None:
    if sandbox.held_by == "watchdog":
        pytest.skip("there are no groups")
    numbers = [sandbox.start("exec", command="sleep 98782; true") for _ in range(limits.EXEC_PARALLEL + 2)]
    while len(found := running("98782")) < limits.EXEC_PARALLEL:
        time.sleep(0.01)
    names = [groups(pid, sandbox.held_by) for pid in found]
    assert all(len(each) == 1 for each in names)
    assert len(set.union(*names)) == limits.EXEC_PARALLEL
    for number in numbers:
        sandbox.control(do="cancel", id=number)
    for number in numbers:
        sandbox.answer(number)
    assert sandbox.sh("true").outcome == "ok"
    left = [mounted.own.rglob("command-*") for mounted in delegate.hierarchies()]
    assert not set.union(*names) & {place.name for each in left for place in each}
