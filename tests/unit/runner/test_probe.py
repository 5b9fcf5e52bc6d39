"""Where no sandbox can be made, nothing is run, and the answer says why."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.runner_client import runner
from tests.support.walled import owned

from wirken.runner.probe import unavailable

pytestmark = pytest.mark.slow


def failing_bubblewrap(folder: Path, words: str) -> tuple[str, ...]:
    """Return view arguments that replace bubblewrap by a program that only says `words`."""
    script = owned(folder) / "bwrap"
    script.write_text(f"#!/bin/sh\necho '{words}' >&2\nexit 1\n")
    script.chmod(0o755)
    return ("--ro-bind", str(script), "/usr/bin/bwrap")


def test_a_bubblewrap_that_fails_means_no_exec_and_never_the_host(tmp_path: Path) -> None:
    view = failing_bubblewrap(tmp_path / "fake", "bwrap: setting up uid map: Permission denied")
    with runner(tmp_path, "watchdog", view=view) as client:
        report = client.status()
        assert (report.kind, report.limits) == ("none", "")
        assert "setting up uid map: Permission denied" in report.reason
        ran = client.sh("touch ran; echo here")
        assert (ran.outcome, ran.exit_code) == ("denied", None)
        assert ran.output.startswith("The command was not run: no sandbox. ")
        assert "Permission denied" in ran.output
        assert list(client.workspace.iterdir()) == []
        assert client.run("write_file", path="a", content="b").outcome == "ok"


def test_an_old_bubblewrap_is_named_as_the_reason(tmp_path: Path) -> None:
    view = failing_bubblewrap(tmp_path / "fake", "bwrap: Unknown option --size")
    with runner(tmp_path, "watchdog", view=view) as client:
        assert "older than 0.7.0" in client.status().reason


def test_a_bubblewrap_that_cannot_be_started_is_reported(tmp_path: Path) -> None:
    with runner(tmp_path, "watchdog", view=("--ro-bind", "/dev/null", "/usr/bin/bwrap")) as client:
        assert client.status().kind == "none"
        assert client.sh("echo here").outcome == "denied"


def test_a_machine_without_bubblewrap_is_told_how_to_get_it(tmp_path: Path) -> None:
    report = unavailable("", tmp_path)
    assert (report.kind, "not installed" in report.reason, bool(report.fix)) == ("none", True, True)
