"""`wirken run`: prepare, then become the supervisor."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import click

from wirken.cli import launching, plans
from wirken.cli.first import configured
from wirken.cli.output import Output
from wirken.config.paths import Paths, data_dir
from wirken.supervisor import lock


@click.command("run")
@click.option("--port", type=click.IntRange(1, 65_535), help="Port of the page on this machine; default 18790.")
def command(port: int | None) -> None:
    """Start Wirken and keep it running until Ctrl+C."""
    become_supervisor(Paths(data_dir(os.environ)), port, Output(False, sys.stdout, sys.stderr, os.environ))


def become_supervisor(paths: Paths, port: int | None, out: Output) -> NoReturn:
    """Replace this process by the supervisor, which prints the rest."""
    lock.refuse_second(str(paths.lock_file))
    loaded = configured(paths, out)
    chosen = port if port is not None else loaded.config.web.port
    plan = plans.make(paths, loaded, os.environ, port=chosen, without=frozenset())
    line = launching.supervisor_line(launching.handed_over(plan), -1)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(line[0], line, launching.environment(os.environ))  # noqa: S606  # no shell is the point
