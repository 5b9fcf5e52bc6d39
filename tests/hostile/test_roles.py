"""Every attack in every role, inside the real processes behind their real walls: the answer is that of roles.jsonl.

Each line of the table says what is tried and why, what each role gets (`done`, the name of an error number, or a word),
what comes of it without any wall, why what is allowed is allowed, and what is otherwise where Wirken runs as an
ordinary user (`any`: takes root to prove). Alternatives have `|` between them.
"""

from __future__ import annotations

import json
import os
import runpy
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from tests.hostile.roles import files, floods, kernel, networks, peers, processes

ROOT: Final = Path(__file__).parents[2]
PLAYED: Final = ("vault", "gateway", "runner", "outbound", "web", "channel")
LINES: Final[list[dict[str, Any]]] = [
    json.loads(line) for line in (Path(__file__).parent / "roles.jsonl").read_text().splitlines()
]
AS_ROOT: Final = os.getuid() == 0


def expected(line: dict[str, Any], role: str) -> list[str]:
    """Return the answers that are right."""
    answer = line[role] if AS_ROOT else line.get("user", {}).get(role, line[role])
    return str(answer).split("|")


@pytest.fixture(scope="module")
def played() -> Iterator[dict[tuple[str, str], str]]:
    """What came of every attack in every role, by role and attack.

    Below /var/tmp, because a view has a /tmp of its own.
    """
    folder = Path(tempfile.mkdtemp(prefix="wirken-red-", dir="/var/tmp"))
    folder.chmod(0o755)
    namespaces = ["unshare", "--mount", "--net"] if AS_ROOT else []
    stage = ROOT / "tests" / "hostile" / "roles" / "stage.py"
    try:
        done = subprocess.run(
            [*namespaces, sys.executable, "-I", str(stage), str(folder)],
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    outcomes = {(one["role"], one["attack"]): one["said"] for one in told["said"]}
    assert all((role, "") in outcomes for role in (*PLAYED, "bare")), told["log"]
    outcomes["", "log"] = told["log"]
    yield outcomes


@pytest.mark.slow
@pytest.mark.parametrize("role", PLAYED)
def test_a_captured_process_can_do_what_its_row_allows_and_nothing_else(
    played: dict[tuple[str, str], str], role: str
) -> None:
    wrong = {
        line["id"]: (played.get((role, line["id"]), "no answer"), line[role])
        for line in LINES
        if played.get((role, line["id"])) not in expected(line, role)
    }
    assert not wrong, f"attack: (what came of it, what must come of it); {played['', 'log'][-4000:]}"


@pytest.mark.slow
def test_the_same_attacks_work_without_walls(played: dict[tuple[str, str], str]) -> None:
    wrong = {
        line["id"]: (played.get(("bare", line["id"]), "no answer"), line["bare"])
        for line in LINES
        if expected(line, "bare") != ["any"] and played.get(("bare", line["id"])) not in expected(line, "bare")
    }
    assert not wrong


@pytest.mark.slow
@pytest.mark.parametrize("role", PLAYED)
def test_the_attacks_left_the_process_alive_and_at_work(played: dict[tuple[str, str], str], role: str) -> None:
    assert played[role, "survives"] == "alive", played["", "log"]


def test_the_table_has_a_line_for_every_attack_and_an_attack_for_every_line() -> None:
    parts = (files.FORKED, processes.FORKED, networks.FORKED, kernel.FORKED, floods.FORKED, peers.HERE)
    assert sorted(line["id"] for line in LINES) == sorted(name for part in parts for name in part)
    assert len(LINES) >= 100


@pytest.mark.parametrize("line", LINES, ids=lambda line: str(line["id"]))
def test_whatever_is_allowed_has_its_reason_and_whatever_is_not_proven_too(line: dict[str, Any]) -> None:
    assert line["does"] and line["why"] and line["group"]
    assert set(line) <= {"id", "group", "does", "why", *PLAYED, "bare", "granted", "unproven", "user"}
    allowed = {role for role in PLAYED if "done" in f"{line[role]}|{line.get('user', {}).get(role, '')}".split("|")}
    assert allowed == set(line.get("granted", {}))
    assert (line["bare"] == "done") == ("unproven" not in line)


def test_the_documented_matrix_is_the_table() -> None:
    tool = runpy.run_path(str(ROOT / "tools" / "redteam.py"))
    assert tool["PAGE"].read_text() == tool["page"](tool["PAGE"].read_text()), "run: python tools/redteam.py"
