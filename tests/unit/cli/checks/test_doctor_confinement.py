"""The look at /proc, over recorded trees: what a well-walled process shows, and each wall taken away once."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from wirken.cli.checks import confinement
from wirken.cli.checks.finding import Finding, Severity
from wirken.cli.checks.installation import Installation
from wirken.cli.status import Process, Status, Supervisor
from wirken.config.paths import Paths
from wirken.confine.roles import ROLES, required

SOMEBODY = 4711
SUPERVISOR, OUTER, INNER = 10, 11, 12
WELL = {
    "Uid": f"{SOMEBODY}\t{SOMEBODY}\t{SOMEBODY}\t{SOMEBODY}",
    **{name: "0000000000000000" for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")},
    "NoNewPrivs": "1",
    "Seccomp": "2",
    "Seccomp_filters": "1",
}
SPACES = ("mnt", "pid", "ipc", "uts", "net")


@dataclass
class Recorded:
    """A /proc with a supervisor, bubblewrap below it, and one process of ours below that."""

    root: Path
    role: str = "web"
    status: dict[str, str] = field(default_factory=lambda: dict(WELL))
    shared: tuple[str, ...] = ()
    limits: dict[str, str] = field(default_factory=dict)

    def write(self) -> None:
        row = ROLES[self.role]
        self._process(SUPERVISOR, ["python", "-I", "-m", "wirken.supervisor"], [OUTER], "outside")
        self._process(OUTER, ["bwrap", "--", "python", "-I", "-m", f"wirken.{self.role}"], [INNER], "outside")
        self._process(INNER, ["python", "-I", "-m", f"wirken.{self.role}", "--data", "/d"], [], "inside")
        place = self.root / "proc" / str(INNER)
        (place / "status").write_text("".join(f"{name}:\t{value}\n" for name, value in self.status.items()))
        values = {"core file size": "0", "open files": str(row.files), "data size": str(row.memory or "unlimited")}
        lines = [f"{'Limit':26}{'Soft Limit':21}{'Hard Limit':21}Units"]
        for name, value in (values | self.limits).items():
            lines.append(f"{f'Max {name}':26}{'0':21}{value:21}bytes")
        (place / "limits").write_text("\n".join(lines) + "\n")

    def _process(self, pid: int, words: list[str], children: list[int], spaces: str) -> None:
        place = self.root / "proc" / str(pid)
        (place / "ns").mkdir(parents=True)
        (place / "task" / str(pid)).mkdir(parents=True)
        (place / "cmdline").write_bytes(b"".join(word.encode() + b"\0" for word in words))
        (place / "task" / str(pid) / "children").write_text(" ".join(map(str, children)))
        for name in SPACES:
            (place / "ns" / name).symlink_to("outside" if name in self.shared else spaces)

    def look(self, worn: tuple[str, ...] | None = None, without: tuple[str, ...] = ()) -> list[Finding]:
        told = required(ROLES[self.role], without) if worn is None else worn
        child = Process(self.role, OUTER, "ready", 0, 5, told)
        supervisor = Supervisor("0.1.0", SUPERVISOR, "/d", 0, True, False, "open", (child,), without)
        running = Status(state="running", pid=SUPERVISOR, uptime=60, supervisor=supervisor)
        uid = int(self.status["Uid"].split()[0])
        home = Installation(Paths(self.root), {}, uid, time.time_ns() // 10**6, running, root=self.root)
        return list(confinement.processes(home))


@pytest.mark.parametrize("role", ["vault", "gateway", "runner", "outbound", "web"])
def test_a_process_with_all_walls_is_green_and_says_what_it_put_on_itself(tmp_path: Path, role: str) -> None:
    recorded = Recorded(tmp_path, role, shared=("net",) if role == "outbound" else ())
    recorded.write()
    [finding] = recorded.look()
    assert finding.severity is Severity.OK, finding.seen
    assert ("as it says landlock, " in finding.seen) == (role != "runner")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"NoNewPrivs": "0"}, "no_new_privs"),
        ({"CapEff": "0000000000000001"}, "no capabilities"),
        ({"CapAmb": "0000000000200000"}, "no capabilities"),
        ({"Seccomp": "0"}, "seccomp"),
        ({"Uid": "0\t0\t0\t0"}, "an unprivileged uid (it has 0)"),
    ],
)
def test_each_wall_that_the_kernel_does_not_show_is_red(tmp_path: Path, changed: dict[str, str], said: str) -> None:
    recorded = Recorded(tmp_path, status=WELL | changed)
    recorded.write()
    [finding] = recorded.look()
    assert (finding.severity, finding.seen) == (Severity.RED, f"web (pid {INNER}) lacks: {said}")


@pytest.mark.parametrize("space", SPACES)
def test_a_namespace_that_is_the_machines_is_red(tmp_path: Path, space: str) -> None:
    recorded = Recorded(tmp_path, shared=(space,))
    recorded.write()
    [finding] = recorded.look()
    assert finding.seen.endswith(f"lacks: a {space} namespace of its own")


@pytest.mark.parametrize(
    ("name", "value", "red"),
    [
        ("open files", "1024", False),
        ("open files", "1025", True),
        ("data size", "unlimited", True),
        ("core file size", "1", True),
    ],
)
def test_a_limit_that_is_wider_than_the_rows_is_red(tmp_path: Path, name: str, value: str, red: bool) -> None:
    recorded = Recorded(tmp_path, limits={name: value})
    recorded.write()
    [finding] = recorded.look()
    assert (finding.severity is Severity.RED) == red
    assert not red or finding.seen.endswith(f"its limit of {name}")


def test_memory_that_others_may_open_is_red(tmp_path: Path) -> None:
    uid = os.getuid() or SOMEBODY
    recorded = Recorded(tmp_path, status=WELL | {"Uid": f"{uid}\t{uid}\t{uid}\t{uid}"})
    recorded.write()
    os.chown(tmp_path / "proc" / str(INNER) / "status", uid, -1)
    [finding] = recorded.look()
    assert finding.seen.endswith("lacks: closed memory (dumpable)")


def test_what_a_process_did_not_tell_of_is_red(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    recorded.write()
    [finding] = recorded.look(worn=("landlock", "seccomp"))
    assert "lacks: landlock-truncate, landlock-tcp, landlock-ioctl, landlock-scope" in finding.seen


def test_walls_that_may_be_missing_are_red_by_themselves_and_not_at_each_process(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path, status=WELL | {"Seccomp": "0"}, shared=SPACES)
    recorded.write()
    well, missing = recorded.look(without=("view", "seccomp", "landlock"))
    assert (well.severity, missing.severity) == (Severity.OK, Severity.RED)
    assert well.seen.endswith("own uid, no privilege, closed memory, limits")
    assert "without view, seccomp, landlock" in missing.seen


def test_a_process_that_is_not_there_is_red(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    recorded.write()
    (tmp_path / "proc" / str(INNER) / "cmdline").write_bytes(b"")
    [finding] = recorded.look()
    assert "cannot be seen" in finding.seen
