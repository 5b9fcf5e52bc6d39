"""`wirken stop`: end the supervisor and wait until everything is gone; or end one turn."""

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
from wirken.domain.errors import Unavailable


class DidNotStop(Unavailable):
    """The supervisor is still there."""


@click.command("stop")
@click.argument("session", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON value.")
def command(session: str | None, as_json: bool) -> None:
    """Stop the Wirken that runs on this data directory.

    With SESSION (an id, the end of one, or `last`), stop only the turn that runs there, its commands included.
    """
    paths, out = Paths(data_dir(os.environ)), Output(as_json, sys.stdout, sys.stderr, os.environ)
    if session is not None:
        _stop_turn(paths, out, session)
        return
    stopped = stop(paths)
    out.show({"stopped": stopped}, [f"Stopped (pid {stopped})." if stopped else "Wirken is not running."])


def _stop_turn(paths: Paths, out: Output, session: str) -> None:
    from wirken.cli import gateway, records  # half of what starting costs, and a stop needs none of it
    from wirken.ipc.calls.operator import Acknowledged, StopTurn
    from wirken.record.reader import RecordReader

    if not daemon.pid(paths):
        raise daemon.NotRunning(f"No Wirken runs on {paths.data}, so no turn does.")
    reader = RecordReader(paths.audit_db)
    try:
        name = records.named(reader, session)
    finally:
        reader.close()
    reply = gateway.ask(paths.operator_socket, StopTurn(name), Acknowledged)
    out.show({"session": name, "said": reply.said}, [reply.said])


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
