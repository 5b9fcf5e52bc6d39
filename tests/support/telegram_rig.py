"""Telegram for the contract suite: the simulated Bot API behind the protocol that all channels share."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Final

from tests.support.channel_rig import Can, Offered, Seen, Step
from tests.support.telegram_sim import Telegram as Simulated
from tests.support.telegram_state import Json, Person, Stored

from wirken.channels.contract import CHOICES, Choice
from wirken.channels.telegram_convert import button, message_id, received
from wirken.channels.telegram_types import Update, User, updates
from wirken.domain.platforms import Kind, Telegram

_FIRST: Final = 5_000_000_001
TOLD: Final = 30.0
"""Seconds in which a press is answered; it takes milliseconds."""


class TelegramRig:
    """`async with TelegramRig() as rig`: one simulator, running."""

    kind: type[Kind] = Telegram
    module = "wirken.channels.telegram"
    can = Can()

    def __init__(self) -> None:
        self.sim = Simulated()
        self.settings: Mapping[str, str] = {}
        self.secrets: Mapping[str, str] = {"token": self.sim.token}
        self._people: dict[str, Person] = {}
        self._carried: dict[tuple[str, str], str] = {}
        """What buttons carried, by message and choice, also of those that are gone."""

    async def __aenter__(self) -> TelegramRig:
        await self.sim.start()
        self.settings = {"api_url": self.sim.url}
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.sim.stop()

    # --- users ------------------------------------------------------------------------------------------

    def _person(self, user: str) -> Person:
        if user not in self._people:
            self._people[user] = self.sim.person(_FIRST + len(self._people), user.title(), user)
        return self._people[user]

    def sender(self, user: str) -> str:
        return str(self._person(user).id)

    def conversation(self, user: str) -> str:
        return str(self._person(user).id)

    async def says(self, user: str, text: str, *files: Offered) -> str:
        """Say it; a person's further files are messages of their own on Telegram."""
        by = self._person(user)
        if not files:
            return _id(self.sim.say(by, text))
        first, *rest = (
            self.sim.send_document(
                by, file.data, file.name, caption="" if number else text, claims=file.claims, mime=file.media_type
            )
            for number, file in enumerate(files)
        )
        assert not rest, "one file to a message"
        return _id(first)

    async def repeats(self, platform_id: str) -> None:
        self.sim.again(self._stored(platform_id))

    async def edits(self, user: str, platform_id: str, text: str) -> str:
        edited = self.sim.edit(self._stored(platform_id), text)
        return self._as_received(edited, edited=True)

    async def presses(self, user: str, message: Seen, choice: Choice) -> str:
        stored = self._stored(message.message_id)
        data = self._carried[message.message_id, choice]
        assert data == button(data.partition(":")[0], choice)
        query = self.sim.press(self._person(user), stored, data)
        async with asyncio.timeout(TOLD):
            while query.answer is None:
                await asyncio.sleep(0.01)
        return query.answer

    def seen(self, user: str) -> tuple[Seen, ...]:
        shown = self.sim.seen(self._person(user).id)
        for stored in shown:
            for data in (str(one["callback_data"]) for row in stored.markup for one in row):
                self._carried[_id(stored), data.partition(":")[2]] = data
        return tuple(_seen(stored) for stored in shown)

    def acknowledged(self, platform_id: str) -> bool:
        return not any(
            self._as_received_wire(content, edited=kind == "edited_message") == platform_id
            for update in self.sim.state.updates.values()
            for kind, content in update.items()
            if kind in ("message", "edited_message") and isinstance(content, dict)
        )

    def _stored(self, platform_id: str) -> Stored:
        named = message_id(platform_id)
        assert named is not None
        return self.sim.state.messages[named]

    def _as_received(self, stored: Stored, *, edited: bool) -> str:
        return self._as_received_wire(stored.wire, edited=edited)

    def _as_received_wire(self, wire: Json, *, edited: bool) -> str:
        """The id that the adapter's own pure function gives it; what the suite compares is where it goes from there."""
        update = _update(wire)
        assert update.message is not None
        said = received(update.message, User(self.sim.state.bot.id), "", edited=edited)
        return said.platform_id if said is not None else ""

    # --- fate -------------------------------------------------------------------------------------------

    async def goes_away(self) -> None:
        await self.sim.stop()

    async def comes_back(self) -> None:
        await self.sim.start()

    async def drops(self) -> None:
        self.sim.cut()

    async def revokes(self) -> None:
        self.sim.revoked = True
        self.sim.cut()

    def slows(self, seconds: float, times: int = 1) -> None:
        self.sim.slow_downs.extend([seconds] * times)

    def holds(self, step: Step) -> None:
        self.sim.hold.at(step)

    async def held(self) -> None:
        await self.sim.hold.reached.wait()

    def releases(self) -> None:
        self.sim.hold.release()


def _update(wire: Json) -> Update:
    (update,) = updates(json.dumps({"ok": True, "result": [{"update_id": 1, "message": wire}]}).encode())
    return update


def _id(stored: Stored) -> str:
    return f"{stored.chat}:{stored.id}"


def _seen(stored: Stored) -> Seen:
    carried = [str(one["callback_data"]).partition(":")[2] for row in stored.markup for one in row]
    return Seen(
        message_id=_id(stored),
        text=stored.text,
        raw=stored.raw,
        buttons=tuple(choice for data in carried for choice in CHOICES if choice == data),
        reply_to=f"{stored.chat}:{stored.reply_to}" if stored.reply_to else "",
        file_name=stored.file_name,
        data=stored.data,
        edits=stored.edits,
    )
