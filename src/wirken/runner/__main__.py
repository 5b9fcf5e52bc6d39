"""Entry point of the runner process; started by the supervisor, never by hand."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import secrets
import sys

from wirken.confine import process, roles
from wirken.domain.errors import WirkenError
from wirken.ipc.lifeline import Lifeline
from wirken.ipc.wing import options, stay_dialled
from wirken.runner.assemble import EngineOptions, Host, Options, assembled
from wirken.runner.owner import Owner
from wirken.runner.sandbox import bounds
from wirken.runner.server import RunnerPeer


def main() -> int:
    """Run until told to stop."""
    parser = options("runner")
    for name in ("--workspace", "--read-only", "--cgroup", "--outside"):
        parser.add_argument(name, action="append", default=[])
    for name in (
        "--relay-socket",
        "--skills",
        "--engine",
        "--image",
        "--runtime",
        "--installation",
        "--start",
        "--hatches",
    ):
        parser.add_argument(name, default="")
    for name in ("--instead-of", "--role-id", "--bounds", "--runsc", "--warm", "--tools"):
        parser.add_argument(name, default="")
    parser.add_argument("--sandbox", choices=("bubblewrap", "docker", "gvisor"), default="bubblewrap")
    chosen = parser.parse_args()
    logging.basicConfig(format="runner: %(levelname)s %(message)s", level=logging.WARNING)
    try:
        process.enter(
            roles.RUNNER,
            process.Ground(str(chosen.data), chosen.without, control=chosen.control_fd, traces=bool(chosen.runsc)),
        )
        asyncio.run(_serve(chosen))
    except WirkenError as error:
        print(f"runner: {error} {error.advice}", file=sys.stderr)  # noqa: T201  # the supervisor's log
        return error.exit_code
    return 0


async def _serve(chosen: argparse.Namespace) -> None:
    lifeline = Lifeline(chosen.control_fd, chosen.vault_fd)
    own = Options(
        workspaces=tuple(chosen.workspace),
        read_only=tuple(chosen.read_only),
        cgroups=tuple(chosen.cgroup),
        relay=chosen.relay_socket,
        outside=tuple(chosen.outside),
        skills=chosen.skills,
        bounds=bounds(chosen.bounds),
        kind=chosen.sandbox,
        engine=_engine(chosen),
        runsc=chosen.runsc,
        tools=chosen.tools,
    )
    machine = os.uname()
    host = Host(machine.machine, machine.release, os.geteuid(), os.getegid())
    with assembled(own, host, lambda: secrets.token_hex(8)) as tools:
        await stay_dialled(lifeline, chosen.gateway_socket, RunnerPeer(tools), lambda _: None)
        tools.stop()
        await tools.close()


def _engine(chosen: argparse.Namespace) -> EngineOptions | None:
    if not chosen.engine:
        return None
    owner = Owner(chosen.installation, chosen.start, chosen.role_id)
    return EngineOptions(
        chosen.engine,
        chosen.image,
        chosen.runtime,
        owner,
        warm=chosen.warm == "1",
        hatches=chosen.hatches,
        instead_of=chosen.instead_of,
    )


if __name__ == "__main__":
    sys.exit(main())
