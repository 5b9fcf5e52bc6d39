"""Discord for the contract suite: the simulated platform behind the protocol that all channels share."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping

import msgspec
from tests.support.channel_rig import Can, Offered, Seen, Step
from tests.support.discord_sim import Discord as Simulated
from tests.support.discord_state import Account, Channel, Stored

from wirken.channels.contract import CHOICES, Choice
from wirken.channels.discord_convert import Place, handle, message_id, received
from wirken.channels.discord_types import Message
from wirken.domain.platforms import Discord, Kind

TOLD = 30.0
"""Seconds in which a press is answered; it takes milliseconds."""
_ESCAPED = re.compile(r"\\([^A-Za-z0-9\s])")


class DiscordRig:
    """`async with DiscordRig() as rig`: one simulator, running."""

    kind: type[Kind] = Discord
    module = "wirken.channels.discord"
    can = Can(knows_keys=True)

    def __init__(self) -> None:
        self.sim = Simulated()
        self.sim.interval = 1000
        self.sim.limits.allowed, self.sim.limits.seconds = 50, 1.0
        self.settings: Mapping[str, str] = {}
        self.secrets: Mapping[str, str] = {"token": self.sim.token}
        self._people: dict[str, tuple[Account, Channel]] = {}
        self._carried: dict[tuple[str, str], str] = {}
        """What buttons carried, by message and choice, also of those that are gone."""

    async def __aenter__(self) -> DiscordRig:
        await self.sim.start()
        self.settings = {"api_url": self.sim.url}
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.sim.stop()

    # --- users ------------------------------------------------------------------------------------------

    def _person(self, user: str) -> tuple[Account, Channel]:
        if user not in self._people:
            self._people[user] = self.sim.person(user), self.sim.direct()
        return self._people[user]

    def sender(self, user: str) -> str:
        return self._person(user)[0].id

    def conversation(self, user: str) -> str:
        return handle(Place(self._person(user)[1].id)).conversation

    async def says(self, user: str, text: str, *files: Offered) -> str:
        by, channel = self._person(user)
        offered = [(file.name, file.data, file.claims, file.media_type) for file in files]
        return _id(self.sim.say(by, channel, text, *offered))

    async def repeats(self, platform_id: str) -> None:
        self.sim.again(self._stored(platform_id))

    async def edits(self, user: str, platform_id: str, text: str) -> str:
        edited = self.sim.edit(self._stored(platform_id), text)
        said = received(
            msgspec.json.decode(msgspec.json.encode(edited.wire), type=Message),
            self.sim.state.bot.id,
            "",
            guild=False,
            edited=True,
        )
        assert said is not None
        return said.platform_id

    async def presses(self, user: str, message: Seen, choice: Choice) -> str:
        data = self._carried[message.message_id, choice]
        pressed = self.sim.press(self._person(user)[0], self._stored(message.message_id), data)
        async with asyncio.timeout(TOLD):
            while pressed.answer is None:
                await asyncio.sleep(0.01)
        return _ESCAPED.sub(r"\1", pressed.answer)

    def seen(self, user: str) -> tuple[Seen, ...]:
        shown = self.sim.state.of_bot(self._person(user)[1].id)
        for stored in shown:
            for data in stored.custom_ids:
                self._carried[_id(stored), data.partition(":")[2]] = data
        return tuple(_seen(stored) for stored in shown)

    def acknowledged(self, platform_id: str) -> bool:
        """Is the message behind the number from which each session would be resumed?"""
        own = platform_id.split(":")[1]
        return not any(
            kind in ("MESSAGE_CREATE", "MESSAGE_UPDATE") and isinstance(content, dict) and content["id"] == own
            for session in list(self.sim.state.sessions.values())[-1:]
            for _, kind, content in session.events[session.acknowledged :]
        )

    def _stored(self, platform_id: str) -> Stored:
        named = message_id(platform_id)
        assert named is not None
        return self.sim.state.messages[named]

    # --- fate -------------------------------------------------------------------------------------------

    async def goes_away(self) -> None:
        await self.sim.stop()

    async def comes_back(self) -> None:
        await self.sim.start()

    async def drops(self) -> None:
        self.sim.cut()

    async def revokes(self) -> None:
        self.sim.revoked = True
        await self.sim.close(4004)

    def slows(self, seconds: float, times: int = 1) -> None:
        self.sim.slow_downs.extend([seconds] * times)

    def holds(self, step: Step) -> None:
        self.sim.hold.at(step)

    async def held(self) -> None:
        await self.sim.hold.reached.wait()

    def releases(self) -> None:
        self.sim.hold.release()


def _id(stored: Stored) -> str:
    return f"{stored.channel.id}:{stored.id}"


def _seen(stored: Stored) -> Seen:
    carried = [data.partition(":")[2] for data in stored.custom_ids]
    answered = stored.wire.get("message_reference")
    attached = stored.wire["attachments"]
    assert isinstance(attached, list)
    return Seen(
        message_id=_id(stored),
        text=_ESCAPED.sub(r"\1", stored.content),
        raw=stored.content,
        buttons=tuple(choice for data in carried for choice in CHOICES if choice == data),
        reply_to=f"{stored.channel.id}:{answered['message_id']}" if isinstance(answered, dict) else "",
        file_name=attached[0]["filename"] if attached else "",
        data=stored.data,
        edits=stored.edits,
    )
