"""Entry point of an adapter, `python -I -m wirken.channels <channel> …`; started by the supervisor, never by hand."""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import socket
import sys
from pathlib import Path

from wirken.channels import forward
from wirken.channels.serving import Told, serve
from wirken.channels.timing import Timing
from wirken.config.channel_kinds import CHANNEL_KINDS
from wirken.confine import process, roles
from wirken.domain.clock import SystemClock
from wirken.domain.errors import WirkenError
from wirken.domain.ids import ChannelId
from wirken.ipc.lifeline import Lifeline
from wirken.ipc.wing import options


def main() -> int:
    """Run until told to stop."""
    chosen = parser().parse_args()
    logging.basicConfig(format=f"channel-{chosen.channel}: %(levelname)s %(message)s", level=logging.WARNING)
    try:
        way_out = forward.listener()
        state = "" if chosen.state is None else str(chosen.state)
        process.enter(
            roles.CHANNELS,
            process.Ground(
                str(chosen.data), chosen.without, (forward.port_of(way_out),), control=chosen.control_fd, state=state
            ),
        )
        asyncio.run(_serve(chosen, way_out))
    except WirkenError as error:
        print(f"channel-{chosen.channel}: {error} {error.advice}", file=sys.stderr)  # noqa: T201  # the supervisor's log
        return error.exit_code
    return 0


def parser() -> argparse.ArgumentParser:
    """Return the parser of what the supervisor says."""
    found = options("channels")
    found.add_argument("channel", choices=sorted(CHANNEL_KINDS))
    found.add_argument("--setting", action="append", default=[], type=_setting, metavar="NAME=VALUE")
    found.add_argument("--no-stream", dest="stream", action="store_false", help="never show half an answer")
    found.add_argument("--relay-socket", type=Path, required=True)
    found.add_argument("--listen-fd", type=int, default=-1, help="of the webhook, bound and listening")
    found.add_argument("--state", type=Path, help="the folder that this channel keeps")
    return found


async def _serve(chosen: argparse.Namespace, way_out: socket.socket) -> None:
    told = Told(
        kind=CHANNEL_KINDS[ChannelId(chosen.channel)],
        settings=dict(chosen.setting),
        stream=chosen.stream,
        gateway=chosen.gateway_socket,
        relay=chosen.relay_socket,
        state=chosen.state,
        listener=_listener(chosen.listen_fd),
    )
    timing = Timing(SystemClock(), asyncio.sleep, random.SystemRandom().random)
    await serve(told, Lifeline(chosen.control_fd, chosen.vault_fd), way_out, timing)


def _listener(descriptor: int) -> socket.socket | None:
    if descriptor == -1:
        return None
    found = socket.socket(fileno=descriptor)
    found.setblocking(False)
    return found


def _setting(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError("a setting is NAME=VALUE")
    return name, value


if __name__ == "__main__":
    sys.exit(main())
