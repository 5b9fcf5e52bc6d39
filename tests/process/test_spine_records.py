"""`wirken sessions` and `wirken audit`: what they print, and an exit code for each verdict."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest
from tests.support.spine import wirken

from wirken.config.paths import Paths
from wirken.record.chain import leaf_hash, link_hash

pytestmark = pytest.mark.slow
SESSION = "default/terminal/s"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data directory that holds two sessions: one with tool calls, one of words only."""
    data = tmp_path_factory.mktemp("records") / "data"
    for text, session in (("run: curl https://httpbin.org/get\nwrite: a.txt <<< hi", "s"), ("say: hello", "t")):
        done = wirken(data, "ask", "-m", text, "--session", session)
        assert done.returncode == 0, done.stderr
    yield data


@pytest.fixture
def copy(recorded: Path, tmp_path: Path) -> Path:
    """A copy that may be tampered with."""
    shutil.copytree(recorded, tmp_path / "data")
    return tmp_path / "data"


def change(data: Path, statement: str, *values: object) -> None:
    db = apsw.Connection(str(Paths(data).audit_db))
    db.execute(statement, values)
    db.close()


def test_list_names_the_sessions_the_latest_first(recorded: Path) -> None:
    done = wirken(recorded, "sessions", "list")
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["SESSION", "ROWS", "LAST", "STATE", "FIRST", "MESSAGE"]
    assert [line.split()[0] for line in lines[1:]] == ["gateway/operations/log", "default/terminal/t", SESSION]
    assert "say: hello" in lines[2] and " open " in lines[2]
    values = json.loads(wirken(recorded, "sessions", "list", "--json").stdout)
    assert [(value["session"], value["closed"]) for value in values[1:]] == [
        ("default/terminal/t", False),
        (SESSION, False),
    ]


def test_show_prints_rows_in_the_documented_form(recorded: Path) -> None:
    shown = wirken(recorded, "sessions", "show", "s").stdout
    assert '     call: exec({"command":"curl https://httpbin.org/get"})\n' in shown
    assert "     action_key='shell:curl'  tier=tier3\n" in shown
    assert "     tool=exec success=False\n     output: Permission denied: 'exec' requires tier3 approval.\n" in shown
    assert "] attestation\n     chain_head_seq=" in shown
    rows = json.loads(wirken(recorded, "sessions", "show", SESSION, "--json").stdout)
    assert [row["payload"]["seq"] for row in rows] == list(range(len(rows)))
    previous = ""
    for row in rows:
        assert row["prev_hash"] == previous and row["hash"] == link_hash(previous, row["leaf_hash"])
        previous = row["hash"]


def test_a_session_that_verifies_is_exit_code_0(recorded: Path) -> None:
    done = wirken(recorded, "sessions", "verify", "s", "--strict")
    assert done.returncode == 0 and done.stdout.startswith(f"{SESSION}: verified\n")
    value = json.loads(wirken(recorded, "sessions", "verify", "s", "--json").stdout)
    assert (value["status"], value["attestations"], value["findings"]) == ("verified", 1, [])
    assert value["requests"] == 2 and value["tool_calls"] == 2
    last = wirken(recorded, "sessions", "verify")
    assert last.returncode == 0 and last.stdout.startswith("default/terminal/t: verified")


def test_offline_the_signatures_cannot_be_checked_which_counts_under_strict(recorded: Path) -> None:
    done = wirken(recorded, "sessions", "verify", "s", "--offline")
    assert done.returncode == 0 and "unverifiable" in done.stdout
    assert wirken(recorded, "sessions", "verify", "s", "--offline", "--strict").returncode == 2


def test_a_changed_payload_is_a_broken_chain_and_the_row_is_named(copy: Path) -> None:
    change(
        copy,
        "UPDATE session_events SET payload = replace(payload, 'curl', 'true') WHERE seq = 7 AND session_id = ?",
        SESSION,
    )
    for words in ((), ("--offline",)):
        done = wirken(copy, "sessions", "verify", "s", *words)
        assert done.returncode == 3 and "broken" in done.stdout and "row 7 was changed" in done.stdout
    value = json.loads(wirken(copy, "sessions", "verify", "s", "--json").stdout)
    assert value["findings"][0]["seq"] == 7 and value["status"] == "broken"


def test_a_record_that_was_changed_and_chained_anew_is_a_divergence(copy: Path) -> None:
    db = apsw.Connection(str(Paths(copy).audit_db))
    rows = db.execute("SELECT id, payload FROM session_events WHERE session_id = ? ORDER BY seq", (SESSION,)).fetchall()
    previous = ""
    for number, raw in rows:
        assert isinstance(raw, bytes)
        payload = raw.replace(b"curl", b"true")
        leaf = leaf_hash(payload)
        link = link_hash(previous, leaf)
        db.execute(
            "UPDATE session_events SET payload = ?, leaf_hash = ?, prev_hash = ?, hash = ? WHERE id = ?",
            (payload, leaf, previous, link, number),
        )
        previous = link
    db.close()
    done = wirken(copy, "sessions", "verify", "s")
    assert done.returncode == 1 and "divergence" in done.stdout
    assert "a head that this record does not have" in done.stdout


