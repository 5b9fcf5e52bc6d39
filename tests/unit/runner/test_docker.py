"""Commands in containers of a real engine, through a real runner in its view."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from tests.support.engine import Engine, prepared
from tests.support.runner_client import Boxed, Client, runner
from tests.support.walled import owned, service_ids

from wirken.domain import limits
from wirken.runner.owner import Owner
from wirken.runner.sandbox import Bounds

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["docker", "gvisor"])
def box(request: pytest.FixtureRequest, engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("boxed")
    with runner(folder, "watchdog", boxed=Boxed(engine, request.param)) as client:
        client.workspace.chmod(0o700)
        assert client.status().kind == request.param, client.status()
        yield client


def containers(engine: Engine) -> list[str]:
    return engine.docker("ps", "--all", "--quiet", "--filter", "label=wirken.installation=test").split()


def test_a_command_runs_byte_for_byte_and_says_where(box: Client) -> None:
    ran = box.run("exec", argv=["printf", "%s|", "a b", "$HOME", "*", "ä"])
    assert (ran.output, ran.outcome, ran.place) == ("a b|$HOME|*|ä|", "ok", box.status().kind)


def test_exit_codes_are_a_shells(box: Client) -> None:
    assert box.sh("exit 7").exit_code == 7
    assert box.run("exec", argv=["/no/such/program"]).exit_code == 127
    assert box.run("exec", argv=["/etc/passwd"]).exit_code == 126


def test_a_workspace_of_mode_0700_is_the_commands_own(box: Client) -> None:
    assert box.sh("pwd; id -u; echo here > /workspace/new; cat new").output == f"/workspace\n{service_ids()[0]}\nhere\n"
    made = box.workspace / "new"
    assert (made.read_text(), made.stat().st_uid) == ("here\n", service_ids()[0])


def test_nothing_else_can_be_written_and_tmp_is_bounded(box: Client) -> None:
    ran = box.sh("for d in / /etc /usr /bin /var /workspace/..; do touch $d/x 2>/dev/null && echo $d; done; true")
    assert ran.output == ""
    ran = box.sh("dd if=/dev/zero of=/tmp/x bs=1M count=70 2>/dev/null; stat -c %s /tmp/x")
    assert int(ran.output) <= limits.EXEC_TMP


def test_there_is_no_network_and_no_capability(box: Client) -> None:
    assert box.sh("ls /sys/class/net 2>/dev/null | grep -v lo; ip route | grep -v 'dev lo'").output.strip() == ""
    said = box.sh("grep -E 'CapEff|CapBnd|NoNewPrivs' /proc/self/status").output
    assert "CapEff:\t0000000000000000" in said


def test_a_file_has_a_largest_size(box: Client) -> None:
    """One byte at the end: nothing else of the file takes room."""
    last = "dd if=/dev/zero of=/workspace/large bs=1 count=1 seek=%d 2>/dev/null"
    assert box.sh(last % (limits.EXEC_FILE_SIZE - 1)).exit_code == 0
    (box.workspace / "large").unlink()
    assert box.sh(last % limits.EXEC_FILE_SIZE).exit_code != 0
    assert (box.workspace / "large").stat().st_size <= limits.EXEC_FILE_SIZE
    (box.workspace / "large").unlink()


def test_the_environment_is_ours_alone(box: Client) -> None:
    names = {line.partition("=")[0] for line in box.sh("env").output.splitlines()}
    assert names <= {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TERM", "PWD", "HOSTNAME", "SHLVL"}


def test_a_time_out_kills_what_runs_and_leaves_no_container(box: Client, engine: Engine) -> None:
    started = time.monotonic()
    ran = box.sh("echo before; sleep 60 & sleep 60", timeout=1)
    assert (ran.ended_by, ran.outcome, ran.output.splitlines()[0]) == ("time", "failed", "before")
    assert time.monotonic() - started < 8
    assert containers(engine) == []


def test_a_flood_of_output_keeps_head_and_tail(box: Client) -> None:
    ran = box.sh("echo first; yes 0123456789abcdef | head -c 30000000; echo last", timeout=60)
    assert ran.output.startswith("first\n") and ran.output.endswith("last\n")
    assert len(ran.output.encode()) <= limits.EXEC_OUTPUT_HEAD + limits.EXEC_OUTPUT_TAIL
    assert ran.truncated_bytes > 29_000_000


@pytest.mark.parametrize("after", [0.0, 0.05, 0.1, 0.2, 0.3, 0.5])
def test_cancelling_at_every_stage_leaves_no_container(box: Client, engine: Engine, after: float) -> None:
    number = box.start("exec", command="sleep 60")
    time.sleep(after)
    box.control(do="cancel", id=number)
    assert box.answer(number) == {"cancelled": True}
    assert containers(engine) == []


def test_a_command_does_not_change_what_steers_at_any_depth(box: Client) -> None:
    box.sh("mkdir -p sub/deep && echo mine > sub/deep/AGENTS.md")
    (box.workspace / ".envrc").write_text("mine\n")
    box.sh(
        "echo x > .envrc; rm -f .envrc; mv .envrc y; echo x > sub/deep/AGENTS.md; rm -rf sub; echo x >> .envrc; true"
    )
    assert (box.workspace / ".envrc").read_text() == "mine\n"
    assert (box.workspace / "sub/deep/AGENTS.md").read_text() == "mine\n"


def test_commands_in_one_workspace_wait_for_one_another(box: Client) -> None:
    numbers = [box.start("exec", command="mkdir busy && sleep 0.3 && rmdir busy") for _ in range(3)]
    assert [box.answer(number)["exit_code"] for number in numbers] == [0, 0, 0]


def test_an_engine_that_is_lost_while_a_command_runs_does_not_read_as_if_it_had_not_run(tmp_path: Path) -> None:
    with prepared("") as engine, runner(tmp_path, "watchdog", boxed=Boxed(engine)) as client:
        assert client.status().kind == "docker"
        number = client.start("exec", command="touch ran; sleep 60")
        deadline = time.monotonic() + 10
        while not (client.workspace / "ran").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(int((engine.socket.parent / "pid").read_text()), signal.SIGTERM)
        told = client.answer(number)
        assert (told["outcome"], told["place"]) != ("denied", "runner")
        assert told["outcome"] in ("stopped", "failed")


def test_read_only_folders_are_shown_and_kept(engine: Engine, tmp_path: Path) -> None:
    docs = owned(tmp_path / "docs")
    (docs / "a").write_text("text")
    with runner(tmp_path, "watchdog", (str(docs),), boxed=Boxed(engine)) as client:
        said = client.run("exec", (str(docs),), command="cat /readonly/1-docs/a; touch /readonly/1-docs/b")
        assert said.output.startswith("text") and said.exit_code != 0
    assert [entry.name for entry in docs.iterdir()] == ["a"]


def test_both_outputs_arrive_in_their_order(box: Client) -> None:
    assert box.sh("echo 1; echo 2 >&2; echo 3").output == "1\n2\n3\n"


@pytest.mark.parametrize("kind", ["docker", "gvisor"])
def test_memory_has_an_end(engine: Engine, tmp_path: Path, kind: Literal["docker", "gvisor"]) -> None:
    with runner(tmp_path, "watchdog", boxed=Boxed(engine, kind, bounds=Bounds(memory=64 * 2**20))) as client:
        ran = client.sh("dd if=/dev/zero of=/dev/null bs=200M count=1")
        assert (ran.ended_by, ran.outcome) == ("memory", "failed")
        assert "64 MiB" in ran.output


@pytest.mark.parametrize("warm", [False, True])
def test_a_fork_that_was_refused_is_told_however_short_the_command(engine: Engine, tmp_path: Path, warm: bool) -> None:
    bomb = "i=0; while [ $i -lt %d ]; do sleep 0.01 & i=$((i+1)); done; exit %d"
    with runner(tmp_path, "watchdog", boxed=Boxed(engine, bounds=Bounds(processes=32), warm=warm)) as client:
        assert client.sh("exit 3").ended_by == ""
        assert (client.sh(bomb % (40, 1)).ended_by, client.sh(bomb % (5, 1)).ended_by) == ("processes", "")
        caught = "/bin/sh -c 'i=0; while [ $i -lt 40 ]; do sleep 0.01 & i=$((i+1)); done'; exit 0"
        assert client.sh(caught).ended_by == ""
        again = client.sh("exit 4")
        assert (again.exit_code, again.ended_by) == (4, ""), "what an earlier command was refused is not this one's"


@pytest.mark.parametrize("warm", [False, True])
def test_memory_that_a_part_of_a_command_ran_out_of_is_told(engine: Engine, tmp_path: Path, warm: bool) -> None:
    """The kernel kills the hog; the shell around it goes on and ends as it likes."""
    with runner(tmp_path, "watchdog", boxed=Boxed(engine, bounds=Bounds(memory=64 * 2**20), warm=warm)) as client:
        assert client.sh("dd if=/dev/zero of=/dev/null bs=200M count=1; exit 3").ended_by == "memory"
        assert client.sh("exit 3").ended_by == ""


def test_a_command_that_ends_its_own_shell_is_still_a_command_that_ended(engine: Engine, tmp_path: Path) -> None:
    with runner(tmp_path, "watchdog", boxed=Boxed(engine)) as client:
        assert client.sh("trap : TERM; kill -TERM -1; echo on; exit 5").exit_code == 5
        killed = client.sh("kill -KILL -1; sleep 20")
        assert (killed.outcome, killed.exit_code, killed.ended_by) == ("failed", 137, "")


def test_an_image_that_is_missing_is_named_with_the_command_that_gets_it(engine: Engine, tmp_path: Path) -> None:
    with runner(tmp_path, "watchdog", boxed=Boxed(engine, image="no/such:image")) as client:
        report = client.status()
        assert report.kind == "none"
        assert "'no/such:image'" in report.reason and "docker pull no/such:image" in report.fix
        ran = client.sh("touch ran")
        assert ran.outcome == "denied" and "docker pull" in ran.output
    assert list((tmp_path / "workspace").iterdir()) == []


def test_a_command_with_a_granted_network_is_refused_rather_than_run_without(engine: Engine, tmp_path: Path) -> None:
    with runner(tmp_path, "watchdog", boxed=Boxed(engine)) as client:
        number = client.send(do="run", tool="exec", arguments='{"command": "touch ran"}', network="open")
        assert client.answer(number)["outcome"] == "denied"
    assert list((tmp_path / "workspace").iterdir()) == []


def test_what_a_killed_runner_left_is_swept_by_the_next_and_nobody_elses(engine: Engine, tmp_path: Path) -> None:
    def left(owner: Owner) -> str:
        labels = [word for name, value in owner.labels.items() for word in ("--label", f"{name}={value}")]
        return engine.docker("run", "--detach", "--network=none", *labels, engine.image, "sleep", "600").strip()[:12]

    earlier = left(Owner("test", "earlier", "runner"))
    before = left(Owner("test", "start", "runner"))
    further = left(Owner("test", "start", "runner-2"))
    another = left(Owner("another", "start", "runner"))
    with runner(tmp_path, "watchdog", boxed=Boxed(engine)) as client:
        report = client.status()
        assert (report.kind, report.limits) == ("docker", "engine")
        assert "removed 2 containers" in report.notes[-1]
    living = set(engine.docker("ps", "--quiet").split())
    engine.docker("rm", "--force", further, another)
    assert {earlier, before, further, another} & living == {further, another}


def test_a_container_is_what_was_asked_for(box: Client, engine: Engine) -> None:
    number = box.start("exec", command="sleep 60")
    deadline = time.monotonic() + 10
    while not (found := containers(engine)) and time.monotonic() < deadline:
        time.sleep(0.05)
    told = json.loads(engine.docker("inspect", found[0]))[0]
    box.control(do="cancel", id=number)
    box.answer(number)
    host = told["HostConfig"]
    assert (host["CapDrop"], host["CapAdd"], host["SecurityOpt"]) == (["ALL"], None, ["no-new-privileges"])
    assert (host["ReadonlyRootfs"], host["Privileged"], host["NetworkMode"]) == (True, False, "none")
    assert (host["Memory"], host["MemorySwap"], host["PidsLimit"]) == (limits.EXEC_MEMORY, limits.EXEC_MEMORY, 256)
    assert (host["Init"], host["LogConfig"]["Type"], host["Binds"]) == (True, "none", None)
    bound = [mount for mount in told["Mounts"] if mount["Type"] == "bind"]
    assert [mount["Source"] for mount in bound if mount["RW"]] == [str(box.workspace)]
    assert all(mount["Source"].startswith(str(box.workspace)) for mount in bound)
