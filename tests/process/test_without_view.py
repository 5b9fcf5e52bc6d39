"""Wirken where no view can be made and `allow_missing = ["view"]` says so: what each process puts on itself stays."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.spine import environment, until, wirken
from tests.support.supervised import descendants, free_port, until_gone

from wirken.cli import plans
from wirken.config.load import load
from wirken.config.paths import Paths
from wirken.supervisor.plan import encode

pytestmark = pytest.mark.slow


def test_every_process_still_walls_itself_in_and_a_turn_works(tmp_path: Path) -> None:
    if os.getuid() == 0:
        pytest.skip("as root the interpreter may lie where the service uid cannot reach it; run as an ordinary user")
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    paths = Paths(data)
    paths.config_file.write_text('[confine]\nallow_missing = ["view"]\n')
    plan = plans.make(paths, load(paths.config_file), environment(data), port=free_port(), without=frozenset())
    read, write = os.pipe()
    os.write(write, encode(plan._replace(bwrap="", without=("view",))))
    os.close(write)
    out = tmp_path / "out"
    with out.open("wb") as file:
        line = [sys.executable, "-I", "-m", "wirken.supervisor", "--plan-fd", str(read)]
        process = subprocess.Popen(line, pass_fds=[read], stdin=subprocess.DEVNULL, stdout=file, stderr=file)
    os.close(read)
    try:
        until(lambda: "Wirken running" in out.read_text() or process.poll() is not None, out.read_text)
        assert wirken(data, "ask", "-m", "write: a.txt <<< hi\nread: a.txt").returncode == 0
        found = json.loads(wirken(data, "doctor", "--check", "confinement", "--json").stdout)["findings"]
        assert [row["severity"] for row in found] == ["ok"] * 5 + ["red"], found
        assert "without view" in found[5]["seen"]
        assert "namespaces" not in found[0]["seen"] and "landlock-scope" in found[0]["seen"]
        configuration = wirken(data, "audit", "log", "--json").stdout
        assert '"walls_missing":["view"]' in configuration.replace(" ", "").replace("\\", "")
    finally:
        below = descendants(process.pid)
        process.terminate()
        process.wait(10)
        until_gone(below, 5.0)
