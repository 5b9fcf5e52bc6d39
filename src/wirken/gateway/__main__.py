"""Entry point of the gateway process; started by the supervisor, never by hand."""

from __future__ import annotations

import argparse
import asyncio
import logging
import socket
import sys
from pathlib import Path

from wirken.config.load import load
from wirken.config.paths import Paths
from wirken.config.policy_file import decode
from wirken.confine import process, roles
from wirken.domain.clock import SystemClock
from wirken.domain.errors import WirkenError
from wirken.gateway.house import House
from wirken.gateway.reaching import Line
from wirken.ipc.lifeline import Lifeline


def main() -> int:
    """Run until told to stop. Exit code 0; 74 when the record failed, so that a new process starts from its rows."""
    parser = argparse.ArgumentParser(prog="wirken.gateway")
    parser.add_argument("--data", type=Path, required=True)
    for name in (
        "--control-fd",
        "--vault-fd",
        "--gateway-listen-fd",
        "--operator-listen-fd",
        "--owner-uid",
        "--line-fd",
    ):
        parser.add_argument(name, type=int, required=True)
    parser.add_argument("--reach", action="append", default=[], help="a folder below which calls may be given paths")
    parser.add_argument("--tools", default="", help="the folder whose programs commands get")
    parser.add_argument("--policy", default="", help="an organisation's policy, as config.policy_file writes it")
    parser.add_argument("--without", type=process.named, default=(), help="walls that this machine lacks")
    options = parser.parse_args()
    logging.basicConfig(format="gateway: %(levelname)s %(message)s", level=logging.WARNING)
    try:
        process.enter(roles.GATEWAY, process.Ground(str(options.data), options.without, control=options.control_fd))
        return asyncio.run(_serve(options))
    except WirkenError as error:
        print(f"gateway: {error} {error.advice}", file=sys.stderr)  # noqa: T201  # the supervisor's log
        return error.exit_code


async def _serve(options: argparse.Namespace) -> int:
    paths = Paths(options.data)
    policy = decode(options.policy) if options.policy else None
    lifeline = Lifeline(options.control_fd, options.vault_fd)
    reaches = await Line.over(options.line_fd)
    loaded, clock = load(paths.config_file), SystemClock()
    house = House(paths, loaded, policy, clock, lifeline, reaches, tuple(options.reach), options.tools)
    house.without = options.without
    with (
        socket.socket(fileno=options.gateway_listen_fd) as listener,
        socket.socket(fileno=options.operator_listen_fd) as operators,
    ):
        await house.run(listener, operators, options.owner_uid)
    return 74 if house.failed.is_set() else 0


if __name__ == "__main__":
    sys.exit(main())
