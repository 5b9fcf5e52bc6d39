"""Commands in containers through every process: chosen by the configuration, shown, recorded, swept after a kill."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.engine import Engine
from tests.support.spine import Spine, spine, until, wirken

from wirken.domain.events import ToolPermitted, ToolResultFact

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["docker", "gvisor"])
def up(request: pytest.FixtureRequest, engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spine]:
    config = (
        f'[sandbox]\nmode = "{request.param}"\nimage = "{engine.image}"\ndocker_socket = "{engine.socket}"\n'
        "memory_mib = 256\n"
    )
    with spine(tmp_path_factory.mktemp(request.param), config) as one:
        yield one


def granted(up: Spine, *keys: str) -> None:
    for key in keys:
        words = ("--agent", "default", "--principal", "owner", "--channel", "terminal")
        assert wirken(up.data, "permissions", "approve", key, *words).returncode == 0


def kind_of(up: Spine) -> str:
    return str(json.loads(wirken(up.data, "status", "--json").stdout)["gateway"]["sandbox"])


def test_a_command_runs_in_a_container_and_the_record_says_so(up: Spine) -> None:
    granted(up, "shell:pwd", "shell:cat")
    done = wirken(up.data, "ask", "-m", "write: a.txt <<< text\nrun: pwd\nrun: cat a.txt", "--session", "one")
    assert done.returncode == 0, done.stderr
    facts = up.facts("default/terminal/one")
    results = [fact.output for fact in facts if isinstance(fact, ToolResultFact)]
    assert results[1:] == ["/workspace\n", "text"], results
    kind = kind_of(up)
    assert kind in ("docker", "gvisor")
    permits = [json.loads(fact.call) for fact in facts if isinstance(fact, ToolPermitted)]
    assert {call["place"]["sandbox"] for call in permits} == {kind}


def test_only_the_runner_sees_the_engine_and_makes_sockets_for_containers(up: Spine, engine: Engine) -> None:
    for role, pid in up.outer().items():
        for place in (str(engine.socket), f"{up.data}/hatches"):
            seen = any(place in (entry / "mountinfo").read_text() for entry in below(pid))
            assert seen == (role == "runner"), (role, place)


def below(pid: int) -> Iterator[Path]:
    yield Path(f"/proc/{pid}")
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        yield from below(int(child))


def test_doctor_names_the_sandbox_its_image_and_what_the_engine_can(up: Spine, engine: Engine) -> None:
    said = wirken(up.data, "doctor", "--json").stdout
    found = {one["id"]: one for one in json.loads(said)["findings"]}
    seen = found["sandbox-kind"]["seen"]
    assert f'because [sandbox] mode is "{kind_of(up)}"' in seen
    assert engine.image in seen and "removed 0 containers" in seen
    assert "root on this machine" in found["engine-socket"]["why"]
    assert "256 MiB" in found["limits"]["seen"] and "engine" in found["limits"]["seen"]


def test_a_runner_that_is_killed_leaves_a_container_only_until_it_is_back(up: Spine, engine: Engine) -> None:
    def ours() -> list[str]:
        return engine.docker("ps", "--quiet", "--filter", "label=wirken.installation").split()

    granted(up, "shell:sleep")
    asking = threading.Thread(target=lambda: wirken(up.data, "ask", "-m", "run: sleep 100", "--session", "killed"))
    asking.start()
    until(lambda: len(ours()) == 1, lambda: str(ours()))
    time.sleep(0.5)
    os.kill(up.outer()["runner"], signal.SIGKILL)
    asking.join()
    until(lambda: ours() == [], lambda: str(ours()))
    until(lambda: kind_of(up) != "none", lambda: kind_of(up))


def test_gvisor_needs_no_engine(engine: Engine, tmp_path: Path) -> None:
    config = f'[sandbox]\nmode = "gvisor"\ndocker_socket = "{tmp_path}/none"\n'
    with spine(tmp_path, config) as one:
        granted(one, "shell:dmesg")
        assert wirken(one.data, "ask", "-m", "run: dmesg", "--session", "one").returncode == 0
        results = [fact for fact in one.facts("default/terminal/one") if isinstance(fact, ToolResultFact)]
        assert "Starting gVisor" in results[0].output
        found = {row["id"]: row for row in json.loads(wirken(one.data, "doctor", "--json").stdout)["findings"]}
        assert "/usr/bin/runsc" in found["sandbox-kind"]["seen"]
        assert "engine-socket" not in found
