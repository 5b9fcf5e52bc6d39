"""gVisor without an engine: `runsc` in a sandbox of bubblewrap's, through a real runner in its view."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.engine import WITHOUT
from tests.support.runner_client import Boxed, Client, runner

from wirken.domain import limits
from wirken.ipc.calls.runner import WirePermit
from wirken.runner.gvisor import configuration, runsc_line, started
from wirken.runner.sandbox import Bounds, Command

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["cgroup", "watchdog"])
def box(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    if shutil.which("runsc") is None:
        if os.environ.get(WITHOUT) == "1":
            pytest.skip(f"{WITHOUT}=1: gvisor is NOT tested")
        pytest.fail("gvisor cannot be tested: runsc is missing; `make setup-test` installs it for root.")
    with runner(tmp_path_factory.mktemp("gvisor"), request.param, boxed=Boxed(None, "gvisor")) as client:
        client.workspace.chmod(0o700)
        assert client.status().kind == "gvisor", client.status()
        yield client


def test_the_command_meets_gvisors_kernel_and_not_the_machines(box: Client) -> None:
    ran = box.sh("dmesg | head -1")
    assert ("gVisor" in ran.output, ran.place, ran.outcome) == (True, "gvisor", "ok")


def test_a_command_runs_byte_for_byte(box: Client) -> None:
    assert box.run("exec", argv=["printf", "%s|", "a b", "$HOME", "*", "ä"]).output == "a b|$HOME|*|ä|"


def test_both_outputs_arrive_in_their_order(box: Client) -> None:
    assert box.sh("echo 1; echo 2 >&2; echo 3").output == "1\n2\n3\n"


def test_exit_codes_are_a_shells(box: Client) -> None:
    assert box.sh("exit 7").exit_code == 7
    assert box.run("exec", argv=["/no/such/program"]).exit_code == 127
    assert box.run("exec", argv=["/etc/passwd"]).exit_code == 126


def test_the_workspace_can_be_written_and_nothing_else(box: Client) -> None:
    assert box.sh("pwd; echo here > new; cat new").output == "/workspace\nhere\n"
    assert (box.workspace / "new").read_text() == "here\n"
    ran = box.sh("for d in / /etc /usr /bin /dev /proc /readonly; do touch $d/x 2>/dev/null && echo $d; done; true")
    assert ran.output in ("", "/dev\n"), "gVisor's own /dev is memory of 64 KiB"


def test_tmp_has_an_end(box: Client) -> None:
    ran = box.sh("head -c 80000000 /dev/zero > /tmp/x; wc -c < /tmp/x")
    assert int(ran.output.split()[-1]) <= limits.EXEC_TMP


def test_there_is_no_network_and_no_capability(box: Client) -> None:
    assert set(box.sh("cut -d: -f1 /proc/net/dev | tail -n +3").output.split()) <= {"lo"}
    assert "CapEff:\t0000000000000000" in box.sh("cat /proc/self/status").output


def test_a_time_out_kills_what_runs(box: Client) -> None:
    started = time.monotonic()
    ran = box.sh("echo before; sleep 60 & sleep 60", timeout=2)
    assert (ran.ended_by, ran.output.splitlines()[0]) == ("time", "before")
    assert time.monotonic() - started < 8


def test_memory_has_an_end(box: Client) -> None:
    ran = box.sh("head -c 900000000 /dev/zero | tail", timeout=60)
    assert ran.ended_by == "memory"


@pytest.mark.parametrize("after", [0.0, 0.05, 0.2])
def test_cancelling_leaves_nothing(box: Client, after: float) -> None:
    number = box.start("exec", command="sleep 61.5")
    time.sleep(after)
    box.control(do="cancel", id=number)
    assert box.answer(number) == {"cancelled": True}
    lines = [entry.read_bytes() for entry in Path("/proc").glob("[0-9]*/cmdline") if entry.exists()]
    assert not any(b"61.5" in line for line in lines)


def test_only_a_command_with_a_network_joins_one_and_is_told_of_the_proxy() -> None:
    for permit, online in ((None, False), (WirePermit("s", 1, "hash"), True)):
        command = Command(("true",), "/w", network=permit)
        told = json.loads(configuration(command, Bounds(), online={"https_proxy": "here"}))
        assert ("https_proxy=here" in told["process"]["env"]) is online
        assert ({"type": "network"} not in told["linux"]["namespaces"]) is online
        assert ("--network=host" in runsc_line(("runsc",), "/b", online=online)) is online


def test_the_bundle_gives_no_capability_and_sizes_what_can_be_written() -> None:
    told = json.loads(configuration(Command(("true",), "/w"), Bounds(tmp=2**20)))
    assert (told["process"]["capabilities"], told["process"]["noNewPrivileges"]) == ({}, True)
    sizes = {mount["destination"]: mount["options"] for mount in told["mounts"] if mount["type"] == "tmpfs"}
    assert set(sizes) == {"/dev", "/tmp", "/dev/shm"}
    assert all(any(option.startswith("size=") for option in options) for options in sizes.values())


def test_a_program_may_look_at_more_files_than_it_may_hold(box: Client) -> None:
    (box.workspace / "many").mkdir(exist_ok=True)
    for number in range(2 * limits.EXEC_FILES):
        (box.workspace / "many" / str(number)).write_text("x")
    assert box.sh("cat many/* | wc -c").output.strip() == str(2 * limits.EXEC_FILES)


def test_the_commands_own_limits_are_those_of_every_command(box: Client) -> None:
    files = str(limits.EXEC_FILES)
    assert box.sh("ulimit -n; ulimit -Hn; ulimit -c").output.split() == [files, files, "0"]


def test_namespaces_are_made_by_the_machines_own_program_where_it_is_shown() -> None:
    assert started("/usr/bin/runsc", own_usr=True)[-1] == "/usr/bin/runsc"
    assert started("/usr/bin/runsc", own_usr=True)[0] == "/usr/bin/unshare"
    assert started("/runsc", own_usr=False) == ("/runsc",)
