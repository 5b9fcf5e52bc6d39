from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from wirken.domain import limits
from wirken.runner.sandbox import Bounds
from wirken.runner.watchdog import Process, Watchdog, descendants, lower, processes

MEBIBYTE = 2**20


def recorded(proc: Path, *table: tuple[int, int, int, int, int]) -> Path:
    """Record a process table: pid, parent, threads, resident MiB, proportional MiB."""
    page = resource.getpagesize()
    for pid, parent, threads, resident, proportional in table:
        (proc / str(pid)).mkdir(parents=True)
        fields = ["S", str(parent), *["0"] * 15, str(threads), *["0"] * 3, str(resident * MEBIBYTE // page)]
        (proc / str(pid) / "stat").write_text(f"{pid} (a) b) {' '.join(fields)} 0 0\n")
        (proc / str(pid) / "smaps_rollup").write_text(f"1-2 r 0 0\nRss: 9 kB\nPss: {proportional * 1024} kB\n")
    (proc / "meminfo").write_text("not a process")
    return proc


def fence_around(proc: Path) -> str:
    """Return what the watchdog finds for the tree below process 10 of a recorded table."""
    fence = Watchdog(proc, "5.10.0", Bounds()).fence()
    fence._first = 10  # type: ignore[attr-defined]  # a recorded process cannot be given limits
    return fence.broken()


def test_a_small_tree_breaks_nothing(tmp_path: Path) -> None:
    assert fence_around(recorded(tmp_path, (10, 1, 1, 5, 5), (11, 10, 3, 90, 80))) == ""


def test_the_whole_tree_is_summed_grandchildren_included(tmp_path: Path) -> None:
    table = [(10, 1, 1, 1, 1), (11, 10, 1, 200, 200), (12, 11, 1, 200, 200), (13, 12, 1, 200, 200)]
    assert fence_around(recorded(tmp_path, *table)) == "memory"


def test_pages_that_are_shared_count_once(tmp_path: Path) -> None:
    table = [(10, 1, 1, 1, 1), *((pid, 10, 1, 300, 100) for pid in (11, 12, 13))]
    assert fence_around(recorded(tmp_path, *table)) == ""


def test_other_trees_do_not_count(tmp_path: Path) -> None:
    assert fence_around(recorded(tmp_path, (10, 1, 1, 5, 5), (20, 1, 300, 2000, 2000))) == ""


def test_threads_count_as_processes(tmp_path: Path) -> None:
    assert fence_around(recorded(tmp_path, (10, 1, 1, 1, 1), (11, 10, limits.EXEC_PROCESSES, 1, 1))) == "processes"


@pytest.mark.parametrize(
    ("further", "starved"), [(limits.EXEC_PROCESSES - 2, False), (limits.EXEC_PROCESSES - 1, True)]
)
def test_a_tree_that_was_seen_full_is_one_that_was_refused_a_fork(tmp_path: Path, further: int, starved: bool) -> None:
    proc = recorded(tmp_path, (10, 1, 1, 1, 1), (11, 10, further, 1, 1))
    fence = Watchdog(proc, "5.14.0", Bounds()).fence()
    fence._first = 10  # type: ignore[attr-defined]  # a recorded process cannot be given limits
    assert (fence.broken(), fence.starved()) == ("", starved)
    (proc / "11" / "stat").unlink()
    assert (fence.broken(), fence.starved()) == ("", starved), "what was seen once stays"


def test_the_real_process_table_shows_a_real_child() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        tree = descendants(os.getpid(), processes(Path("/proc")))
        assert tree[0].pid == os.getpid()
        found = next(process for process in tree if process.pid == child.pid)
        assert found.parent == os.getpid() and found.threads == 1
        child.communicate()


def test_a_tree_that_is_gone_is_empty() -> None:
    assert descendants(10, iter([Process(11, 1, 1, 1)])) == []


@pytest.mark.parametrize("value", [512, 100])
def test_limits_only_go_down(value: int) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        lower(child.pid, resource.RLIMIT_NOFILE, 256)
        lower(child.pid, resource.RLIMIT_NOFILE, value)
        assert resource.prlimit(child.pid, resource.RLIMIT_NOFILE) == (min(256, value),) * 2
        child.communicate()