def test_a_cut_tail_is_a_divergence_for_whoever_can_ask_the_vault(copy: Path) -> None:
    change(copy, "DELETE FROM session_events WHERE session_id = ? AND seq > 4", SESSION)
    change(copy, "DELETE FROM unfinished")
    done = wirken(copy, "sessions", "verify", "s")
    assert done.returncode == 1 and "rows are missing at the end" in done.stdout
    assert wirken(copy, "sessions", "verify", "s", "--offline").returncode == 0, "the file alone cannot know"


def test_a_kind_from_the_future_is_unverifiable_and_counts_under_strict(copy: Path) -> None:
    db = apsw.Connection(str(Paths(copy).audit_db))
    [(seq, before, ts)] = db.execute(
        "SELECT seq, hash, ts FROM session_events WHERE session_id = ? ORDER BY seq DESC LIMIT 1", (SESSION,)
    ).fetchall()
    payload = (
        f'{{"kind":"dream","seq":{int(str(seq)) + 1},"session":"{SESSION}","trust":"gateway","ts":{ts},"v":1}}'
    ).encode()
    leaf = leaf_hash(payload)
    db.execute(
        "INSERT INTO session_events (session_id, seq, ts, trust, payload, leaf_hash, prev_hash, hash)"
        " VALUES (?, ?, ?, 'gateway', ?, ?, ?, ?)",
        (SESSION, int(str(seq)) + 1, ts, payload, leaf, before, link_hash(str(before), leaf)),
    )
    db.close()
    assert wirken(copy, "sessions", "verify", "s").returncode == 0
    done = wirken(copy, "sessions", "verify", "s", "--strict")
    assert done.returncode == 2 and "no known form" in done.stdout
    assert "unreadable" in wirken(copy, "sessions", "show", "s").stdout


def test_nothing_to_verify_is_exit_code_4(recorded: Path, tmp_path: Path) -> None:
    assert wirken(recorded, "sessions", "verify", "none").returncode == 4
    assert wirken(tmp_path / "empty", "sessions", "verify").returncode == 4
    assert wirken(tmp_path / "empty", "audit", "verify").returncode == 4
    assert not (tmp_path / "empty").exists() or not (tmp_path / "empty" / "gateway").exists()


def test_close_is_recorded_attested_and_final(copy: Path) -> None:
    done = wirken(copy, "sessions", "close", "s")
    assert (done.returncode, done.stdout) == (0, "Closed.\n")
    assert json.loads(wirken(copy, "sessions", "close", "s", "--json").stdout)["said"].endswith("closed already.")
    refused = wirken(copy, "ask", "-m", "say: more", "--session", "s")
    assert refused.returncode == 1 and "This session was closed." in refused.stderr
    assert wirken(copy, "sessions", "verify", "s", "--strict").returncode == 0
    listed = json.loads(wirken(copy, "sessions", "list", "--json").stdout)
    assert [value["session"] for value in listed if value["closed"]] == [SESSION]


def test_the_audit_log_shows_the_newest_rows_of_all_or_of_one(recorded: Path) -> None:
    lines = wirken(recorded, "audit", "log", "-n", "5").stdout.splitlines()
    assert lines[0].split() == ["ID", "TIME", "SESSION", "SEQ", "KIND", "WHAT"] and len(lines) == 6
    assert "gateway_stopped" in lines[-2] and "attestation" in lines[-1]
    rows = [json.loads(line) for line in wirken(recorded, "audit", "log", "--json", "-n", "1000").stdout.splitlines()]
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
    assert {row["payload"]["session"] for row in rows} == {"gateway/operations/log", SESSION, "default/terminal/t"}
    one = wirken(recorded, "audit", "log", "--session", "t").stdout
    assert "say: hello" in one and "curl" not in one


def test_the_audit_verifies_every_session_and_takes_the_worst(recorded: Path, copy: Path) -> None:
    done = wirken(recorded, "audit", "verify", "--strict")
    assert done.returncode == 0 and done.stdout.count(": verified") == 3
    change(copy, "UPDATE session_events SET ts = ts + 1 WHERE seq = 3 AND session_id = ?", SESSION)
    done = wirken(copy, "audit", "verify")
    assert done.returncode == 3 and done.stdout.count(": verified") == 2
    values = json.loads(wirken(copy, "audit", "verify", "--json").stdout)
    assert {value["session"]: value["status"] for value in values}[SESSION] == "broken"


def test_a_name_that_fits_several_sessions_is_refused(recorded: Path) -> None:
    done = wirken(recorded, "sessions", "show", "l")
    assert done.returncode == 4 and done.stderr
