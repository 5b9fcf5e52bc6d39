from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

EXEC = Path(__file__).parents[2] / "hostile" / "exec.jsonl"


def explain(tmp_path: Path, *words: str, lines: str | bytes = "") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "wirken.cli.main", "permissions", "explain", *words],
        input=lines.encode() if isinstance(lines, str) else lines,
        capture_output=True,
        env={"PATH": os.environ["PATH"], "WIRKEN_DATA_DIR": str(tmp_path)},
        timeout=60,
    )


def answers(tmp_path: Path, *words: str, lines: str | bytes = "") -> list[dict[str, Any]]:
    ran = explain(tmp_path, *words, "--json", lines=lines)
    assert ran.returncode == 0, ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]


def test_one_call_is_explained_by_its_arguments_or_its_command_line(tmp_path: Path) -> None:
    by_arguments = answers(tmp_path, "exec", '{"command": "ls; rm x"}')
    by_command = answers(tmp_path, "--command", "ls; rm x")
    assert by_arguments == by_command
    (one,) = by_command
    assert one.keys() == {"id", "decision", "tier", "keys", "reasons"}
    assert (one["id"], one["decision"], one["tier"]) == (None, "ask", "tier3")
    assert one["keys"] == ["shell:ls", "shell:rm"]
    assert "removes" in one["reasons"][0]


def test_lines_are_explained_one_by_one_and_bad_ones_refused(tmp_path: Path) -> None:
    lines = [
        b'{"tool": "exec", "args": {"command": "ls"}, "id": "first"}',
        b"no json",
        b"",
        b'{"tool": "read_file", "args": {"path": "a"}, "id": 7, "agent": "default", "principal": "p", "channel": "c"}',
        b'{"tool": "read_file", "args": {"path": "/etc/passwd"}}',
        b'{"tool": "exec", "args": {"command": "ls", "argv": ["ls"]}, "id": "both"}',
        b'{"tool": "exec", "args": {"command": "ls", "command": "rm x"}, "id": "twice"}',
        b'{"tool": "unknown", "args": {}, "id": "unknown"}',
        b'{"id": "no tool"}',
        b'{"tool": "exec", "args": {"command": "ls"}, "agent": "nobody", "id": "agent"}',
        b'{"tool": "exec", "args": {"command": "ls"}, "channel": "A B", "id": "channel"}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"tool": "exec", "args": {"command": "\\ud800"}, "id": "surrogate"}',
        b'{"tool": "exec", "args": {"argv": ["rm"]}}',
    ]
    found = answers(tmp_path, lines=b"\n".join(lines))
    seen = [(one["id"], one["decision"], one["tier"]) for one in found]
    assert seen == [
        ("first", "ask", "tier2"),
        (2, "refuse", "tier3"),
        (7, "allow", "tier1"),
        (5, "refuse", "tier2"),
        ("both", "refuse", "tier3"),
        ("twice", "refuse", "tier3"),
        ("unknown", "refuse", "tier3"),
        ("no tool", "refuse", "tier3"),
        ("agent", "refuse", "tier3"),
        ("channel", "refuse", "tier3"),
        (12, "refuse", "tier3"),
        (13, "refuse", "tier3"),
        ("surrogate", "refuse", "tier3"),
        (15, "ask", "tier3"),
    ]
    assert all(one["keys"] and one["reasons"] for one in found)
    assert ["half of a character" in one["reasons"][0] for one in found] == [one["id"] == "surrogate" for one in found]


def test_the_profile_comes_from_the_configuration_or_the_command_line(tmp_path: Path) -> None:
    assert answers(tmp_path, "--command", "ls | wc")[0]["tier"] == "tier2"
    assert answers(tmp_path, "--command", "ls | wc", "--profile", "strict")[0]["keys"][0] == "shell::pipeline:"
    (tmp_path / "config.toml").write_text('[permissions]\nexec = "strict"\n')
    assert answers(tmp_path, "--command", "ls | wc")[0]["tier"] == "tier3"
    assert answers(tmp_path, "--command", "ls | wc", "--profile", "standard")[0]["tier"] == "tier2"


def test_the_agents_place_comes_from_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(f'[agents.default]\nread_only = ["{tmp_path}"]\n')
    assert answers(tmp_path, "--command", "python x")[0]["tier"] == "tier3"
    (tmp_path / "config.toml").write_text('[sandbox]\nmode = "off"\n')
    assert answers(tmp_path, "--command", "ls")[0]["decision"] == "refuse"


def test_a_person_reads_lines_without_control_characters(tmp_path: Path) -> None:
    ran = explain(tmp_path, "--command", "ls \x1b[2J")
    assert b"\x1b" not in ran.stdout
    assert ran.stdout.startswith(b"ask  tier3  shell::dynamic: shell:ls\n    It holds")


def test_a_configuration_that_cannot_be_read_explains_nothing(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[permissions]\nexec = "lax"\n')
    ran = explain(tmp_path, "--command", "ls")
    assert ran.returncode == 78
    assert b"permissions.exec" in ran.stderr


def test_half_a_call_is_a_usage_error(tmp_path: Path) -> None:
    assert explain(tmp_path, "exec").returncode == 64
    assert explain(tmp_path, "--profile", "lax").returncode == 64


@pytest.mark.slow
def test_ten_thousand_lines_are_all_explained_and_alike(tmp_path: Path) -> None:
    """How long they take is a figure of `make bench` (`explain`)."""
    corpus = [json.loads(line) for line in EXEC.read_text().splitlines()]
    lines = [json.dumps({"tool": one["tool"], "args": one["args"]}) for one in corpus]
    found = answers(tmp_path, lines="\n".join((lines * (10_000 // len(lines) + 1))[:10_000]))
    assert [one["id"] for one in found] == list(range(1, 10_001))
    first = [{**one, "id": 0} for one in found[: len(lines)]]
    assert [{**one, "id": 0} for one in found] == (first * (10_000 // len(lines) + 1))[:10_000]
