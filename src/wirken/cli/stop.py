"""`wirken stop`: end the supervisor and wait until everything is gone."""

from __future__ import annotations

import os
import select
import signal
import sys

import click

from wirken.cli import daemon
from wirken.cli.output import Output
from wirken.config.paths import Paths, data_dir
from wirken.domain import limits
from wirken.domain.errors import Unavailable, UsageError


class DidNotStop(Unavailable):
    """The supervisor is still there."""


@click.command("stop")
@click.argument("session", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON value.")
def command(session: str | None, as_json: bool) -> None:
    """Stop the Wirken that runs on this data directory."""
    if session is not None:
        raise UsageError("`wirken stop` stops all of Wirken and takes no session.")
    out = Output(as_json, sys.stdout, sys.stderr, os.environ)
    stopped = stop(Paths(data_dir(os.environ)))
    out.show({"stopped": stopped}, [f"Stopped (pid {stopped})." if stopped else "Wirken is not running."])


def stop(paths: Paths) -> int:
    """Stop the supervisor and return its pid once it is gone; 0 where none ran. Raises `DidNotStop`."""
    pid = daemon.pid(paths)
    if not pid:
        return 0
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return pid
    try:
        _ask(paths, handle)
        if not select.select([handle], [], [], limits.STOP_PATIENCE)[0]:
            raise DidNotStop(f"Wirken (pid {pid}) does not end.", hint=f"End it at once with `kill -9 {pid}`.")
    finally:
        os.close(handle)
    return pid


def _ask(paths: Paths, handle: int) -> None:
    """Ask on its socket; a signal where that does not answer, or not to us."""
    try:
        with daemon.Control(paths, patience=1.0) as control:
            control.ask({"ask": "stop"})
    except daemon.NotRunning:
        try:
            signal.pidfd_send_signal(handle, signal.SIGTERM)
        except PermissionError:
            raise DidNotStop("Wirken runs as another user.", hint="Stop it as that user, or as root.") from None
        except ProcessLookupError:
            return
