"""`wirken run`, `stop`, `--version`, and a supervisor for the time of one command, as people meet them."""

from __future__ import annotations

import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.supervised import alive, descendants, free_port, until_gone

from wirken import __version__
from wirken.cli import daemon, plans
from wirken.config import default
from wirken.config.load import load
from wirken.config.paths import Paths

pytestmark = pytest.mark.slow
WIRKEN = (sys.executable, "-I", "-m", "wirken.cli.main")


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"WIRKEN_DATA_DIR": str(tmp_path / "d"), "HOME": str(tmp_path), "PATH": os.environ["PATH"]}


def wirken(environ: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*WIRKEN, *words], env=environ, capture_output=True, text=True, timeout=30)


@pytest.fixture
def running(environ: dict[str, str]) -> Iterator[tuple[subprocess.Popen[str], list[str], int]]:
    port = free_port()
    process = subprocess.Popen([*WIRKEN, "run", "--port", str(port)], env=environ, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if line.startswith("Wirken running"):
            break
    yield process, lines, port
    if process.poll() is None:
        process.kill()
    process.wait()
    process.stdout.close()


def test_run_says_what_it_is_and_only_then_that_it_runs(
    running: tuple[subprocess.Popen[str], list[str], int],
) -> None:
    _, lines, port = running
    assert lines == [
        f"wirken {__version__}",
        lines[1],
        "Route:    webchat -> agent:default",
        "Sandbox:  bubblewrap (no network, read-only root)",
        lines[4],
        f"WebChat:  http://localhost:{port}",
        "Wirken running. Press Ctrl+C to stop.",
    ]
    assert lines[1] == "Provider: rehearsal" or lines[1].startswith("Provider: ollama/")
    assert lines[4].startswith("Socket:   ")
    assert lines[4].endswith("/gateway.sock")


def test_run_becomes_the_supervisor_and_ctrl_c_ends_it_all(
    running: tuple[subprocess.Popen[str], list[str], int],
) -> None:
    process, _, _ = running
    assert b"wirken.supervisor" in Path(f"/proc/{process.pid}/cmdline").read_bytes()
    assert b"HOME" not in Path(f"/proc/{process.pid}/environ").read_bytes()
    below = descendants(process.pid)
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(5) == 0
    assert time.monotonic() - start < 2.0
    assert alive(below) == []


def test_a_second_run_and_a_busy_port_are_refused_with_the_fix(
    running: tuple[subprocess.Popen[str], list[str], int], environ: dict[str, str], tmp_path: Path
) -> None:
    process, _, port = running
    second = wirken(environ, "run")
    assert second.returncode == 69
    assert f"(pid {process.pid})" in second.stderr
    assert "wirken stop" in second.stderr
    elsewhere = wirken(environ | {"WIRKEN_DATA_DIR": str(tmp_path / "e")}, "run", "--port", str(port))
    assert elsewhere.returncode == 69
    assert f"Port {port} on 127.0.0.1 is already in use." in elsewhere.stderr
    assert elsewhere.stdout == ""


def test_stop_ends_a_running_wirken_and_says_so_when_there_is_none(
    running: tuple[subprocess.Popen[str], list[str], int], environ: dict[str, str]
) -> None:
    process, _, _ = running
    below = descendants(process.pid)
    done = wirken(environ, "stop", "--json")
    assert done.stdout == f'{{"stopped":{process.pid}}}\n'
    assert alive(below) == []
    again = wirken(environ, "stop")
    assert (again.returncode, again.stdout) == (0, "Wirken is not running.\n")


def test_a_wrong_configuration_is_refused_before_anything_starts(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "config.toml").write_text("[web]\nprot = 1\n")
    done = wirken(environ, "run")
    assert done.returncode == 78
    assert "config.toml:2" in done.stderr
    assert "Did you mean 'port'?" in done.stderr


def test_a_workspace_that_cannot_be_written_is_refused_with_the_fix(environ: dict[str, str], tmp_path: Path) -> None:
    place = tmp_path / "project"
    place.mkdir(mode=0o555)
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "config.toml").write_text(f'[agents.default]\nworkspace = "{place}"\n')
    done = wirken(environ, "run", "--port", str(free_port()))
    assert done.returncode == 64
    assert f"{place} cannot be written" in done.stderr
    assert done.stdout == ""


def test_an_unknown_command_gets_the_nearest_one() -> None:
    done = wirken({}, "stpo")
    assert done.returncode == 64
    assert "wirken stop" in done.stderr


def test_version_loads_next_to_nothing() -> None:
    program = "import sys; from wirken.cli.main import main; main(['--version']); print(len(sys.modules))"
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True)
    version, modules = done.stdout.split("\n")[:2]
    assert version == f"wirken {__version__}"
    assert int(modules) < 60

    def wall(*line: str) -> float:
        start = time.monotonic()
        subprocess.run(line, capture_output=True, check=True)
        return time.monotonic() - start

    bare = statistics.median(wall(sys.executable, "-I", "-c", "pass") for _ in range(9))
    ours = statistics.median(wall(*WIRKEN, "--version") for _ in range(9))
    assert ours < 6 * bare


def test_an_ephemeral_wirken_lives_for_the_block_and_is_shared(environ: dict[str, str], tmp_path: Path) -> None:
    paths = Paths(tmp_path / "d")
    default.write(paths.config_file, "rehearsal/rehearsal")
    plan = plans.make(paths, load(paths.config_file), environ, port=0, without=frozenset({"web"}))
    with daemon.present(paths, plan):
        pid = daemon.pid(paths)
        below = descendants(pid)
        with daemon.Control(paths) as control:
            rows = control.ask({"ask": "status"})["children"]
            assert isinstance(rows, list)
            assert {row["role"] for row in rows} == {"vault", "gateway", "runner", "outbound"}
        with daemon.present(paths, plan):
            assert daemon.pid(paths) == pid
        assert daemon.pid(paths) == pid
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(paths.operator_socket))
    assert daemon.pid(paths) == 0
    assert until_gone([pid, *below], 1.0) == []


def test_an_ephemeral_wirken_dies_with_a_killed_parent(environ: dict[str, str], tmp_path: Path) -> None:
    program = (
        "import sys, os, time; from pathlib import Path\n"
        "from wirken.cli import daemon, plans\n"
        "from wirken.config import default; from wirken.config.load import load\n"
        "from wirken.config.paths import Paths\n"
        "paths = Paths(Path(sys.argv[1])); default.write(paths.config_file, 'rehearsal/rehearsal')\n"
        "plan = plans.make(paths, load(paths.config_file), {}, port=0, without=frozenset({'web'}))\n"
        "with daemon.present(paths, plan): print(daemon.pid(paths), flush=True); time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-I", "-c", program, str(tmp_path / "d")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    below = [pid, *descendants(pid)]
    process.kill()
    process.wait()
    process.stdout.close()
    assert until_gone(below, 2.5) == []
