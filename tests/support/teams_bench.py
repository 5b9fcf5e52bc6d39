"""The platform's own file for Teams over a simulated Connector, as unit tests use it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.support.recording_house import RecordingHouse
from tests.support.teams_callers import Answered, Callers, listener
from tests.support.teams_sim import APP_ID, SECRET, TENANT, Simulated
from tests.support.teams_state import Json, Person, Room, Stored

from wirken.channels.given import Given
from wirken.channels.teams import TeamsPlatform, platform
from wirken.channels.teams_convert import Handle
from wirken.domain.clock import Clock, SystemClock
from wirken.domain.ids import conversation_id
from wirken.domain.platforms import SessionHandle, Teams
from wirken.domain.secret import Secret


@dataclass
class Bench:
    """Alice has the bot in a personal conversation."""

    sim: Simulated
    callers: Callers
    platform: TeamsPlatform
    house: RecordingHouse[Teams]
    alice: Person
    room: Room
    given: Given

    @property
    def here(self) -> Handle:
        handle: Handle = SessionHandle(conversation_id(self.alice.id))
        return handle

    async def say(self, text: str, **said: object) -> Answered:
        return await self.callers.call(self.callers.text(self.alice, self.room, text, **said))

    def seen(self) -> list[Stored]:
        return self.sim.state.seen(self.room.id)

    async def press(self, stored: Stored, action: Json, by: Person | None = None) -> Answered:
        return await self.callers.call(self.callers.press(by or self.alice, stored, action))


@asynccontextmanager
async def teams_bench(clock: Clock | None = None, **settings: str) -> AsyncIterator[Bench]:
    async with Simulated() as sim:
        hears = listener()
        given = Given(
            {"app_id": APP_ID, "tenant_id": TENANT, "api_url": sim.url, "prefix": "!ai", **settings},
            {"client_secret": Secret(SECRET.encode())},
            clock or SystemClock(),
            listener=hears,
        )
        served = platform(given)
        alice, room = sim.person("Alice")
        callers = Callers(sim, hears.getsockname()[1])
        try:
            yield Bench(sim, callers, served, RecordingHouse(), alice, room, given)
        finally:
            await served.close()
            hears.close()


async def until(true: object) -> None:
    """Return once `true()` is."""
    assert callable(true)
    async with asyncio.timeout(30):
        while not true():
            await asyncio.sleep(0.01)
