"""`wirken unlock`: the passphrase, straight to the vault that runs."""

from __future__ import annotations

import os
import sys
import time
from typing import Final

import click

from wirken.cli import daemon, prompting, unsealing
from wirken.cli.discreet import Discreet
from wirken.cli.output import Output
from wirken.config.paths import Paths, data_dir
from wirken.domain import limits
from wirken.ipc.calls.vault import VaultReport, VaultStatus
from wirken.ipc.vault_client import VaultClient

_LOOK: Final = 0.05  # seconds between two looks at processes that come up


@click.command("unlock", cls=Discreet)
@click.option("--stdin", is_flag=True, help="Read the passphrase from standard input (less one newline).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON value.")
def command(stdin: bool, as_json: bool) -> int:
    """Open the vault of the Wirken that runs, and wait until all its processes are ready.

    The passphrase goes straight to the vault and is kept nowhere. A vault whose key is in the OS keychain is
    opened by asking that again.
    """
    paths, out = Paths(data_dir(os.environ)), Output(as_json, sys.stdout, sys.stderr, os.environ)
    if not daemon.pid(paths):
        raise daemon.NotRunning(
            "Wirken does not run, so there is nothing to open.",
            hint="`wirken run` starts it; `wirken ask` and the like ask for the passphrase themselves.",
        )
    client = VaultClient.connect(paths.vault_socket)
    try:
        report = client.call(VaultStatus(), VaultReport)
        if not report.sealed:
            was = False
        elif stdin and report.protection == "passphrase":
            unsealing.unlock(client, prompting.piped(limits.PASSPHRASE))
            was = True
        else:
            was = unsealing.unseal(client, paths)
    finally:
        client.close()
    waiting = _until_ready(paths)
    said = "The vault is open." if was else "The vault was open already."
    late = f" Not ready yet: {', '.join(waiting)}." if waiting else " All processes are ready."
    out.show({"unlocked": was, "waiting": waiting}, [said + late])
    return 1 if waiting else 0


def _until_ready(paths: Paths) -> list[str]:
    """Wait until every process is ready; return those that are not, after `limits.READY_TIME`."""
    until = time.monotonic() + limits.READY_TIME
    with daemon.Control(paths) as control:
        while True:
            states = daemon.states(control.ask({"ask": "status"}))
            waiting = [role for role, state in states.items() if state != "ready"]
            if not waiting or time.monotonic() >= until:
                return waiting
            time.sleep(_LOOK)
