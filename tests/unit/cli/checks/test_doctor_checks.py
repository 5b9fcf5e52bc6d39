from __future__ import annotations

import compileall
import os
import time
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from wirken.cli.checks import configuration, keys, place, processes, program, walls
from wirken.cli.checks.finding import Check, Finding, Look, Severity, info, red
from wirken.cli.checks.installation import Installation, Walls
from wirken.cli.checks.registry import CHECKS
from wirken.cli.doctor import described, looked
from wirken.cli.output import plain
from wirken.cli.status import Process, Status, Supervisor
from wirken.config.paths import Paths
from wirken.domain.errors import Unavailable
from wirken.ipc.calls.operator import GatewayReport
from wirken.ipc.calls.vault import CredentialRow, VaultReport

NOW = int(time.time() * 1000)
DOCS = Path(__file__).parents[4] / "docs" / "doctor.md"


def status(**changes: object) -> Status:
    children = tuple(Process(role, 1, "ready", 0, 5) for role in ("vault", "gateway"))
    supervisor = Supervisor("0.1.0", 1, "/d", 0, True, False, "open", children)
    known: dict[str, object] = {"state": "running", "pid": 1, "uptime": 60, "supervisor": supervisor}
    return Status(**(known | changes))  # type: ignore[arg-type]  # fields by name, from tests


@pytest.fixture
def home(tmp_path: Path) -> Installation:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    return Installation(Paths(data), {}, os.getuid(), NOW, None, root=tmp_path / "root")


def seen(look: Look, home: Installation) -> list[tuple[str, str]]:
    return [(finding.severity.value, finding.seen) for finding in look(home)]


def worst(look: Look, home: Installation) -> str:
    return max((finding.severity for finding in look(home)), key=lambda one: one.weight).value


def test_the_documented_checks_are_those_of_the_registry() -> None:
    rows = [f"| {check.id} | {check.about} |" for check in CHECKS]
    documented = DOCS.read_text().split("## Checks\n")[1].split("## Adding")[0].strip().splitlines()
    assert documented[2:] == rows
    assert len({check.id for check in CHECKS}) == len(rows)
    assert all(len(check.id) <= 16 for check in CHECKS)


def test_a_check_that_fails_is_a_finding_and_ends_nothing(home: Installation) -> None:
    def failing(_: Installation) -> Iterator[Finding]:
        yield info("before")
        raise Unavailable("It broke.", hint="Mend it.")

    [finding] = looked(Check("x", "", failing), home)
    assert (finding.severity, finding.why, finding.fix) == (Severity.RED, "It broke.", "Mend it.")


def test_a_finding_has_its_reason_and_its_fix_below_it() -> None:
    lines = [plain(line) for line in described("x", red("broken", "because", "do this"))]
    assert lines[0].split() == ["red", "x", "broken"]
    assert [line.strip() for line in lines[1:]] == ["because", "fix: do this"]


# --- program ---------------------------------------------------------------------------------------------


def test_a_module_that_is_not_compiled_or_newer_than_that_is_noticed(tmp_path: Path) -> None:
    source = tmp_path / "module.py"
    source.write_text("x = 1\n")
    assert not program.compiled(source)
    compileall.compile_file(source, quiet=2)
    assert program.compiled(source)
    source.write_text("x = 22\n")
    assert not program.compiled(source)


def test_this_interpreter_will_do(home: Installation) -> None:
    assert worst(program.python, home) == "ok"


# --- walls -----------------------------------------------------------------------------------------------


def sysctl(home: Installation, name: str, value: str) -> None:
    file = home.root / "proc/sys" / name.replace(".", "/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{value}\n")


def machine_with_bwrap(home: Installation, found: Walls) -> None:
    (home.root / "usr/bin").mkdir(parents=True)
    (home.root / "usr/bin/bwrap").touch()
    home.__dict__["walls"] = found


@pytest.mark.parametrize(
    ("switch", "value", "fix"),
    [
        ("kernel.apparmor_restrict_unprivileged_userns", "1", "apparmor_parser -r /etc/apparmor.d/wirken-bwrap"),
        ("kernel.unprivileged_userns_clone", "0", "sudo sysctl kernel.unprivileged_userns_clone=1"),
        ("user.max_user_namespaces", "0", "sudo sysctl user.max_user_namespaces"),
    ],
)
def test_a_machine_that_forbids_namespaces_gets_the_commands_that_help(
    home: Installation, switch: str, value: str, fix: str
) -> None:
    machine_with_bwrap(home, Walls(False, False, "no"))
    sysctl(home, switch, value)
    [finding] = walls.user_namespaces(home)
    assert finding.severity is Severity.RED
    assert switch in finding.seen
    assert fix in finding.fix


