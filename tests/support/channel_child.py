"""An adapter over a platform's own file in a process of its own, without views and walls, so that a test can kill it.

Reads what it is given as one JSON line from standard input. Time runs faster here, for what the adapter waits.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import socket
import sys
from pathlib import Path
from typing import TypedDict

from tests.support.virtual_time import FastTime

from wirken.channels.adapter import Adapter
from wirken.channels.given import Given
from wirken.domain.clock import SystemClock
from wirken.domain.errors import WirkenError
from wirken.domain.ids import ChannelId, RoleName
from wirken.domain.secret import Secret
from wirken.ipc.handshake import Identity
from wirken.ipc.peer import dial


class Order(TypedDict):
    channel: str
    module: str
    settings: dict[str, str]
    secrets: dict[str, str]
    state: str
    gateway: str
    seed: str
    gateway_key: str
    faster: float
    port: int
    """Of the webhook; 0: the platform does not call."""


async def serve(order: Order) -> None:
    channel = ChannelId(order["channel"])
    given = Given(
        settings=order["settings"],
        secrets={name: Secret(value.encode()) for name, value in order["secrets"].items()},
        clock=SystemClock(),
        state=Path(order["state"]),
        listener=listening(order["port"]) if order["port"] else None,
    )
    platform = importlib.import_module(order["module"]).platform(given)
    adapter = Adapter(channel, platform, FastTime(order["faster"]).timing())
    seed, key = Secret(bytes.fromhex(order["seed"])), bytes.fromhex(order["gateway_key"])
    identity = Identity(RoleName(f"channel-{channel}"), seed, key)
    async with asyncio.TaskGroup() as group:
        group.create_task(adapter.run())
        while True:
            try:
                link = await dial(Path(order["gateway"]), identity, adapter.receiver)
            except WirkenError:
                await asyncio.sleep(0.05)
                continue
            adapter.linked(link)
            await link.closed.wait()


def listening(port: int) -> socket.socket:
    """Return what the supervisor would hand over, bound to a port of 127.0.0.1; 0: a free one."""
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    found.bind(("127.0.0.1", port))
    found.listen()
    found.setblocking(False)
    return found


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(serve(json.loads(sys.stdin.readline())))
