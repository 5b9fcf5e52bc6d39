"""`wirken status`: who runs, since when, and what it is doing."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

import click
import msgspec

from wirken.cli import daemon
from wirken.cli.channel_rows import span, told
from wirken.cli.output import Line, Output, Style, Styled
from wirken.config.paths import Paths, data_dir
from wirken.domain import limits
from wirken.domain.errors import WirkenError
from wirken.ipc.calls.operator import GatewayReport, GatewayStatus
from wirken.ipc.calls.vault import VaultReport, VaultStatus
from wirken.ipc.vault_client import VaultClient

NOT_RUNNING: Final = 3  # as the status of a service that does not run (LSB, "Init Script Actions")
_TICKS: Final = os.sysconf("SC_CLK_TCK")


class Process(msgspec.Struct, frozen=True):
    """One child as the supervisor sees it. `pid` is 0 while there is none; `ready_ms` is -1 before it was ready."""

    role: str
    pid: int
    state: str
    restarts: int
    ready_ms: int
    worn: tuple[str, ...] = ()
    """The walls that the process says it has put on itself."""


class Supervisor(msgspec.Struct, frozen=True):
    """The supervisor's answer to `status`."""

    version: str
    pid: int
    data: str
    port: int
    walls: bool
    ephemeral: bool
    phase: str
    children: tuple[Process, ...]
    without: tuple[str, ...] = ()
    """Walls that this machine lacks and that config.toml allows to be missing."""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """All that can be had of a running Wirken; None where a part did not answer."""

    state: Literal["running", "starting", "sealed", "temporary", "stopping", "silent"]
    pid: int
    uptime: int
    """Seconds; -1 where the kernel does not tell."""
    page: str = ""
    supervisor: Supervisor | None = None
    gateway: GatewayReport | None = None
    vault: VaultReport | None = None
    said: str = ""
    """Why a part is missing."""


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON value.")
def command(as_json: bool) -> int:
    """Show the Wirken that runs on this data directory. Exit code 0 if it runs, 3 if not.

    Processes that another command, such as `wirken ask`, started for itself count as not running.
    """
    paths, out = Paths(data_dir(os.environ)), Output(as_json, sys.stdout, sys.stderr, os.environ)
    found = status(paths)
    if found is None:
        out.show({"state": "stopped", "data": str(paths.data)}, [f"Wirken does not run on {paths.data}."])
        return NOT_RUNNING
    out.show(found, _lines(found, str(paths.data)))
    return NOT_RUNNING if found.state == "temporary" else 0


def status(paths: Paths) -> Status | None:
    """Return what runs on this data directory, as far as it answers; None where nothing does."""
    pid = daemon.pid(paths)
    if not pid:
        return None
    uptime = seconds_up(pid)
    try:
        with daemon.Control(paths, patience=limits.STATUS_TIME) as control:
            supervisor = msgspec.convert(control.ask({"ask": "status"}), Supervisor)
    except (WirkenError, msgspec.ValidationError) as error:
        return Status(state="silent", pid=pid, uptime=uptime, said=str(error))
    ready = {child.role: child.state == "ready" for child in supervisor.children}
    report, vault, said = None, None, ""
    try:
        if ready.get("gateway"):
            report = _gateway(paths)
        vault = _vault(paths)
    except WirkenError as error:
        said = str(error)
    return Status(
        state=_state(supervisor, vault),
        pid=pid,
        uptime=uptime,
        page=f"http://localhost:{supervisor.port}" if supervisor.port else "",
        supervisor=supervisor,
        gateway=report,
        vault=vault,
        said=said,
    )


def seconds_up(pid: int, proc: Path = Path("/proc")) -> int:
    """Return for how long a process has lived (proc_pid_stat(5), field 22); -1 where that cannot be read."""
    try:
        started = int((proc / str(pid) / "stat").read_text().rpartition(")")[2].split()[19]) / _TICKS
        return max(0, round(float((proc / "uptime").read_text().split()[0]) - started))
    except (OSError, ValueError, IndexError):
        return -1


