"""`wirken approvals`, `status`, `stop SESSION`, `doctor` and `config` against a Wirken that really runs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.support.supervised import descendants, free_port
from tests.support.terminal import Terminal
from tests.support.wirken import WIRKEN, environment, running, wirken

from wirken import __version__
from wirken.cli.gateway import Gateway, connected
from wirken.config import default
from wirken.config.paths import Paths
from wirken.domain.events import ApprovalRefused
from wirken.domain.ids import OPERATIONS
from wirken.ipc.calls.operator import ApprovalRow
from wirken.ipc.frames import Asked, Inbound, Over, Row
from wirken.ipc.link import unpack
from wirken.record.canonical import decode
from wirken.record.reader import RecordReader

pytestmark = pytest.mark.slow


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    default.write(tmp_path / "d" / "config.toml", "rehearsal/rehearsal")
    return environment(tmp_path)


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def up(environ: dict[str, str], tmp_path: Path, port: int) -> Iterator[dict[str, str]]:
    with running(environ, tmp_path, port):
        yield environ


@contextlib.asynccontextmanager
async def saying(environ: dict[str, str], text: str) -> AsyncIterator[Gateway]:
    """A person at a terminal who has said something and may be asked."""
    paths = Paths(Path(environ["WIRKEN_DATA_DIR"]))
    async with connected(paths.operator_socket) as gateway:
        gateway.link.send(Inbound("m-1", "talk", text, agent="default", sender="test", interactive=True))
        yield gateway


async def asked(gateway: Gateway) -> ApprovalRow:
    async with asyncio.timeout(15):
        while True:
            frame = await gateway.frame()
            if isinstance(frame, Asked):
                return unpack(frame.approval, ApprovalRow)


async def told(gateway: Gateway) -> bytes:
    """Everything the record says until the turn is over."""
    rows = b""
    async with asyncio.timeout(15):
        while True:
            match await gateway.frame():
                case Row(payload=payload):
                    rows += payload
                case Over():
                    return rows


async def called(environ: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(wirken, environ, *words)


async def test_a_script_approves_exactly_the_call_that_it_saw(up: dict[str, str]) -> None:
    async with saying(up, "run: curl --version") as gateway:
        row = await asked(gateway)
        listed = json.loads((await called(up, "approvals", "list", "--json")).stdout)
        assert [entry["approval"] for entry in listed] == [row.approval]
        assert row.command in (await called(up, "approvals", "list")).stdout
        shown = (await called(up, "approvals", "show", row.approval[:6])).stdout
        assert row.call in shown
        assert row.lease in shown
        bare = await called(up, "approvals", "approve", row.approval, "--yes")
        assert (bare.returncode, "--lease" in bare.stderr) == (64, True)
        other = await called(up, "approvals", "approve", row.approval, "--yes", "--lease", "0" * 64)
        assert (other.returncode, "another SHA-256" in other.stderr) == (1, True)
        nobody = await called(up, "approvals", "approve", row.approval)
        assert (nobody.returncode, row.lease in nobody.stderr) == (64, True)
        tier3 = await called(up, "approvals", "approve", row.approval, "--remember", "--yes", "--lease", row.lease)
        assert (tier3.returncode, "once at a time" in tier3.stderr) == (1, True)
        done = await called(up, "approvals", "approve", row.approval, "--yes", "--lease", row.lease, "--json")
        assert json.loads(done.stdout) == {"approval": row.approval, "choice": "once", "lease": row.lease}
        rows = await told(gateway)
    assert b'"kind":"permission_approved"' in rows
    assert row.lease.encode() in rows
    late = await called(up, "approvals", "approve", row.approval, "--yes", "--lease", row.lease)
    assert (late.returncode, "not open any more: it was allowed once" in late.stderr) == (1, True)
    late = await called(up, "approvals", "deny", row.approval)
    assert (late.returncode, "not open any more: it was allowed once" in late.stderr) == (1, True)
    made_up = await called(up, "approvals", "deny", "no-such-question")
    assert (made_up.returncode, "not open any more" in made_up.stderr) == (1, True)
    reader = RecordReader(Paths(Path(up["WIRKEN_DATA_DIR"])).audit_db)
    with contextlib.closing(reader):
        facts = [decode(stored.payload).fact for stored in reader.rows(OPERATIONS)]
    refused = [fact.reason for fact in facts if isinstance(fact, ApprovalRefused)]
    assert [reason.split(":")[0] for reason in refused] == [
        "The answer is for another call than the one that waits.",
        "A Tier 3 call is approved once at a time; nothing is stored.",
        *["This question is not open any more"] * 3,
    ]


async def test_a_person_sees_the_exact_call_before_the_question(up: dict[str, str]) -> None:
    async with saying(up, "run: curl https://example.com/\u202egnp.exe") as gateway:
        row = await asked(gateway)
        for answer, code in (("n", 1), ("y", 0)):
            terminal = Terminal([*WIRKEN, "approvals", "approve", row.approval], up)
            await asyncio.to_thread(terminal.see, row.lease)
            await asyncio.to_thread(terminal.see, "Allow this call, once? [y/N] ")
            terminal.type(f"{answer}\n")
            assert await asyncio.to_thread(terminal.end) == code
            assert "\u202e" not in terminal.shown
            assert "\\u202e" in terminal.shown
        assert b'"kind":"permission_approved"' in await told(gateway)


async def test_a_denial_carries_its_reason_to_the_model(up: dict[str, str]) -> None:
    async with saying(up, "run: curl --version") as gateway:
        row = await asked(gateway)
        done = await called(up, "approvals", "deny", row.approval, "--reason", "Not today.")
        assert (done.returncode, done.stdout) == (0, "Refused.\n")
        rows = await told(gateway)
    assert b'"kind":"permission_denied"' in rows
    assert b"Not today." in rows


async def test_stop_with_a_session_ends_its_turn_and_nothing_else(up: dict[str, str]) -> None:
    wirken(up, "permissions", "approve", "shell:sleep")
    async with saying(up, "run: sleep 60") as gateway:
        async with asyncio.timeout(15):
            while b"tool_permitted" not in getattr(await gateway.frame(), "payload", b""):
                pass
        start = time.monotonic()
        done = await called(up, "stop", "talk", "--json")
        assert json.loads(done.stdout) == {"session": "default/terminal/talk", "said": "Stopped."}
        assert b'"stopped"' in await told(gateway)
        assert time.monotonic() - start < 5
    assert wirken(up, "stop", "talk").stdout == "No turn runs in this session.\n"
    assert wirken(up, "status").returncode == 0


def test_status_shows_the_processes_and_what_they_do(up: dict[str, str], port: int) -> None:
    data = json.loads(wirken(up, "status", "--json").stdout)
    assert (data["state"], data["page"]) == ("running", f"http://localhost:{port}")
    children = {row["role"]: row for row in data["supervisor"]["children"]}
    assert set(children) == {"vault", "gateway", "runner", "outbound", "web"}
    for row in children.values():
        assert (row["state"], row["restarts"]) == ("ready", 0)
        assert row["ready_ms"] > 0
        os.kill(row["pid"], 0)
    assert data["gateway"]["sandbox"] == "bubblewrap"
    assert data["vault"] == {"protection": "keyfile", "sealed": False, "credentials": 0}
    assert 0 <= data["uptime"] < 60
    done = wirken(up, "status")
    assert done.returncode == 0
    for text in ("running", str(data["pid"]), __version__, "rehearsal/rehearsal", "keyfile", "gateway", "bubblewrap"):
        assert text in done.stdout
    os.kill(children["outbound"]["pid"], signal.SIGKILL)
    until = time.monotonic() + 10
    while "outbound (1)" not in wirken(up, "doctor", "--check", "processes").stdout:
        assert time.monotonic() < until


def test_status_answers_while_the_gateway_does_not(up: dict[str, str]) -> None:
    data = json.loads(wirken(up, "status", "--json").stdout)
    [gateway] = [row["pid"] for row in data["supervisor"]["children"] if row["role"] == "gateway"]
    stopped = [gateway, *descendants(gateway)]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        done = wirken(up, "status", "--json")
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    found = json.loads(done.stdout)
    assert (done.returncode, found["gateway"]) == (0, None)
    assert found["said"] == "The gateway does not answer."


def test_where_nothing_runs_each_command_says_so(environ: dict[str, str]) -> None:
    done = wirken(environ, "status", "--json")
    assert (done.returncode, json.loads(done.stdout)["state"]) == (3, "stopped")
    assert "does not run" in wirken(environ, "status").stdout
    assert json.loads(wirken(environ, "approvals", "list", "--json").stdout) == []
    for words in (("approvals", "show", "ab"), ("stop", "talk"), ("unlock",)):
        assert wirken(environ, *words).returncode == 69, words


def test_doctor_finds_a_fresh_installation_usable_and_a_running_one_well(
    environ: dict[str, str], tmp_path: Path, port: int
) -> None:
    alone = wirken(environ, "doctor", "--json")
    assert alone.returncode == 0, alone.stdout
    with running(environ, tmp_path, port):
        wirken(environ, "ask", "-m", "say: x")
        up = wirken(environ, "doctor", "--json")
        assert "Traceback" not in up.stderr
    found = {row["id"]: row for row in json.loads(up.stdout)["findings"]}
    assert up.returncode == 0, up.stdout
    for name in ("sandbox", "processes", "page-port", "vault-sealed", "record", "attestations", "credentials"):
        assert found[name]["severity"] == "ok", found[name]
    walls = [row for row in json.loads(up.stdout)["findings"] if row["id"] == "confinement"]
    assert [(row["severity"], row["seen"].split()[0]) for row in walls] == [
        ("ok", role) for role in ("vault", "gateway", "runner", "outbound", "web")
    ], walls
    assert found["device-key"]["severity"] == "yellow"
    assert f"{port} is ours" in found["page-port"]["seen"]
    assert "Traceback" not in (tmp_path / "run.log").read_text()


def test_doctor_turns_red_for_a_key_file_with_credentials_and_for_a_missing_one(environ: dict[str, str]) -> None:
    config = Path(environ["WIRKEN_DATA_DIR"]) / "config.toml"
    config.write_text('[providers.p]\nkind = "openai"\nbase_url = "https://127.0.0.1:9/v1"\ncredential = "absent"\n')
    assert wirken(environ, "credentials", "add", "mine", "--stdin", given="x").returncode == 0
    shallow = wirken(environ, "doctor", "--check", "device-key")
    assert (shallow.returncode, "--deep looks" in shallow.stdout) == (0, True)
    deep = wirken(environ, "doctor", "--deep", "--check", "device-key", "--check", "credentials", "--json")
    rows = json.loads(deep.stdout)["findings"]
    assert deep.returncode == 1
    assert [(row["id"], row["severity"]) for row in rows] == [("device-key", "red"), ("credentials", "red")]
    assert rows[1]["fix"] == "wirken credentials add absent"


def test_doctor_mends_what_is_open_to_others(environ: dict[str, str]) -> None:
    data = Path(environ["WIRKEN_DATA_DIR"])
    (data / "config.toml").chmod(0o644)
    assert wirken(environ, "doctor", "--check", "data-directory").returncode == 1
    mended = wirken(environ, "doctor", "--check", "data-directory", "--fix")
    assert (mended.returncode, "mended" in mended.stderr) == (0, True)
    assert (data / "config.toml").stat().st_mode & 0o777 == 0o600


def test_doctor_names_a_broken_record_and_a_wrong_configuration(environ: dict[str, str]) -> None:
    assert wirken(environ, "ask", "-m", "say: one byte").returncode == 0
    paths = Paths(Path(environ["WIRKEN_DATA_DIR"]))
    raw = paths.audit_db.read_bytes()
    assert raw.count(b"say: one byte") >= 1
    paths.audit_db.write_bytes(raw.replace(b"say: one byte", b"say: two byte"))
    paths.config_file.write_text("[web]\nprot = 1\n")
    done = wirken(environ, "doctor", "--json")
    found = {row["id"]: row for row in json.loads(done.stdout)["findings"]}
    assert done.returncode == 1
    assert found["record"]["severity"] == "red"
    assert "sessions verify default/terminal/" in found["record"]["fix"]
    assert (found["config"]["severity"], found["config"]["fix"]) == ("red", "Did you mean 'port'?")


def test_doctor_refuses_an_unknown_check_and_names_the_known_ones(environ: dict[str, str]) -> None:
    done = wirken(environ, "doctor", "--check", "nonsense")
    assert (done.returncode, "bubblewrap" in done.stderr) == (64, True)


def test_config_says_where_it_is_what_holds_and_what_is_wrong(environ: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "d" / "config.toml"
    assert wirken(environ, "config", "path").stdout == f"{file}\n"
    assert json.loads(wirken(environ, "config", "path", "--json").stdout) == {"path": str(file), "exists": True}
    assert "web.port = 18790\n" in wirken(environ, "config", "show").stdout
    assert json.loads(wirken(environ, "config", "check", "--json").stdout)["valid"] is True
    file.write_text('[agents.default]\nworkspace = "/etc"\n[providers.p]\nkind = "openai"\nbase_url = "http://x.org"\n')
    done = wirken(environ, "config", "check", "--json")
    problems = [row["said"] for row in json.loads(done.stdout)["problems"]]
    assert done.returncode == 78
    assert ["belongs to the system" in problems[0], "http://" in problems[1]] == [True, True]
    file.unlink()
    missing = wirken(environ, "config", "check")
    assert (missing.returncode, wirken(environ, "config", "show").returncode) == (78, 0)
    assert not file.exists()


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("doctor",),
        ("config", "show"),
        ("approvals", "list"),
        ("unlock",),
        ("credentials", "--help"),
        ("keys", "--help"),
    ],
)
def test_where_no_daemon_is_needed_none_is_started(environ: dict[str, str], words: tuple[str, ...]) -> None:
    """How soon their first words come is a figure of `make bench`."""
    data = Path(environ["WIRKEN_DATA_DIR"])
    done = subprocess.run([*WIRKEN, *words], env=environ, capture_output=True, text=True, timeout=40, check=False)
    assert done.stdout + done.stderr
    assert not list(data.glob("sockets/*"))