def test_ubuntu_with_our_profile_is_fine(home: Installation) -> None:
    machine_with_bwrap(home, Walls(True, True))
    sysctl(home, "kernel.apparmor_restrict_unprivileged_userns", "1")
    profile = home.root / "etc/apparmor.d/wirken-bwrap"
    profile.parent.mkdir(parents=True)
    profile.touch()
    [finding] = walls.user_namespaces(home)
    assert (finding.severity, "profile is installed" in finding.seen) == (Severity.INFO, True)


def test_a_sandbox_that_cannot_be_made_is_red_with_the_reason(home: Installation) -> None:
    machine_with_bwrap(home, Walls(True, False, "It said no."))
    [finding] = walls.sandbox(home)
    assert (finding.severity, finding.why) == (Severity.RED, "It said no.")


def test_commands_that_are_switched_off_are_named(home: Installation) -> None:
    machine_with_bwrap(home, Walls(True, False, "It said no."))
    home.paths.config_file.write_text('[sandbox]\nmode = "off"\n')
    [finding] = walls.sandbox(home)
    assert (finding.severity, "no command is run" in finding.seen) == (Severity.INFO, True)


@pytest.mark.parametrize(("kind", "severity"), [("cgroup-v2", "ok"), ("cgroup-v1", "ok"), ("watchdog", "yellow")])
def test_limits_without_a_cgroup_are_yellow(home: Installation, kind: str, severity: str) -> None:
    report = GatewayReport(
        **{field: "" for field in GatewayReport.__struct_fields__} | {"sandbox_limits": kind}  # type: ignore[arg-type]  # by name
    )
    home.running = status(gateway=report)
    [finding] = walls.limits_kept(home)
    assert (finding.severity, kind in finding.seen) == (severity, True)


def test_a_machine_without_cgroups_will_have_the_watchdog(home: Installation) -> None:
    assert walls.expected(home) == "watchdog"


# --- place -----------------------------------------------------------------------------------------------


def test_what_is_open_to_others_is_red_until_it_is_tightened(home: Installation) -> None:
    assert worst(place.data_directory, home) == "ok"
    home.paths.config_file.touch(mode=0o600)
    home.paths.vault_dir.mkdir(mode=0o700)
    (home.paths.vault_dir / "vault.db").touch(mode=0o600)
    (home.paths.vault_dir / "vault.db").chmod(0o640)
    [(severity, said)] = seen(place.data_directory, home)
    assert (severity, "vault.db" in said) == ("red", True)
    place.tighten(home)
    assert worst(place.data_directory, home) == "ok"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_a_strangers_file_and_socket_directory_are_red(home: Installation) -> None:
    home.paths.config_file.touch(mode=0o600)
    os.chown(home.paths.config_file, 12_345, 12_345)
    assert worst(place.data_directory, home) == "red"
    home.paths.sockets_dir.mkdir(mode=0o700)
    assert worst(place.sockets, home) == "ok"
    (home.paths.sockets_dir / "gateway.sock").touch()
    os.chown(home.paths.sockets_dir / "gateway.sock", 12_345, 12_345)
    assert worst(place.sockets, home) == "red"
    os.chown(home.paths.sockets_dir, 12_345, 12_345)
    assert worst(place.sockets, home) == "red"


def test_a_long_path_has_its_sockets_elsewhere_and_says_where(tmp_path: Path) -> None:
    far = tmp_path / ("x" * 100)
    home = Installation(Paths(far), {}, os.getuid(), NOW, None)
    assert seen(place.sockets, home)[0] == ("info", f"{home.paths.sockets_dir} is used")


def test_a_clock_before_this_release_is_red(home: Installation) -> None:
    assert worst(place.clock, home) == "ok"
    home.now = 0
    assert worst(place.clock, home) == "red"


def test_there_is_room(home: Installation) -> None:
    assert worst(place.disk_space, home) in ("ok", "yellow")


# --- what runs -------------------------------------------------------------------------------------------


