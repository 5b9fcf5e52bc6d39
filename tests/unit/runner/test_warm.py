"""A container that is kept for a session's next command: faster, and as empty of processes as a fresh one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.engine import Engine
from tests.support.runner_client import Boxed, Client, runner

from wirken.runner.owner import Owner
from wirken.runner.sandbox import Bounds

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def warm(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    boxed = Boxed(engine, owner=Owner("warm", "start", "runner"), warm=True)
    with runner(tmp_path_factory.mktemp("warm"), "watchdog", boxed=boxed) as client:
        assert client.status().kind == "docker", client.status()
        yield client


def containers(engine: Engine, installation: str = "warm") -> list[str]:
    return engine.docker("ps", "--all", "--quiet", "--filter", f"label=wirken.installation={installation}").split()


def gone(engine: Engine, installation: str = "warm") -> bool:
    deadline = time.monotonic() + 10
    while (left := containers(engine, installation)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not left


def test_the_next_command_finds_the_container_and_its_tmp(warm: Client, engine: Engine) -> None:
    assert warm.sh("echo 1 > /tmp/left; pwd; echo 2 >&2; echo 3").output == "/workspace\n2\n3\n"
    first = containers(engine)
    assert warm.sh("cat /tmp/left; exit 7").exit_code == 7
    assert containers(engine) == first
    assert len(first) == 1


def test_its_walls_are_those_of_a_fresh_one(warm: Client) -> None:
    said = warm.sh("grep -E 'CapEff|CapBnd|NoNewPrivs' /proc/self/status; touch /x; ip route; id -u").output
    assert "CapEff:\t0000000000000000" in said
    assert "NoNewPrivs:\t1" in said
    assert "Read-only file system" in said


def test_a_process_that_stays_takes_the_container_with_it(warm: Client, engine: Engine) -> None:
    started = time.monotonic()
    ran = warm.sh("sleep 100 & echo here")
    assert (ran.output, ran.exit_code) == ("here\n", 0)
    assert time.monotonic() - started < 10
    assert containers(engine) == []


def test_a_time_out_takes_it_too(warm: Client, engine: Engine) -> None:
    ran = warm.sh("echo before; sleep 100", timeout=1)
    assert (ran.ended_by, ran.output.splitlines()[0]) == ("time", "before")
    assert containers(engine) == []


@pytest.mark.parametrize("after", [0.0, 0.1, 0.3])
def test_cancelling_takes_it_too(warm: Client, engine: Engine, after: float) -> None:
    number = warm.start("exec", command="sleep 60")
    time.sleep(after)
    warm.control(do="cancel", id=number)
    assert warm.answer(number) == {"cancelled": True}
    assert containers(engine) == []


def test_a_file_that_steers_and_is_new_gets_a_new_container_that_keeps_it(warm: Client, engine: Engine) -> None:
    warm.sh("true")
    (warm.workspace / ".envrc").write_text("mine\n")
    warm.sh("echo x > .envrc; true")
    assert (warm.workspace / ".envrc").read_text() == "mine\n"


def test_memory_has_an_end(engine: Engine, tmp_path: Path) -> None:
    boxed = Boxed(engine, owner=Owner("small", "s", "r"), bounds=Bounds(memory=64 * 2**20), warm=True)
    with runner(tmp_path, "watchdog", boxed=boxed) as client:
        assert client.sh("dd if=/dev/zero of=/dev/null bs=200M count=1").ended_by == "memory"
        assert client.sh("echo again").output == "again\n"


def test_it_is_gone_with_its_runner_however_that_ends(engine: Engine, tmp_path: Path) -> None:
    boxed = Boxed(engine, owner=Owner("ends", "s", "r"), warm=True)
    with runner(tmp_path, "watchdog", boxed=boxed) as client:
        client.sh("true")
        assert len(containers(engine, "ends")) == 1
    assert gone(engine, "ends")
    with runner(tmp_path, "watchdog", boxed=boxed) as client:
        client.sh("true")
        client.kill()
    assert gone(engine, "ends"), "its standard input was the runner's"
