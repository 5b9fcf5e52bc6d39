"""Slack for the contract suite: the simulated Slack behind the protocol that all channels share."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from typing import Final

from tests.support.channel_rig import Can, Offered, Seen, Step
from tests.support.slack_sim import Slack as Simulated
from tests.support.slack_state import Json, Person, Stored, read

from wirken.channels.contract import CHOICES, Choice
from wirken.domain.platforms import Kind, Slack

TOLD: Final = 30.0
"""Seconds in which a press is answered; it takes milliseconds."""


class SlackRig:
    """`async with SlackRig() as rig`: one simulator, running."""

    kind: type[Kind] = Slack
    module = "wirken.channels.slack"
    can = Can()

    def __init__(self) -> None:
        self.sim = Simulated()
        self.sim.envelopes.again_after = 0.5
        self.settings: Mapping[str, str] = {}
        self.secrets: Mapping[str, str] = {"bot_token": self.sim.bot_token, "app_token": self.sim.app_token}
        self._people: dict[str, Person] = {}
        self._carried: dict[tuple[str, str], Json] = {}
        """Buttons, by message and choice, also those that are gone."""

    async def __aenter__(self) -> SlackRig:
        await self.sim.start()
        self.settings = {"api_url": self.sim.url}
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.sim.envelopes.end()
        await self.sim.stop()

    # --- users ------------------------------------------------------------------------------------------

    def _person(self, user: str) -> Person:
        if user not in self._people:
            self._people[user] = self.sim.person(f"U{len(self._people) + 1:09}", user.title())
        return self._people[user]

    def sender(self, user: str) -> str:
        return self._person(user).id

    def conversation(self, user: str) -> str:
        return self._person(user).im

    async def says(self, user: str, text: str, *files: Offered) -> str:
        uploads = tuple(self.sim.file(file.name, file.data, file.claims, file.media_type) for file in files)
        return _id(self.sim.say(self._person(user), text, files=uploads))

    async def repeats(self, platform_id: str) -> None:
        for pending in list(self.sim.told[platform_id]):
            self.sim.told[platform_id].append(self.sim.envelopes.push(pending.kind, pending.payload))

    async def edits(self, user: str, platform_id: str, text: str) -> str:
        edited = self.sim.edit(self._stored(platform_id), text)
        return f"{_id(edited)}:{edited.edited}"

    async def presses(self, user: str, message: Seen, choice: Choice) -> str:
        by, stored, before = self._person(user), self._stored(message.message_id), len(self.sim.state.ephemerals)
        self.sim.press(by, stored, self._carried[message.message_id, choice])
        async with asyncio.timeout(TOLD):
            while True:
                for _, to, _, text in self.sim.state.ephemerals[before:]:
                    if to == by.id:
                        return read(text)
                await asyncio.sleep(0.01)

    def seen(self, user: str) -> tuple[Seen, ...]:
        shown = self.sim.seen(self._person(user).im)
        for stored in shown:
            for button in stored.buttons:
                self._carried[_id(stored), _choice(button)] = {
                    key: button[key] for key in ("action_id", "value", "text")
                }
        return tuple(self._as_seen(stored) for stored in shown)

    def _as_seen(self, stored: Stored) -> Seen:
        carried = [_choice(button) for button in stored.buttons]
        files = [self.sim.state.files[file] for file in stored.files]
        return Seen(
            message_id=_id(stored),
            text=stored.text,
            raw=stored.raw,
            buttons=tuple(choice for data in carried for choice in CHOICES if choice == data),
            file_name=files[0].name if files else "",
            data=files[0].data if files else b"",
            edits=stored.edits,
        )

    def acknowledged(self, platform_id: str) -> bool:
        return all(pending.acknowledged.is_set() for pending in self.sim.told[platform_id])

    def _stored(self, platform_id: str) -> Stored:
        channel, ts = platform_id.split(":")[:2]
        return self.sim.state.messages[channel, ts]

    # --- fate -------------------------------------------------------------------------------------------

    async def goes_away(self) -> None:
        await self.sim.stop()

    async def comes_back(self) -> None:
        await self.sim.start()

    async def drops(self) -> None:
        self.sim.cut()

    async def revokes(self) -> None:
        self.sim.revoked = "token_revoked"
        self.sim.cut()

    def slows(self, seconds: float, times: int = 1) -> None:
        self.sim.slow_downs.extend([str(math.ceil(seconds))] * times)

    def holds(self, step: Step) -> None:
        self.sim.hold.at(step)

    async def held(self) -> None:
        await self.sim.hold.reached.wait()

    def releases(self) -> None:
        self.sim.hold.release()


def _id(stored: Stored) -> str:
    return f"{stored.channel}:{stored.ts}"


def _choice(button: Json) -> str:
    return str(button["action_id"]).removeprefix("wirken-")
