"""Both interfaces' files, imitated; the kernel's own v1 interface stands behind test_sandbox.py."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from wirken.domain import limits
from wirken.runner import cgroups
from wirken.runner.cgroups import BadDelegation, CgroupsV1, CgroupsV2, GroupV1, GroupV2
from wirken.runner.sandbox import Bounds


def directory(path: Path, **files: str) -> Path:
    """Imitate a group's directory; `__` stands for a dot."""
    path.mkdir()
    for name, content in files.items():
        (path / name.replace("__", ".")).write_text(content)
    return path


def v2(path: Path, **more: str) -> Path:
    common = {"memory__max": "", "pids__max": "", "cgroup__procs": "", "memory__events": "low 0\noom 3\noom_kill 0\n"}
    return directory(path, **{**common, "pids__events": "max 0\n", **more})


def test_v2_sets_memory_swap_and_processes(tmp_path: Path) -> None:
    place = v2(tmp_path / "c", memory__swap__max="", memory__oom__group="", cgroup__kill="")
    group = GroupV2(place, Bounds())
    group.limit()
    group.admit(4711)
    assert {name: (place / name).read_text() for name in os.listdir(place) if "events" not in name} == {
        "memory.max": str(limits.EXEC_MEMORY),
        "memory.swap.max": "0",
        "memory.oom.group": "1",
        "pids.max": str(limits.EXEC_PROCESSES),
        "cgroup.procs": "4711",
        "cgroup.kill": "",
    }


def test_v2_works_without_swap_accounting(tmp_path: Path) -> None:
    GroupV2(v2(tmp_path / "c"), Bounds()).limit()
    assert not (tmp_path / "c/memory.swap.max").exists()


def test_a_missing_controller_is_an_error_and_not_a_missing_limit(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        GroupV2(directory(tmp_path / "c", memory__max=""), Bounds()).limit()


def test_v2_reads_what_the_kernel_did(tmp_path: Path) -> None:
    group = GroupV2(v2(tmp_path / "c"), Bounds())
    assert (group.broken(), group.starved()) == ("", False)
    (tmp_path / "c/memory.events").write_text("oom 1\noom_kill 1\noom_group_kill 1\n")
    (tmp_path / "c/pids.events").write_text("max 12\n")
    assert (group.broken(), group.starved()) == ("memory", True)


def test_v2_kills_with_one_write(tmp_path: Path) -> None:
    GroupV2(v2(tmp_path / "c", cgroup__kill=""), Bounds()).kill()
    assert (tmp_path / "c/cgroup.kill").read_text() == "1"


def test_v1_limits_memory_together_with_swap(tmp_path: Path) -> None:
    memory = directory(tmp_path / "m", memory__limit_in_bytes="", memory__memsw__limit_in_bytes="", cgroup__procs="")
    pids = directory(tmp_path / "p", pids__max="", cgroup__procs="")
    group = GroupV1(memory, pids, Bounds())
    group.limit()
    both = str(limits.EXEC_MEMORY)
    assert [(memory / f"memory.{name}limit_in_bytes").read_text() for name in ("", "memsw.")] == [both, both]
    assert (pids / "pids.max").read_text() == str(limits.EXEC_PROCESSES)


def test_v1_puts_the_thread_itself_in_and_takes_it_out_whatever_happens(tmp_path: Path) -> None:
    base = [directory(tmp_path / name, tasks="") for name in ("m", "p")]
    inner = [directory(place / "c", tasks="") for place in base]
    with pytest.raises(InterruptedError), GroupV1(inner[0], inner[1], Bounds()).around():
        assert [(place / "tasks").read_text() for place in (*base, *inner)] == ["", "", "0", "0"]
        raise InterruptedError
    assert [(place / "tasks").read_text() for place in base] == ["0", "0"]


def test_v1_takes_the_thread_out_where_only_one_group_could_be_entered(tmp_path: Path) -> None:
    base = [directory(tmp_path / name, tasks="") for name in ("m", "p")]
    inner = [directory(base[0] / "c", tasks=""), directory(base[1] / "c")]
    with pytest.raises(FileNotFoundError), GroupV1(inner[0], inner[1], Bounds()).around():
        pytest.fail("nothing may be started here")
    assert [(place / "tasks").read_text() for place in base] == ["0", "0"]


@pytest.mark.parametrize(("memory", "pids"), [("12\n13\n", "13\n"), ("13\n", "12\n"), ("", ""), ("120\n", "12\n")])
def test_v1_admits_only_what_both_groups_hold(tmp_path: Path, memory: str, pids: str) -> None:
    places = [directory(tmp_path / "m", cgroup__procs=memory), directory(tmp_path / "p", cgroup__procs=pids)]
    with pytest.raises(ProcessLookupError):
        GroupV1(places[0], places[1], Bounds()).admit(12)
    for place in places:
        (place / "cgroup.procs").write_text("11\n12\n")
    GroupV1(places[0], places[1], Bounds()).admit(12)


def test_the_runner_never_kills_itself(tmp_path: Path) -> None:
    GroupV1(tmp_path / "none", directory(tmp_path / "p", cgroup__procs=f"{os.getpid()}\n"), Bounds()).kill()


def test_v1_reads_what_the_kernel_did(tmp_path: Path) -> None:
    memory = directory(tmp_path / "m", memory__oom_control="oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")
    pids = directory(tmp_path / "p", pids__events="max 1\n")
    group = GroupV1(memory, pids, Bounds())
    assert (group.broken(), group.starved()) == ("memory", True)


def test_without_a_kill_file_the_members_are_killed_one_by_one(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        GroupV1(tmp_path / "none", directory(tmp_path / "p", cgroup__procs=f"{child.pid}\n"), Bounds()).kill()
        assert child.wait(timeout=5) == -signal.SIGKILL


@pytest.mark.parametrize(
    ("described", "kind"),
    [
        (("v2=/sys/fs/cgroup/wirken-1",), CgroupsV2),
        (("v1:memory=/m", "v1:pids=/p"), CgroupsV1),
        (("v1:pids=/p", "v1:memory=/m=odd"), CgroupsV1),
    ],
)
def test_the_supervisors_words_are_understood(described: tuple[str, ...], kind: type) -> None:
    assert isinstance(cgroups.delegated(described, "token", Bounds()), kind)


def test_no_words_mean_no_cgroups() -> None:
    assert cgroups.delegated((), "token", Bounds()) is None


@pytest.mark.parametrize("described", [("v1:memory=/m",), ("v3=/x",), ("v2",), ("v2=/a", "v1:pids=/p")])
def test_half_a_delegation_is_refused(described: tuple[str, ...]) -> None:
    with pytest.raises(BadDelegation):
        cgroups.delegated(described, "token", Bounds())


@pytest.mark.parametrize(("token", "error"), [("one", FileExistsError), ("two", FileNotFoundError)])
def test_a_group_of_another_runner_is_neither_used_nor_removed(
    tmp_path: Path, token: str, error: type[OSError]
) -> None:
    """A plain directory has no kernel files, so setting limits fails where making the group did not."""
    (tmp_path / "command-one-1").mkdir()
    fences = cgroups.delegated((f"v2={tmp_path}",), token, Bounds())
    assert fences is not None
    with pytest.raises(error):
        fences.fence()
    assert [path.name for path in tmp_path.iterdir()] == ["command-one-1"]
