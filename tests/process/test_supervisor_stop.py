"""Starts that are refused, children that misbehave, and every way to end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from tests.support.supervised import ROLES, alive, descendants, supervised, until_gone

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_everything_in_order_within_two_seconds(tmp_path: Path, number: int) -> None:
    with supervised(tmp_path) as house:
        house.wait_ready()
        below = descendants(house.process.pid)
        assert len(below) >= 3 * len(ROLES)
        assert house.stop(number) < 2.0
        assert house.process.returncode == 0
        assert alive(below) == []
        order = [line.split()[1] for line in house.err.splitlines() if line.startswith("STOPPED")]
        assert set(order[:2]) == {"gateway", "web"}
        assert order[-1] == "vault"
        assert not list(house.paths.sockets_dir.glob("*.sock"))


@pytest.mark.parametrize("deaf", ["gateway", "vault"])
def test_a_child_that_will_not_stop_is_killed_within_two_seconds(tmp_path: Path, deaf: str) -> None:
    with supervised(tmp_path, {deaf: "deaf"}) as house:
        house.wait_ready()
        below = descendants(house.process.pid)
        assert house.stop() < 2.0
        assert alive(below) == []
        assert "STOPPED runner" in house.err


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    with supervised(tmp_path, {"gateway": "deaf"}) as house:
        house.wait_ready()
        house.process.send_signal(signal.SIGINT)
        deadline = time.monotonic() + 1
        while "STOPPED web" not in house.err and time.monotonic() < deadline:
            time.sleep(0.01)
        assert house.stop(signal.SIGINT) < 0.5


def test_no_child_survives_the_supervisors_sudden_death(tmp_path: Path) -> None:
    with supervised(tmp_path, {"runner": "linger", "web": "deaf"}) as house:
        house.wait_ready()
        below = descendants(house.process.pid)
        assert len(below) >= 3 * len(ROLES) + 1
        house.process.kill()
        house.process.wait()
        assert until_gone(below, 2.0) == []


def test_what_a_child_left_behind_dies_with_it(tmp_path: Path) -> None:
    with supervised(tmp_path, {"runner": "linger"}) as house:
        house.wait_ready()
        pid = house.children()["runner"]["pid"]
        assert isinstance(pid, int)
        below = [pid, *descendants(pid)]
        os.kill(below[2], signal.SIGKILL)
        names = {one: Path(f"/proc/{one}/cmdline").read_bytes() for one in alive(below)}
        assert until_gone(below, 2.0) == [], names


def test_a_second_start_is_refused_with_the_pid_of_the_first(tmp_path: Path) -> None:
    with supervised(tmp_path) as first:
        first.wait_ready()
        with supervised(tmp_path) as second:
            second.process.wait(10)
            assert second.process.returncode == 69
            assert f"already runs on {first.data} (pid {first.process.pid})" in second.err
        assert first.ask({"ask": "status"})["ok"] is True


def test_a_start_after_a_sudden_death_succeeds(tmp_path: Path) -> None:
    with supervised(tmp_path) as first:
        first.wait_ready()
        first.process.kill()
        first.process.wait()
        with supervised(tmp_path) as second:
            second.wait_ready()
            second.stop()


def test_a_busy_port_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with supervised(tmp_path, port=port) as house:
            house.process.wait(10)
            assert house.process.returncode == 69
            assert f"Port {port} on 127.0.0.1 is already in use." in house.err
            assert f"--port {port + 1}" in house.err
            assert house.out == ""
            assert not house.paths.gateway_socket.exists()


def test_a_child_that_dies_before_it_is_ready_ends_the_start(tmp_path: Path) -> None:
    with supervised(tmp_path, {"gateway": "die"}) as house:
        house.process.wait(10)
        assert house.process.returncode == 69
        assert "gateway ended (exit code 7) before it was ready." in house.err
        assert "ready" not in house.out


def test_a_child_that_keeps_dying_is_restarted_ever_more_slowly(tmp_path: Path) -> None:
    with supervised(tmp_path, {"web": "crash"}) as house:
        house.wait_ready()
        house.until("web", restarts=3)
        waits = [line.rpartition(" in ")[2] for line in house.err.splitlines() if "started again" in line]
        assert waits[:3] == ["0.1 s", "0.2 s", "0.4 s"]
        assert house.children()["gateway"]["restarts"] == 0
        assert house.stop() < 2.0


def test_stop_on_the_control_socket_ends_everything(tmp_path: Path) -> None:
    with supervised(tmp_path) as house:
        house.wait_ready()
        with house.connect() as peer:
            assert house.ask({"ask": "stop"}, peer)["ok"] is True
            assert peer.recv(1) == b""
        assert house.process.wait(2) == 0


def test_an_ephemeral_supervisor_ends_with_its_parent(tmp_path: Path) -> None:
    with supervised(tmp_path, ephemeral=True, banner=(), ready_line="") as house:
        house.wait_ready()
        house.release()
        assert house.heard() == b""
        assert house.process.wait(2) == 0
        assert house.out == ""


def test_an_ephemeral_supervisor_stays_for_whoever_holds_it(tmp_path: Path) -> None:
    with supervised(tmp_path, ephemeral=True) as house:
        house.wait_ready()
        with house.connect() as peer:
            assert house.ask({"ask": "hold"}, peer)["ok"] is True
            house.release()
            assert house.heard() == b"k"
            assert house.process.poll() is None
        assert house.process.wait(2) == 0


def test_without_walls_children_still_die_with_the_supervisor(tmp_path: Path) -> None:
    if os.getuid() == 0:
        pytest.skip("as root the interpreter may lie where the service uid cannot reach it")
    with supervised(tmp_path, {"web": "deaf"}, bwrap="") as house:
        house.wait_ready()
        below = descendants(house.process.pid)
        house.process.kill()
        house.process.wait()
        assert until_gone(below, 2.0) == []


def test_a_stranger_is_not_heard_on_the_control_socket(tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("needs root, to be somebody else")
    with supervised(tmp_path) as house:
        house.wait_ready()
        for place in (house.paths.sockets_dir, *house.paths.sockets_dir.parents):
            if place != Path("/") and place.is_relative_to(tmp_path.parents[1]):
                place.chmod(0o711)
        house.paths.supervisor_socket.chmod(0o666)
        where = str(house.paths.supervisor_socket)
        program = (
            "import socket,sys;s=socket.socket(socket.AF_UNIX);s.connect(sys.argv[1]);"
            's.sendall(b\'{"ask":"stop"}\\n\');print(repr(s.recv(99)))'
        )
        done = subprocess.run(
            ["setpriv", "--reuid=12345", "--clear-groups", "/usr/bin/python3", "-I", "-c", program, where],
            capture_output=True,
            text=True,
            cwd="/",
        )
        assert done.stdout == "b''\n" or "ConnectionReset" in done.stderr or "BrokenPipe" in done.stderr
        assert house.ask({"ask": "status"})["phase"] == "open"
