"""The container beside that of a command with a network: what it is, and that it never stays."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from tests.support.engine import Engine
from tests.support.fake_relay import FakeRelay, fake_relay
from tests.support.runner_client import Boxed, Client, runner
from tests.support.walled import owned

from wirken.domain import limits
from wirken.runner import online
from wirken.runner.egress import NoWayOut
from wirken.runner.owner import Owner

pytestmark = pytest.mark.slow

PROXY = f"127.0.0.1:{limits.EGRESS_PORT}"
OWNER = Owner("online", "start", "runner")


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeRelay]:
    folder = owned(tmp_path_factory.mktemp("relay"))
    with fake_relay(folder / "relay-runner.sock") as relay:
        yield relay


@pytest.fixture(scope="module", params=["docker", "gvisor"])
def kind(request: pytest.FixtureRequest) -> Literal["docker", "gvisor"]:
    found: Literal["docker", "gvisor"] = request.param
    return found


@pytest.fixture(scope="module")
def box(
    kind: Literal["docker", "gvisor"], engine: Engine, relay: FakeRelay, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Client]:
    boxed = Boxed(engine, kind, OWNER)
    with runner(tmp_path_factory.mktemp("online"), "watchdog", relay=relay.path, boxed=boxed) as client:
        assert client.status().kind == kind, client.status()
        yield client


def containers(engine: Engine) -> list[str]:
    return engine.docker("ps", "--all", "--quiet", "--filter", "label=wirken.installation=online").split()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def told(engine: Engine) -> dict[bool, Any]:
    """Return what the engine tells of the two containers of a command: by whether it is the hatch."""
    found = json.loads(engine.docker("inspect", *containers(engine)))
    return {one["Name"].endswith("-hatch"): one for one in found}


def test_the_hatch_has_every_wall_and_one_socket_and_the_command_has_neither_its_files_nor_its_own_network(
    box: Client, engine: Engine, kind: str
) -> None:
    number = box.start("exec", (), True, command="sleep 60")
    until(lambda: len(containers(engine)) == 2)
    both = told(engine)
    box.control(do="cancel", id=number)
    box.answer(number)
    hatch, command = both[True]["HostConfig"], both[False]["HostConfig"]
    assert (hatch["NetworkMode"], command["NetworkMode"]) == ("none", f"container:{both[True]['Id']}")
    assert (hatch["Runtime"], command["Runtime"]) == ("runc", "runc" if kind == "docker" else "runsc-online")
    for host in (hatch, command):
        assert (host["CapDrop"], host["CapAdd"], host["SecurityOpt"]) == (["ALL"], None, ["no-new-privileges"])
        assert (host["ReadonlyRootfs"], host["Privileged"], host["LogConfig"]["Type"]) == (True, False, "none")
        assert (host["IpcMode"], host["PidMode"]) == ("private", "")
    assert (hatch["Memory"], hatch["PidsLimit"]) == (limits.HATCH_MEMORY, limits.HATCH_PROCESSES)
    assert (command["Memory"], command["PidsLimit"]) == (limits.EXEC_MEMORY, limits.EXEC_PROCESSES)
    assert not any(mount["RW"] for mount in both[True]["Mounts"])
    shown = {mount["Destination"] for mount in both[True]["Mounts"]}
    assert "/hatch.sock" in shown and "/workspace" not in shown
    shown = {mount["Destination"] for mount in both[False]["Mounts"]}
    assert {place for place in shown if not place.startswith("/etc/")} == {"/workspace"}


def test_a_command_of_the_image_reaches_the_relay_and_the_next_without_a_grant_does_not(
    box: Client, relay: FakeRelay, kind: str
) -> None:
    relay.asked.clear()
    ask = (
        f"printf 'GET http://some.test/ HTTP/1.0\\r\\n\\r\\n' | nc {PROXY.replace(':', ' ')} 2>&1; env | grep -c roxy="
    )
    ran = box.online(ask)
    if kind == "docker":  # gVisor of 2022 answers busybox's plain read with EAGAIN (docs/sandbox.md)
        assert "403" in ran.output
    assert ran.output.endswith("3\n")
    until(lambda: [what for _, what in relay.asked] == ["GET http://some.test/"])
    assert box.sh(ask).output.endswith("0\n")
    assert len(relay.asked) == 1


@pytest.mark.parametrize("after", [0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6])
def test_cancelling_at_every_stage_leaves_no_container_and_no_socket(box: Client, engine: Engine, after: float) -> None:
    number = box.start("exec", (), True, command="sleep 60")
    time.sleep(after)
    box.control(do="cancel", id=number)
    assert box.answer(number) == {"cancelled": True}
    assert containers(engine) == []
    assert list((box.workspace.parent / "hatches").iterdir()) == []


def test_a_time_out_leaves_nothing(box: Client, engine: Engine) -> None:
    assert box.online("sleep 60", timeout=1).ended_by == "time"
    assert containers(engine) == []


def test_what_a_killed_runner_left_is_swept_and_its_hatch_has_ended_by_itself(
    engine: Engine, relay: FakeRelay, tmp_path: Path
) -> None:
    boxed = Boxed(engine, "docker", OWNER)
    with runner(tmp_path / "first", "watchdog", relay=relay.path, boxed=boxed) as client:
        client.status()
        client.start("exec", (), True, command="sleep 60")
        until(lambda: len(engine.docker("ps", "-q", "--filter", "label=wirken.installation=online").split()) == 2)
        client.kill()
        until(lambda: told(engine)[True]["State"]["Status"] == "exited")
    with runner(tmp_path / "second", "watchdog", relay=relay.path, boxed=boxed) as client:
        assert "removed 2 containers" in client.status().notes[-1]
    assert containers(engine) == []


def test_a_kept_container_is_not_used_for_a_command_with_a_network(
    engine: Engine, relay: FakeRelay, tmp_path: Path
) -> None:
    boxed = Boxed(engine, "docker", OWNER, warm=True)
    with runner(tmp_path, "watchdog", relay=relay.path, boxed=boxed) as client:
        client.status()
        client.sh("touch /tmp/kept")
        assert client.online("ls /tmp").output == ""
        assert client.sh("ls /tmp").output == "kept\n"


@pytest.mark.parametrize(
    ("relayed", "folder", "said"),
    [(False, None, "without a relay"), (True, "", "no folder for sockets"), (True, "/tmp", "does not exist")],
    ids=["no relay", "no folder", "a folder that the engine does not see"],
)
def test_where_no_way_out_can_be_made_the_command_does_not_run_and_the_reason_is_told(
    engine: Engine, relay: FakeRelay, tmp_path: Path, relayed: bool, folder: str | None, said: str
) -> None:
    boxed = Boxed(engine, "docker", OWNER, hatches=folder)
    with runner(tmp_path, "watchdog", relay=relay.path if relayed else None, boxed=boxed) as client:
        client.status()
        ran = client.online("touch ran")
        assert (ran.outcome, said in ran.output) == ("denied", True), ran.output
        assert not (client.workspace / "ran").exists()
        assert client.sh("echo here").output == "here\n"
    assert containers(engine) == []


async def test_a_hatch_that_fails_is_quoted(tmp_path: Path) -> None:
    said = asyncio.StreamReader()
    words = b"Traceback\nNo such file\n"
    said.feed_data(bytes((2, 0, 0, 0)) + len(words).to_bytes(4, "big") + words)
    said.feed_eof()
    with online.door(str(tmp_path), "one") as (door, path):
        assert Path(path).is_socket()
        with pytest.raises(NoWayOut, match="No such file"):
            await online.listener(door, said)
    assert not Path(path).exists()


async def test_a_hatch_that_hands_nothing_over_makes_no_way_out(tmp_path: Path) -> None:
    with online.door(str(tmp_path), "one") as (door, path):
        with socket.socket(socket.AF_UNIX) as hatch:
            hatch.connect(path)
        with pytest.raises(NoWayOut, match="made no listener"):
            await online.listener(door, asyncio.StreamReader())


def test_a_long_folder_is_no_hindrance(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 100)
    folder.mkdir()
    with online.door(str(folder), "one") as (_, path):
        assert Path(path).is_socket()
    with pytest.raises(NoWayOut, match="No such file"), online.door(str(folder / "none"), "one"):
        pass
