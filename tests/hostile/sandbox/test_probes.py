"""Hostile programs against every kind of sandbox: each line of probes.jsonl ends exactly as it says there.

The same programs run once without a sandbox, to prove that they could have worked. After a change,
`WIRKEN_RECORD_PROBES=1` writes what was seen into the data and the table of docs/sandbox.md: read the difference.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support import probe_table
from tests.support.sandboxes import (
    KINDS,
    PROGRAM,
    Kind,
    World,
    as_user,
    compiled,
    fresh,
    left_behind,
    open_folder,
    sandbox,
    world,
)

from wirken.domain import limits
from wirken.ipc.calls.runner import Ran

pytestmark = pytest.mark.slow

DATA = Path(__file__).parent / "probes.jsonl"
PROBES: list[dict[str, Any]] = [json.loads(line) for line in DATA.read_text().splitlines()]
RECORDING = os.environ.get("WIRKEN_RECORD_PROBES") == "1"
ABSENT = {"ENOSYS", "EAFNOSUPPORT", "EPROTONOSUPPORT", "ESOCKTNOSUPPORT", "ENODEV", "ENXIO", "EOPNOTSUPP", "ENOTSUP"}
"""How a kernel says that it has no such thing at all."""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("compiled"))


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


@pytest.fixture(scope="module")
def box(kind: Kind, program: Path, request: pytest.FixtureRequest) -> Iterator[tuple[World, Any]]:
    engine = request.getfixturevalue("engine") if kind in ("docker", "gvisor") else None
    with open_folder() as folder, world(folder, program) as outside, sandbox(kind, folder, engine) as client:
        status = client.status()
        assert status.kind != "none", status
        yield outside, client
        client.kill()  # what ran without a sandbox since then may have ended it, or done worse to it


@pytest.fixture(scope="module")
def outside(program: Path) -> Iterator[World]:
    with open_folder() as folder, world(folder, program) as made:
        yield made


def outcome(ran: Ran, place: World) -> str:
    """Return in one word how a probe ended, seen from inside and from outside."""
    assert len(ran.output.encode()) <= limits.EXEC_OUTPUT_HEAD + limits.EXEC_OUTPUT_TAIL + 2 * limits.SENTENCE
    if left := left_behind():
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        return "survives"
    if place.was_hit():
        return "hit"
    if "able to steer" in ran.output:
        return "told"
    if ran.ended_by:
        return f"ended: {ran.ended_by}"
    said = [line for line in ran.output.splitlines() if line.startswith("= ")]
    return said[-1][2:] if said else f"exit {ran.exit_code}"


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: str(probe["id"]))
def test_a_hostile_program_ends_as_expected(
    probe: dict[str, Any], kind: Kind, box: tuple[World, Any], program: Path
) -> None:
    if probe.get("needs") == "root" and os.geteuid() != 0:
        pytest.skip("only root can prepare this file")
    place, client = box
    fresh(place.workspace, program)
    words = [f"/workspace/{PROGRAM}", *place.filled(probe["run"])]
    seen = outcome(client.run("exec", argv=words, timeout=probe.get("timeout", 20)), place)
    if RECORDING:
        if seen not in probe["expected"].get(kind, "").split("|"):
            probe["expected"][kind] = seen
            DATA.write_text("".join(json.dumps(each, ensure_ascii=False) + "\n" for each in PROBES))
        return
    assert seen in probe["expected"][kind].split("|"), probe["tries"]


@pytest.mark.parametrize("probe", [one for one in PROBES if one["alone"]], ids=lambda probe: str(probe["id"]))
def test_without_a_sandbox_it_would_have_worked(probe: dict[str, Any], outside: World, program: Path) -> None:
    who = probe.get("as", "user")
    if (who == "root" or probe.get("needs") == "root") and os.geteuid() != 0:
        pytest.skip("only root can show this")
    if who == "spare" and os.geteuid() != 0:
        pytest.skip("it would signal every process of yours")
    if not _may(probe.get("cap", 0)):
        pytest.skip("root has fewer rights here than root usually has")
    fresh(outside.workspace, program)
    start = ["unshare", "--mount", "--ipc", "--uts", "--"] if who == "root" else as_user()
    ran = _alone([*start, f"./{PROGRAM}", *outside.filled(probe["run"])], outside, probe.get("timeout", 20))
    seen = outcome(ran, outside)
    nothing = seen == "empty" and probe["group"] == "proc and sys"
    if seen in ABSENT or nothing or (seen == "ENOENT" and not _exists(outside.filled(probe["run"])[-1])):
        pytest.skip(f"this machine has no such thing ({seen})")
    if probe["alone"] == "worked" and probe["group"] == "processes" and seen == "hit":
        seen = "worked"
    assert seen == probe["alone"] or seen.startswith(f"{probe['alone']}: "), probe["tries"]


def _may(capability: int) -> bool:
    """Have we a capability, by its number (linux/capability.h)? 0 asks for none."""
    status = Path("/proc/self/status").read_text()
    effective = int(status.partition("CapEff:")[2].split()[0], 16)
    return not capability or bool(effective >> capability & 1)


def _exists(path: str) -> bool:
    return not path.startswith("/") or os.path.exists(path)


def _alone(words: list[str], place: World, patience: float) -> Ran:
    """Run a probe on the machine itself; its variables and one descriptor are there to be found."""
    marker = os.open("/dev/null", os.O_RDONLY)
    environment = {"PATH": "/usr/bin:/bin", "WIRKEN_PROBE": "x"}

    def given() -> None:
        os.dup2(marker, 3)

    patience = min(patience, 1.0) if words[-1] == "holds-output" else patience
    process = subprocess.Popen(
        words,
        cwd=place.workspace,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=given,  # the descriptor must have number 3, and no thread of ours matters here
        pass_fds=(3,),
    )
    os.close(marker)
    assert process.stdout is not None
    try:
        output, _ = process.communicate(timeout=patience if patience <= 1 else max(12.0, patience))
        code, ended = process.returncode, ""
    except subprocess.TimeoutExpired as late:
        process.kill()
        process.wait()
        process.stdout.close()
        output, code, ended = late.output or b"", None, "time"
        if b"= started" in output:
            ended = ""
    text = output.decode("utf-8", "replace")[-limits.EXEC_OUTPUT_TAIL :]
    if ended:
        for pid in left_behind():
            os.kill(pid, signal.SIGKILL)
    return Ran(outcome="ok", output=text, exit_code=code, ended_by=ended)


def test_the_data_is_complete_and_every_gap_is_named() -> None:
    assert len({probe["id"] for probe in PROBES}) == len(PROBES)
    for probe in PROBES:
        assert set(probe["expected"]) == set(KINDS), probe["id"]
        assert bool(probe["alone"]) != bool(probe.get("why_not")), probe["id"]
        worked = [kind for kind, seen in probe["expected"].items() if probe_table.is_gap(seen)]
        assert bool(worked) == bool(probe.get("gap")), (probe["id"], worked)


def test_the_page_shows_what_was_recorded() -> None:
    page = probe_table.PAGE.read_text()
    wanted = probe_table.replaced(page, probe_table.rendered(PROBES))
    if RECORDING:
        probe_table.PAGE.write_text(wanted)
    else:
        assert page == wanted, "run tests/hostile/sandbox with WIRKEN_RECORD_PROBES=1"
