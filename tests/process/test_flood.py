"""A captured adapter floods the gateway in every way it can; the channel beside it is answered as always."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.support.adapter import Adapter, at_gateway
from tests.support.gateway_bench import PATIENCE, identity_of
from tests.support.gateway_process import GatewayProcess, gateway_process

from wirken.cli.gateway import connected
from wirken.domain.errors import WirkenError
from wirken.ipc.calls.operator import Acknowledged
from wirken.ipc.calls.senders import AllowSender
from wirken.ipc.frames import Over

pytestmark = pytest.mark.slow
CONFIG = '[agents.default]\nmodel = "ollama/x"\n\n[limits]\nmessages_per_minute = 100000\n'
ATTACKS = ("messages", "one account", "frames", "questions", "drip", "knock", "loris")
ROUNDS = 40
"""Messages in one measurement; the median of so many does not depend on what else the machine does for a moment."""
TRIES = 3
"""Measurements, the best of which counts: a flood lasts, what else the machine does passes."""
FLOOR = 0.010
"""Seconds; a machine's own jitter is no attack."""


@asynccontextmanager
async def flooded(gateway: GatewayProcess, attack: str) -> AsyncIterator[None]:
    identity = await identity_of(gateway.vault, "channel-signal")
    told = {"path": str(gateway.paths.gateway_socket), "role": identity.role, "attack": attack}
    told |= {"seed": identity.seed.reveal().hex(), "key": identity.gateway_key.hex()}
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-m", "tests.support.flooder"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=root,
        env={"PATH": os.environ["PATH"]},
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps(told).encode() + b"\n")
        process.stdin.flush()
        assert await asyncio.to_thread(process.stdout.readline) == b"on\n"
        try:
            yield
        finally:
            assert process.poll() is None
            process.kill()


async def normal(telegram: Adapter) -> float:
    """Return the median of the seconds that a message takes to its answer and back."""
    taken = []
    for _ in range(ROUNDS):
        telegram.seen.clear()
        started = time.perf_counter()
        assert isinstance(await telegram.say("7", "hi"), Over)
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


@pytest.mark.parametrize("attack", ATTACKS)
async def test_who_is_beside_a_flood_is_answered_within_twice_the_normal_time(tmp_path: Path, attack: str) -> None:
    async with gateway_process(tmp_path, CONFIG) as (gateway, _, _):
        async with connected(gateway.paths.operator_socket) as owner:
            for channel in ("telegram", "signal"):
                await owner.link.call(AllowSender(channel=channel, sender="7", role="user"), Acknowledged)
        async with at_gateway(gateway.vault, gateway.paths, "telegram") as telegram:
            await normal(telegram)  # caches are warm from here on
            before = await normal(telegram)
            async with flooded(gateway, attack):
                await asyncio.sleep(1)
                during = min([await normal(telegram) for _ in range(TRIES)])
                await enters(gateway)
            assert during <= 2 * max(before, FLOOR), (before, during)
            assert telegram.links == 1


async def enters(gateway: GatewayProcess) -> None:
    """Connect one more adapter, as patiently as adapters do: the door stays open in a crowd."""
    async with asyncio.timeout(PATIENCE * 3):
        while True:
            with contextlib.suppress(WirkenError):
                async with at_gateway(gateway.vault, gateway.paths, "discord") as newcomer:
                    assert newcomer.links == 1
                    return
