"""From a process past its walls to a channel that is served: its secrets, its way out, its platform, its adapter."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path

from wirken.channels.adapter import Adapter
from wirken.channels.contract import Platform
from wirken.channels.forward import Forwarder
from wirken.channels.given import Given
from wirken.channels.idle import Idle
from wirken.channels.platforms import NotServed, opened
from wirken.channels.timing import Timing
from wirken.channels.tokens import NoToken, Tokens
from wirken.config.channel_kinds import ChannelKind
from wirken.domain.errors import WirkenError
from wirken.domain.platforms import P
from wirken.domain.secret import Secret
from wirken.ipc.lifeline import Lifeline
from wirken.ipc.wing import stay_dialled


@dataclass(frozen=True, slots=True)
class Told:
    """What the supervisor told this process, as far as it still matters."""

    kind: ChannelKind
    settings: Mapping[str, str]
    stream: bool
    gateway: Path
    relay: Path
    state: Path | None
    listener: socket.socket | None
    """Of its webhook, non-blocking; None where the platform never calls."""


async def serve(told: Told, lifeline: Lifeline, way_out: socket.socket, timing: Timing) -> None:
    """Serve the channel until told to stop. What was not foreseen ends the process, which is then started anew."""
    forwarder = Forwarder(way_out, told.relay)
    serving = _Serving(told, lifeline, forwarder.url, timing)
    await first(_stop(lifeline), forwarder.serve(), serving.run())


async def first(*works: Coroutine[object, object, None]) -> None:
    """Return once one of these returns, or raise what it raises; the others are cancelled and have ended then."""
    tasks = {asyncio.ensure_future(work) for work in works}
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _stop(lifeline: Lifeline) -> None:
    await lifeline.stopping.wait()


@dataclass(frozen=True, slots=True)
class _Serving:
    told: Told
    lifeline: Lifeline
    proxy: str
    timing: Timing

    async def run(self) -> None:
        secrets = await self._secrets()
        given = Given(
            settings=self.told.settings,
            secrets=secrets,
            clock=self.timing.clock,
            proxy=self.proxy,
            state=self.told.state,
            listener=self.told.listener,
        )
        try:
            await opened(self.told.kind.channel, given, self._serve)
        except NotServed as error:
            idle = self._idle(error)
            await stay_dialled(self.lifeline, self.told.gateway, idle, idle.linked)

    async def _serve(self, platform: Platform[P]) -> None:
        adapter = Adapter(self.told.kind.channel, platform, self.timing, stream=self.told.stream)
        dialled = stay_dialled(self.lifeline, self.told.gateway, adapter.receiver, adapter.linked)
        await first(dialled, adapter.run())

    async def _secrets(self) -> Mapping[str, Secret]:
        """Return the secrets once they are stored; meanwhile the gateway is told which one is not."""
        tokens = Tokens(self.lifeline.vault, self.told.kind)
        while True:
            try:
                return await tokens.stored()
            except NoToken as error:
                idle = self._idle(error)
                dialled = stay_dialled(self.lifeline, self.told.gateway, idle, idle.linked)
                await first(dialled, tokens.changed(str(error)))
                idle.close()

    def _idle(self, error: WirkenError) -> Idle:
        return Idle(f"{error} {error.advice}".strip())
