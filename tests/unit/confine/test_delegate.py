from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from wirken.confine import delegate
from wirken.confine.delegate import NOTHING, Delegation, hierarchies, scope_prefix, sweep

OURS = (os.getuid(), os.getgid())


def machine(root: Path, *, cgroup: str, mounts: dict[str, tuple[str, str, str]]) -> Path:
    """Record a machine: /proc/self/cgroup, and mount point -> (its root, file system, its options)."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(cgroup)
    lines = [
        f"3{number} 31 0:3{number} {inner} {point} rw,relatime - {kind} {kind} {options}\n"
        for number, (point, (inner, kind, options)) in enumerate(mounts.items())
    ]
    (root / "proc/self/mountinfo").write_text("22 27 0:21 / /proc rw - proc proc rw\n" + "".join(lines))
    return root


def unified(root: Path, group: str, *, controllers: str = "cpu memory pids", members: str = "") -> Path:
    """Record a machine with cgroup v2 whose own group is `group`; returns the group's directory."""
    machine(root, cgroup=f"0::{group}\n", mounts={"/sys/fs/cgroup": ("/", "cgroup2", "rw,nsdelegate")})
    own = root / "sys/fs/cgroup" / group.lstrip("/")
    own.mkdir(parents=True)
    (own / "cgroup.controllers").write_text(controllers + "\n")
    (own / "cgroup.procs").write_text(members)
    return own


def two_hierarchies(root: Path) -> Path:
    mounts = {f"/sys/fs/cgroup/{name}": ("/", "cgroup", f"rw,{name}") for name in ("memory", "pids", "cpu")}
    machine(root, cgroup="8:pids:/\n4:memory:/box/1\n1:cpu:/\n0::/\n", mounts=mounts)
    for place in ("memory/box/1", "pids", "cpu"):
        (root / "sys/fs/cgroup" / place).mkdir(parents=True)
    return root / "sys/fs/cgroup"


def test_our_own_group_is_found_below_each_mount(tmp_path: Path) -> None:
    base = two_hierarchies(tmp_path)
    assert set(hierarchies(tmp_path)) == {("memory", base / "memory/box/1"), ("pids", base / "pids")}


def test_a_container_that_sees_only_its_part_uses_the_mount_itself(tmp_path: Path) -> None:
    mounts = {"/sys/fs/cgroup/memory": ("/docker/abc", "cgroup", "rw,memory")}
    machine(tmp_path, cgroup="4:memory:/docker/abc\n", mounts=mounts)
    (tmp_path / "sys/fs/cgroup/memory").mkdir(parents=True)
    assert hierarchies(tmp_path) == [("memory", tmp_path / "sys/fs/cgroup/memory")]


def test_v1_gives_one_directory_per_controller(tmp_path: Path) -> None:
    base = two_hierarchies(tmp_path)
    given = delegate.delegate(17, *OURS, tmp_path)
    memory, pids = base / "memory/box/1/wirken-17", base / "pids/wirken-17"
    assert given == Delegation("cgroup-v1", (("v1:memory", str(memory)), ("v1:pids", str(pids))))
    assert given.options == (("--cgroup", f"v1:memory={memory}"), ("--cgroup", f"v1:pids={pids}"))
    assert memory.is_dir() and pids.is_dir()
    delegate.remove(given, 17)
    assert not memory.exists() and not pids.exists()


def test_a_hierarchy_that_is_mounted_once_more_elsewhere_is_used_where_the_machine_has_it(tmp_path: Path) -> None:
    """A chroot with a /sys of its own, say: it is unmounted some day, and no command could run any more."""
    base = two_hierarchies(tmp_path)
    listing = tmp_path / "proc/self/mountinfo"
    listing.write_text(listing.read_text() + listing.read_text().replace("/sys/fs/cgroup", "/srv/chroot/sys/fs/cgroup"))
    for place in ("memory/box/1", "pids", "cpu"):
        (tmp_path / "srv/chroot/sys/fs/cgroup" / place).mkdir(parents=True)
    given = delegate.delegate(17, *OURS, tmp_path)
    assert [place for _, place in given.directories] == [
        str(base / "memory/box/1/wirken-17"),
        str(base / "pids/wirken-17"),
    ]


