from __future__ import annotations

import os
from pathlib import Path

import pytest

from wirken.cli.checks.channels import connected
from wirken.cli.checks.installation import Installation
from wirken.cli.status import Status
from wirken.config.paths import Paths
from wirken.ipc.calls.channels import ChannelRow
from wirken.ipc.calls.operator import GatewayReport

TEXTS = ("version", "provider", "sandbox", "sandbox_limits", "sandbox_reason", "sandbox_fix", "vault_protection")
NUMBERS = ("started", "turns_running", "approvals_pending", "credentials", "rows")
LISTS = ("agents", "peers", "sandbox_notes")
REPORT = dict.fromkeys(TEXTS, "") | dict.fromkeys(NUMBERS, 0) | dict.fromkeys(LISTS, ()) | {"vault_sealed": False}


def installation(folder: Path, *rows: ChannelRow, runs: bool = True) -> Installation:
    (folder / "config.toml").write_text("[channels.telegram]\n[channels.discord]\nenabled = false\n")
    report = GatewayReport(**REPORT, channels=rows)  # type: ignore[arg-type]  # by name
    running = Status(state="running", pid=1, uptime=1, gateway=report) if runs else None
    return Installation(Paths(folder), {}, os.getuid(), 0, running)


def row(*, attached: bool = True, connected: bool = False, revoked: bool = False) -> ChannelRow:
    return ChannelRow(
        channel="telegram",
        attached=attached,
        connected=connected,
        since=0,
        last_message=0,
        undelivered=0,
        detail="@bot",
        revoked=revoked,
    )


@pytest.mark.parametrize(
    ("known", "severity", "fix"),
    [
        (row(connected=True), "ok", ""),
        (row(), "yellow", "wirken channel test telegram"),
        (row(revoked=True), "red", "wirken channel add telegram"),
        (row(attached=False), "yellow", "wirken status"),
    ],
)
def test_a_channel_is_judged_by_what_its_adapter_says(
    tmp_path: Path, known: ChannelRow, severity: str, fix: str
) -> None:
    [finding] = connected(installation(tmp_path, known))
    assert (finding.severity.value, finding.fix) == (severity, fix)


def test_one_that_nobody_knows_is_said_and_one_that_is_off_is_not(tmp_path: Path) -> None:
    assert [(one.severity.value, one.fix) for one in connected(installation(tmp_path))] == [("yellow", "wirken status")]
    [finding] = connected(installation(tmp_path, runs=False))
    assert (finding.severity.value, finding.fix) == ("info", "wirken run")
