"""What every process that dials the gateway does: prove itself, say when it is ready, come back when it is lost."""

from __future__ import annotations

import argparse
import asyncio
import logging
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TypeVar

from wirken.confine import process
from wirken.domain import limits
from wirken.domain.errors import ProtocolError, Unavailable
from wirken.ipc.lifeline import Lifeline
from wirken.ipc.link import Link, Receiver
from wirken.ipc.peer import dial

T = TypeVar("T")
_log = logging.getLogger("wirken.wing")


def options(role: str) -> argparse.ArgumentParser:
    """Return a parser of the options that the supervisor gives to every process that dials the gateway."""
    parser = argparse.ArgumentParser(prog=f"wirken.{role}")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--gateway-socket", type=Path, required=True)
    parser.add_argument("--control-fd", type=int, required=True)
    parser.add_argument("--vault-fd", type=int, required=True)
    parser.add_argument("--without", type=process.named, default=(), help="walls that this machine lacks")
    return parser


async def stay_dialled(lifeline: Lifeline, gateway: Path, receiver: Receiver, on_link: Callable[[Link], None]) -> None:
    """Keep a link to the gateway until `lifeline.stopping`; `on_link` gets each new one. Ready after the first."""
    identity = await _or_stop(lifeline, lifeline.identity())
    if identity is None:
        return
    pause, ready = limits.RESTART_FIRST, False
    while not lifeline.stopping.is_set():
        try:
            link = await _or_stop(lifeline, dial(gateway, identity, receiver))
        except (Unavailable, ProtocolError) as error:
            _log.warning("no link to the gateway yet: %s", error)
            await _or_stop(lifeline, asyncio.sleep(pause))
            pause = min(pause * 2, limits.REDIAL_LONGEST)
            continue
        if link is None:
            return
        pause = limits.RESTART_FIRST
        on_link(link)
        if not ready:
            lifeline.ready()
            ready = True
        await _or_stop(lifeline, link.closed.wait())
        link.close()


async def _or_stop(lifeline: Lifeline, wanted: Coroutine[object, object, T]) -> T | None:
    """Wait for `wanted` or for the order to stop, whichever comes first; None for the latter."""
    task = asyncio.ensure_future(wanted)
    stop = asyncio.ensure_future(lifeline.stopping.wait())
    try:
        await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        stop.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
