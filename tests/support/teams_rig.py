"""Teams for the contract suite: the simulated Connector behind the protocol that all channels share."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from typing import Final

from tests.support.channel_rig import Can, Offered, Seen, Step
from tests.support.teams_callers import GIVES_UP, Answered, Callers
from tests.support.teams_sim import APP_ID, SECRET, TENANT, Simulated, slow
from tests.support.teams_state import Json, Person, Room, Stored

from wirken.channels.contract import CHOICES, Choice
from wirken.channels.teams_convert import received
from wirken.channels.teams_types import Activity, read
from wirken.domain import channel_limits as limits
from wirken.domain.platforms import Kind, Teams

AGAIN: Final = 0.05
"""Seconds before a call is made again."""
TOLD: Final = 30.0
"""Seconds in which a press is answered, or a file is taken; it takes milliseconds."""


class TeamsRig:
    """`async with TeamsRig() as rig`: one simulator, running. Its adapter is called at `callback`."""

    kind: type[Kind] = Teams
    module = "wirken.channels.teams"
    can = Can()

    def __init__(self) -> None:
        self.sim = Simulated()
        self.callback = 0
        self.settings: Mapping[str, str] = {}
        self.secrets: Mapping[str, str] = {"client_secret": SECRET}
        self.callers = Callers(self.sim, 0)
        self._up = asyncio.Event()
        self._said: dict[str, Json] = {}
        self._acknowledged: set[str] = set()
        self._carried: dict[tuple[str, str], Json] = {}
        """The buttons that there were, by message and choice, also those that are gone."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> TeamsRig:
        await self.sim.start()
        self.sim.lifetime = limits.TEAMS_TOKEN_EARLY + 2  # a refused secret is known when a token ends
        self.sim.somebody_takes = True
        self._up.set()
        self.settings = {"api_url": self.sim.url, "app_id": APP_ID, "tenant_id": TENANT}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.callback = self.callers.port = int(free.getsockname()[1])
        self._start(self._take_files())
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.sim.stop()

    def _start(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- users ------------------------------------------------------------------------------------------

    def person(self, user: str) -> tuple[Person, Room]:
        return self.sim.person(user.title())

    def sender(self, user: str) -> str:
        return self.person(user)[0].aad

    def conversation(self, user: str) -> str:
        return self.person(user)[0].id

    async def says(self, user: str, text: str, *files: Offered) -> str:
        """Teams tells no size of a file, so none can lie about it."""
        attached = [self.callers.file(file.name, file.data) for file in files]
        html = {"contentType": "text/html", "content": f"<p>{text}</p>"}
        return self._sends(self.callers.text(*self.person(user), text, attachments=[html, *attached]))

    async def repeats(self, platform_id: str) -> None:
        self._sends(self._said[platform_id])

    async def edits(self, user: str, platform_id: str, text: str) -> str:
        return self._sends(self.callers.edited(self._said[platform_id], text))

    async def presses(self, user: str, message: Seen, choice: Choice) -> str:
        action = self._carried[message.message_id, choice]
        by, _ = self.person(user)
        stored = next(one for one in self.sim.state.messages.values() if one.id == message.message_id)
        async with asyncio.timeout(TOLD):
            answered = await self._until_answered(self.callers.press(by, stored, action))
        return str(json.loads(answered.body)["value"])

    def seen(self, user: str) -> tuple[Seen, ...]:
        shown = self.sim.state.seen(self.person(user)[1].id)
        return tuple(self._seen(stored) for stored in shown)

    def _seen(self, stored: Stored) -> Seen:
        choices = []
        for action in stored.buttons():
            data = action["data"]
            assert isinstance(data, dict)
            choices.append(data["choice"])
            self._carried[stored.id, data["choice"]] = action
        data = self.sim.uploads.get(stored.id, b"")
        return Seen(
            message_id=stored.id,
            text=stored.text,
            raw=stored.raw,
            buttons=tuple(choice for choice in CHOICES if choice in choices),
            file_name=str(stored.attachments[0]["name"]) if data and stored.attachments else "",
            data=data,
            edits=stored.edits,
        )

    def acknowledged(self, platform_id: str) -> bool:
        return platform_id in self._acknowledged

    # --- the Connector's calls --------------------------------------------------------------------------

    def _sends(self, activity: Json) -> str:
        """The id is what the adapter's own pure function makes of it; the suite compares where it goes from there."""
        said = received(read(json.dumps(activity).encode(), Activity), "")
        assert said is not None
        self._said[said.platform_id] = activity
        self._acknowledged.discard(said.platform_id)
        self._start(self._deliver(said.platform_id, activity))
        return said.platform_id

    async def _deliver(self, platform_id: str, activity: Json) -> None:
        """Call until it is taken. The real Connector tries a few times; this one is more patient."""
        while True:
            await self._up.wait()
            answered = await self._until_answered(activity)
            assert answered.status in (200, 503), answered
            if answered.status == 200 and not await self.sim.hold.passes("acknowledging"):
                self._acknowledged.add(platform_id)
                return
            await asyncio.sleep(AGAIN)  # it never arrived, or was turned away for now

    async def _until_answered(self, activity: Json) -> Answered:
        while True:
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(GIVES_UP):
                    answered = await self.callers.call(activity)
                if answered.status:
                    return answered
            await asyncio.sleep(AGAIN)

    async def _take_files(self) -> None:
        """People take each file that is offered before they read on."""
        while True:
            stored = await self.sim.offered.get()
            person = self.sim.state.rooms[stored.room].person
            assert person is not None
            with suppress(TimeoutError):
                async with asyncio.timeout(TOLD):
                    before = stored.edits
                    await self._until_answered(self.callers.consents(person, stored))
                    while stored.edits == before:
                        await asyncio.sleep(0.01)
            self.sim.taking.set()

    # --- fate -------------------------------------------------------------------------------------------

    async def goes_away(self) -> None:
        self._up.clear()
        await self.sim.stop()

    async def comes_back(self) -> None:
        await self.sim.start()
        self._up.set()

    async def drops(self) -> None:
        self.sim.cut()

    async def revokes(self) -> None:
        self.sim.revoked = True
        self.sim.cut()

    def slows(self, seconds: float, times: int = 1) -> None:
        self.sim.refusals.extend([slow(seconds)] * times)

    def holds(self, step: Step) -> None:
        self.sim.hold.at(step)

    async def held(self) -> None:
        await self.sim.hold.reached.wait()

    def releases(self) -> None:
        self.sim.hold.release()