def test_a_configuration_changed_after_the_start_is_yellow(home: Installation) -> None:
    home.paths.config_file.write_text("")
    home.running = status(uptime=60)
    os.utime(home.paths.config_file, (0, NOW / 1000 - 300))
    assert worst(configuration.applied, home) == "ok"
    os.utime(home.paths.config_file, (0, NOW / 1000 - 5))
    assert worst(configuration.applied, home) == "yellow"


def test_an_unusable_configuration_is_one_finding_and_spoils_no_other(home: Installation) -> None:
    home.paths.config_file.write_text("[web]\nprot = 1\n")
    [finding] = configuration.valid(home)
    assert (finding.severity, finding.fix) == (Severity.RED, "Did you mean 'port'?")
    assert home.config.web.port == 18790


def test_processes_that_fell_or_do_not_come_up_are_seen(home: Installation) -> None:
    assert seen(processes.processes, home) == [("info", "Wirken does not run")]
    home.not_started = "No."
    assert worst(processes.processes, home) == "red"
    children = (Process("vault", 1, "ready", 2, 5), Process("web", 0, "waiting", 0, -1))
    supervisor = Supervisor("0.0.9", 1, "/d", 0, True, False, "open", children)
    home.running = status(supervisor=supervisor)
    assert seen(processes.processes, home) == [("red", "not ready: web"), ("yellow", "started again: vault (2)")]
    assert worst(processes.version, home) == "yellow"
    home.running = status(supervisor=None, state="silent", said="no")
    assert worst(processes.processes, home) == "red"


# --- vault -----------------------------------------------------------------------------------------------


def credential(name: str, *, expires: int = 0, due: int = NOW + 10**10) -> CredentialRow:
    return CredentialRow(name, 1, 0, expires, 0, due)


def test_a_key_file_is_yellow_while_the_vault_is_empty_and_red_once_it_is_not(home: Installation) -> None:
    assert worst(keys.device_key, home) == "info"
    home.paths.vault_dir.mkdir()
    home.paths.device_key_file.touch()
    for rows, severity in ((None, "yellow"), ((), "yellow"), ((credential("x"),), "red")):
        home.__dict__["credentials"] = rows
        assert worst(keys.device_key, home) == severity
    home.paths.device_key_file.unlink()
    (home.paths.vault_dir / "device.key.age").touch()
    assert worst(keys.device_key, home) == "ok"


def test_missing_expired_and_old_credentials_are_named(home: Installation) -> None:
    home.paths.config_file.write_text('[providers.p]\nkind = "openai"\nbase_url = "https://x"\ncredential = "absent"\n')
    home.__dict__["credentials"] = (
        credential("fine"),
        credential("gone", expires=NOW - 1),
        credential("old", due=NOW - 1),
    )
    found = list(keys.credentials(home))
    assert [(finding.severity.value, finding.fix) for finding in found] == [
        ("red", "wirken credentials add absent"),
        ("red", "wirken credentials rotate gone"),
        ("yellow", "wirken credentials rotate old"),
    ]


@pytest.mark.parametrize(
    ("state", "sealed", "severity"),
    [("running", False, "ok"), ("sealed", True, "red"), ("running", True, "red"), ("temporary", True, "info")],
)
def test_a_sealed_vault_is_red_where_something_waits_for_it(
    home: Installation, state: str, sealed: bool, severity: str
) -> None:
    home.running = status(state=state, vault=VaultReport("passphrase", sealed, -1))
    assert worst(keys.sealed, home) == severity


@pytest.mark.parametrize("ts", [9 * 10**18, 2**63 - 1])
def test_a_row_of_no_time_at_all_is_a_finding_of_the_clock(home: Installation, ts: int) -> None:
    home.paths.gateway_dir.mkdir(parents=True)
    db = apsw.Connection(str(home.paths.audit_db))
    db.execute(
        "CREATE TABLE session_events (id INTEGER PRIMARY KEY, session_id TEXT, seq INTEGER, ts INTEGER, trust TEXT,"
        " payload BLOB, leaf_hash TEXT, prev_hash TEXT, hash TEXT)"
    )
    db.execute("INSERT INTO session_events VALUES (1, 'a/b/c', 0, ?, 'gateway', x'7b7d', '', '', '')", (ts,))
    db.close()
    [(severity, said)] = seen(place.clock, home)
    assert severity == "yellow" and f"{ts} ms" in said
