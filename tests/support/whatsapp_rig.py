"""WhatsApp for the contract suite: the simulated Graph API and its calls behind the protocol of all channels."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from typing import Final

from tests.support.channel_rig import Can, Offered, Seen, Step
from tests.support.whatsapp_sim import WhatsApp as Simulated
from tests.support.whatsapp_state import Person, Stored

from wirken.channels.contract import CHOICES, Choice
from wirken.domain.platforms import Kind, WhatsApp

TOLD: Final = 30.0
"""Seconds in which a press is answered; it takes milliseconds."""


class WhatsAppRig:
    """`async with WhatsAppRig() as rig`: one simulator, running. Its adapter is called at `callback`."""

    kind: type[Kind] = WhatsApp
    module = "wirken.channels.whatsapp"
    can = Can(edits=False)

    def __init__(self) -> None:
        self.sim = Simulated()
        self.callback = 0
        self.settings: Mapping[str, str] = {}
        self.secrets: Mapping[str, str] = {
            "token": self.sim.token,
            "app_secret": self.sim.app_secret,
            "verify_token": self.sim.verify_token,
        }
        self._people: dict[str, Person] = {}

    async def __aenter__(self) -> WhatsAppRig:
        await self.sim.start()
        self.settings = {"api_url": self.sim.url, "phone_id": self.sim.phone_id}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.callback = self.sim.callback = int(free.getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.sim.hang_up()
        await self.sim.stop()

    # --- users ------------------------------------------------------------------------------------------

    def person(self, user: str) -> Person:
        if user not in self._people:
            number = len(self._people) + 1
            self._people[user] = Person(user.title(), f"4915700000{number:03}", f"DE.1349120865530274{number:04}")
        return self._people[user]

    def sender(self, user: str) -> str:
        return self.person(user).id

    def conversation(self, user: str) -> str:
        return self.person(user).id

    async def says(self, user: str, text: str, *files: Offered) -> str:
        by = self.person(user)
        if not files:
            return self.sim.say(by, text)
        (file,) = files
        return self.sim.send_file(by, file.data, file.name, text, file.claims, file.media_type)

    async def repeats(self, platform_id: str) -> None:
        self.sim.again(platform_id)

    async def edits(self, user: str, platform_id: str, text: str) -> str:
        return self.sim.edit(self.person(user), platform_id, text)

    async def presses(self, user: str, message: Seen, choice: Choice) -> str:
        """Press; whoever is told something is told it in a message that quotes the press, before the call's answer."""
        stored = next(one for one in self.sim.state.messages if one.id == message.message_id)
        carried = next(one for one in stored.carried if one.endswith(f":{choice}"))
        pressed = self.sim.press(self.person(user), stored, carried)
        async with asyncio.timeout(TOLD):
            while not self.acknowledged(pressed):
                await asyncio.sleep(0.01)
        return next((one.text for one in self.sim.state.messages if one.context == pressed), "")

    def seen(self, user: str) -> tuple[Seen, ...]:
        person = self.person(user)
        return tuple(_seen(one) for one in self.sim.state.messages if one.to in (person.number, person.user_id))

    def acknowledged(self, platform_id: str) -> bool:
        return all(one.acknowledged for one in self.sim.state.deliveries if platform_id in one.names)

    # --- fate -------------------------------------------------------------------------------------------

    async def goes_away(self) -> None:
        await self.sim.stop()

    async def comes_back(self) -> None:
        await self.sim.start()

    async def drops(self) -> None:
        self.sim.cut()

    async def revokes(self) -> None:
        """Refuse the token. Nobody tells the bot so: it hears it as it answers somebody."""
        self.sim.revoked = True
        self.sim.cut()
        self.sim.say(self.person("alice"), "are you there?")

    def slows(self, seconds: float, times: int = 1) -> None:
        """WhatsApp names no seconds."""
        self.sim.refusals.extend([(130429, 429)] * times)

    def holds(self, step: Step) -> None:
        self.sim.hold.at(step)

    async def held(self) -> None:
        await self.sim.hold.reached.wait()

    def releases(self) -> None:
        self.sim.hold.release()


def _seen(stored: Stored) -> Seen:
    said = [one.partition(":")[2] for one in stored.carried]
    return Seen(
        message_id=stored.id,
        text=stored.text,
        raw=stored.raw,
        buttons=tuple(choice for choice in CHOICES if choice in said),
        reply_to=stored.context,
        file_name=stored.file_name,
        data=stored.data,
    )