def _gateway(paths: Paths) -> GatewayReport:
    from wirken.cli import gateway  # loads the event loop and the frames, which a stopped Wirken does not need

    return gateway.ask(paths.operator_socket, GatewayStatus(), GatewayReport, patience=limits.STATUS_TIME)


def _vault(paths: Paths) -> VaultReport:
    client = VaultClient.connect(paths.vault_socket, limits.STATUS_TIME)
    try:
        return client.call(VaultStatus(), VaultReport)
    finally:
        client.close()


def _state(
    supervisor: Supervisor, vault: VaultReport | None
) -> Literal["running", "starting", "sealed", "temporary", "stopping"]:
    if supervisor.ephemeral:
        return "temporary"
    if supervisor.phase == "opening":
        return "sealed" if vault is not None and vault.sealed else "starting"
    return "running" if supervisor.phase == "open" else "stopping"


_STATES: Final[dict[str, tuple[str, Style]]] = {
    "running": ("running", "green"),
    "starting": ("starting", "yellow"),
    "sealed": ("waiting for `wirken unlock`: its vault is sealed", "yellow"),
    "temporary": ("not running; another command has started processes for itself", "yellow"),
    "stopping": ("stopping", "yellow"),
    "silent": ("running, but its supervisor does not answer us", "red"),
}


def _lines(found: Status, data: str) -> Iterator[Line]:
    words, style = _STATES[found.state]
    yield ("Wirken:     ", Styled(words, style))
    yield f"Process:    {found.pid}, up {span(found.uptime)}"
    yield f"Data:       {data}"
    if found.supervisor is not None:
        yield from _of_supervisor(found.supervisor, found.page)
    if found.gateway is not None:
        yield from _of_gateway(found.gateway)
    if found.vault is not None:
        yield ("Vault:      ", f"{found.vault.protection}, ", _sealed(found.vault), _held(found.vault))
    if found.said:
        yield ("Missing:    ", Styled(found.said, "yellow"))
    if found.supervisor is not None:
        yield ""
        yield from _processes(found.supervisor)


def _of_supervisor(supervisor: Supervisor, page: str) -> Iterator[Line]:
    yield f"Version:    {supervisor.version}"
    if page:
        yield f"WebChat:    {page}"
    if supervisor.without:
        yield ("Walls:      ", Styled(f"without {', '.join(supervisor.without)}, as config.toml allows", "red"))


def _of_gateway(report: GatewayReport) -> Iterator[Line]:
    yield f"Model:      {report.provider}"
    yield f"Agents:     {', '.join(report.agents)}"
    if report.sandbox == "none":
        yield ("Sandbox:    ", Styled(f"none: {report.sandbox_reason}", "red"))
        if report.sandbox_fix:
            yield f"            {report.sandbox_fix}"
    else:
        limited: Style = "yellow" if report.sandbox_limits == "watchdog" else "green"
        yield (f"Sandbox:    {report.sandbox}, limits held by ", Styled(report.sandbox_limits, limited))
    waiting: Style = "yellow" if report.approvals_pending else "dim"
    yield (
        f"Turns:      {report.turns_running} running, ",
        Styled(f"{report.approvals_pending} waiting for approval", waiting),
    )
    yield f"Record:     {report.rows} rows"
    for row in report.channels:
        yield from told(row, time.time())


def _sealed(report: VaultReport) -> Styled:
    return Styled("sealed", "yellow") if report.sealed else Styled("open", "green")


def _held(report: VaultReport) -> str:
    return "" if report.sealed else f", {report.credentials} credentials"


def _processes(supervisor: Supervisor) -> Iterator[Line]:
    yield Styled(f"{'ROLE':<12}{'PID':>8}  {'STATE':<9} {'RESTARTS':>8}  READY", "bold")
    for child in supervisor.children:
        good: Style = "green" if child.state == "ready" else "yellow"
        ready = f"{child.ready_ms} ms" if child.ready_ms >= 0 else "-"
        state = Styled(f"{child.state:<9}", good)
        yield (f"{child.role:<12}{child.pid or '-':>8}  ", state, f" {child.restarts:>8}  {ready}")
