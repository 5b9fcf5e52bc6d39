"""An organisation's policy and `wirken policy show`, against a Wirken that really runs."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
from tests.support.spine import Spine, spine, wirken

from wirken.domain.events import ConfigurationRead, PermissionDenied
from wirken.domain.ids import OPERATIONS

pytestmark = pytest.mark.slow


def config(file: Path) -> str:
    return "\n".join(
        [
            "[policy]",
            'blocked_tools = ["write_file"]',
            f'file = "{file}"',
            "[budgets.daily]",
            "model_calls = 100",
        ]
    )


def denied(one: Spine, words: str) -> list[PermissionDenied]:
    done = wirken(one.data, "ask", "-m", words)
    assert done.returncode == 0, done.stderr
    session = next(row["session"] for row in json.loads(wirken(one.data, "sessions", "list", "--json").stdout))
    return [fact for fact in one.facts(session) if isinstance(fact, PermissionDenied)]


def test_a_policy_beyond_the_gateways_view_is_in_force_recorded_and_shown(tmp_path: Path) -> None:
    file = tmp_path / "elsewhere" / "policy.toml"
    file.parent.mkdir()
    file.write_text('# ours\nallowed_tools = ["list_*", "exec"]\n')
    with spine(tmp_path, config(file)) as one:
        [read] = [fact for fact in one.facts(OPERATIONS) if isinstance(fact, ConfigurationRead)]
        assert read.policy_sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
        assert denied(one, "list: .") == []
        assert [fact.rule for fact in denied(one, "read: notes.txt")] == ["policy:allowed_tools"]
        assert [fact.rule for fact in denied(one, "write: notes.txt <<< hello")] == ["policy:blocked_tools"]
        file.write_text("")  # nobody reads it again, not even for a gateway that is restarted
        one.kill("gateway")
        assert [fact.rule for fact in denied(one, "read: notes.txt")] == ["policy:allowed_tools"]
        shown = wirken(one.data, "policy", "show")
        assert shown.returncode == 0 and str(file) in shown.stdout and "daily" in shown.stdout
        report = json.loads(wirken(one.data, "policy", "show", "--json").stdout)
        assert {row["tool"]: row["rule"] for row in report["tools"]} == {
            "exec": "",
            "http_request": "policy:allowed_tools",
            "list_files": "",
            "read_file": "policy:allowed_tools",
            "send_file": "policy:allowed_tools",
            "web_search": "policy:allowed_tools",
            "write_file": "policy:blocked_tools",
        }
        [budget] = report["budgets"]
        assert budget["used"] >= 8 and budget["limit"] == 100


@pytest.mark.parametrize("content", [None, "allowed_tols = []"])
def test_a_policy_that_cannot_be_used_refuses_every_tool(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "policy.toml"
    if content is not None:
        file.write_text(content)
    with spine(tmp_path, config(file)) as one:
        assert [fact.rule for fact in denied(one, "list: .")] == ["policy:unreadable"]
        checked = wirken(one.data, "config", "check")
        assert checked.returncode == 78 and str(file) in checked.stdout + checked.stderr
        shown = wirken(one.data, "policy", "show")
        assert "refuses everything" in shown.stdout


def test_a_policy_is_read_for_a_wirken_that_one_command_starts(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text("allowed_tools = []\n")
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    (data / "config.toml").write_text(config(file))
    os.chmod(file, 0o600)
    report = json.loads(wirken(data, "policy", "show", "--json").stdout)
    assert {row["rule"] for row in report["tools"]} == {"policy:allowed_tools", "policy:blocked_tools"}
