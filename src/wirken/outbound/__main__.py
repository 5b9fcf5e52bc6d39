"""Entry point of the outbound process; started by the supervisor, never by hand."""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import sys

from wirken.config.load import load
from wirken.config.model import Config
from wirken.config.paths import Paths
from wirken.confine import process, roles
from wirken.domain.errors import WirkenError
from wirken.ipc.lifeline import Lifeline
from wirken.ipc.wing import options, stay_dialled
from wirken.outbound.completions import Completions
from wirken.outbound.endpoint import ports
from wirken.outbound.judging import GatewayJudge
from wirken.outbound.performing import Performing, lazily
from wirken.outbound.relay_server import Relay, listeners
from wirken.outbound.resolve import Resolver, SystemLookup, is_own
from wirken.outbound.server import OutboundPeer, VaultCredentials


def main() -> int:
    """Run until told to stop."""
    parser = options("outbound")
    parser.add_argument("--relay-listen-fd", action="append", default=[], metavar="ROLE=FD")
    chosen = parser.parse_args()
    logging.basicConfig(format="outbound: %(levelname)s %(message)s", level=logging.WARNING)
    try:
        config = load(Paths(chosen.data).config_file).config
        ground = process.Ground(str(chosen.data), chosen.without, ports(config), chosen.control_fd)
        process.enter(roles.OUTBOUND, ground)
        asyncio.run(_serve(chosen, config))
    except WirkenError as error:
        print(f"outbound: {error} {error.advice}", file=sys.stderr)  # noqa: T201  # the supervisor's log
        return error.exit_code
    return 0


async def _serve(chosen: argparse.Namespace, config: Config) -> None:
    lifeline = Lifeline(chosen.control_fd, chosen.vault_fd)
    credentials = VaultCredentials(lifeline)
    completions = Completions(config, credentials, jitter=random.SystemRandom().random)
    judge, lookup = GatewayJudge(), SystemLookup()
    resolver = Resolver(lookup, config.egress.pinned, is_own)
    relay = Relay(resolver, judge)
    relay.open(listeners(chosen.relay_listen_fd))
    peer = OutboundPeer(completions, relay, Performing(config, resolver, credentials, lazily, judge))
    await stay_dialled(lifeline, chosen.gateway_socket, peer, judge.dialled)
    await relay.close()
    lookup.close()
    await completions.close()


if __name__ == "__main__":
    sys.exit(main())
