"""WhatsApp's own file between a simulator and a house that keeps what comes."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Self

from tests.support.channel_child import listening
from tests.support.recording_house import RecordingHouse, running
from tests.support.whatsapp_sim import WhatsApp as Simulated
from tests.support.whatsapp_state import Person

from wirken.channels.given import Given
from wirken.channels.whatsapp import WhatsAppPlatform, platform
from wirken.channels.whatsapp_convert import Handle, handle
from wirken.domain.clock import SystemClock
from wirken.domain.platforms import WhatsApp
from wirken.domain.secret import Secret


@dataclass
class Bench:
    sim: Simulated
    platform: WhatsAppPlatform
    house: RecordingHouse[WhatsApp]
    alice: Person
    nameless: Person
    """Somebody whose number is not shown."""

    @property
    def here(self) -> Handle:
        return handle(self.alice.id)


def given(sim: Simulated, listener: socket.socket) -> Given:
    told = {"token": sim.token, "app_secret": sim.app_secret, "verify_token": sim.verify_token}
    secrets = {name: Secret(value.encode()) for name, value in told.items()}
    return Given({"api_url": sim.url, "phone_id": sim.phone_id}, secrets, SystemClock(), listener=listener)


@contextlib.asynccontextmanager
async def whatsapp() -> AsyncIterator[Bench]:
    """A platform that does not run yet."""
    alice = Person("Alice", "4915700000001", "DE.13491208655302740001")
    nameless = Person("Nobody", "", "US.ENT.11815799212886844830")
    with listening(0) as listener:
        async with Simulated() as sim:
            sim.callback = listener.getsockname()[1]
            served = platform(given(sim, listener))
            try:
                yield Bench(sim, served, RecordingHouse(), alice, nameless)
            finally:
                await served.close()


@contextlib.asynccontextmanager
async def at_home() -> AsyncIterator[Bench]:
    """A platform that runs; Alice wrote within the last 24 hours."""
    async with whatsapp() as at, running(at.platform, at.house):
        at.sim.state.open.add(at.alice.id)
        yield at


class Tap:
    """A server that says one thing to everybody, whatever is asked."""

    def __init__(self, said: bytes) -> None:
        self._said = said
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._met, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(self._said)
        await writer.drain()
        writer.close()