def test_v1_with_one_controller_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    base = two_hierarchies(tmp_path)
    (base / "pids/wirken-17").write_text("in the way")
    assert delegate.delegate(17, *OURS, tmp_path) == NOTHING
    assert not (base / "memory/box/1/wirken-17").exists()


def test_v2_moves_the_supervisor_and_hands_the_controllers_down(tmp_path: Path) -> None:
    own = unified(tmp_path, "/user.slice/app.scope", members="17\n")
    given = delegate.delegate(17, *OURS, tmp_path)
    assert given == Delegation("cgroup-v2", (("v2", str(own / "wirken-17")),))
    assert (own / "wirken-17/members/cgroup.procs").read_text() == "17"
    assert (own / "cgroup.subtree_control").read_text() == "+memory +pids"
    assert (own / "wirken-17/cgroup.subtree_control").read_text() == "+memory +pids"


def test_v2_is_left_alone_where_others_live_in_our_group(tmp_path: Path) -> None:
    own = unified(tmp_path, "/user.slice/session.scope", members="17\n4000\n")
    assert delegate.delegate(17, *OURS, tmp_path) == NOTHING
    assert not (own / "wirken-17").exists()


def test_v2_without_the_controllers_is_of_no_use(tmp_path: Path) -> None:
    unified(tmp_path, "/x", controllers="hugetlb", members="17\n")
    assert delegate.delegate(17, *OURS, tmp_path) == NOTHING


def test_a_machine_without_cgroups_gives_nothing(tmp_path: Path) -> None:
    assert delegate.delegate(17, *OURS, machine(tmp_path, cgroup="", mounts={})) == NOTHING
    assert (NOTHING.options, NOTHING.binds) == ((), ())


def test_what_dead_supervisors_left_is_swept_and_their_processes_killed(tmp_path: Path) -> None:
    base = two_hierarchies(tmp_path)
    (tmp_path / "proc/21").mkdir()
    with subprocess.Popen(["sleep", "60"]) as child:
        for owner in ("20", "21", "not-a-pid"):
            (base / f"pids/wirken-{owner}/command-1").mkdir(parents=True)
        (base / "pids/wirken-20/command-1/cgroup.procs").write_text(f"{child.pid}\n")
        sweep(tmp_path)
        assert child.wait(timeout=5) == -9
    # The imitation keeps the file that the kernel's directory would lose with it.
    (base / "pids/wirken-20/command-1/cgroup.procs").unlink()
    assert sweep(tmp_path) == 1
    assert sorted(path.name for path in (base / "pids").iterdir()) == ["wirken-21", "wirken-not-a-pid"]


@pytest.mark.parametrize(
    ("uid", "runtime", "files", "expected"),
    [
        (1000, "/run/user/1000", ("usr/bin/systemd-run", "run/user/1000/systemd/private"), "--user"),
        (0, "", ("usr/bin/systemd-run", "run/systemd/private"), "--scope"),
        (1000, "", ("usr/bin/systemd-run", "run/systemd/private"), None),
        (1000, "/run/user/1000", ("usr/bin/systemd-run",), None),
        (1000, "/run/user/1000", ("run/user/1000/systemd/private",), None),
    ],
)
def test_a_scope_is_asked_for_where_a_manager_listens(
    tmp_path: Path, uid: int, runtime: str, files: tuple[str, ...], expected: str | None
) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    prefix = scope_prefix(17, uid, runtime, tmp_path)
    assert (prefix[1] if prefix else None) == expected
    assert not prefix or prefix[-1] == "--"
