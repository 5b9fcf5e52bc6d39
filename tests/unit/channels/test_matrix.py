"""Matrix as people meet it: the adapter's file, a real homeserver, and other people's clients."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.support.matrix_people import Person, person
from tests.support.recording_house import RecordingHouse, running
from tests.support.synapse import NAME, Synapse

from wirken.channels.contract import Question
from wirken.channels.given import Given
from wirken.channels.matrix import MatrixPlatform, platform
from wirken.channels.matrix_convert import Place, handle
from wirken.channels.render.pieces import Piece
from wirken.domain.clock import SystemClock
from wirken.domain.platforms import Matrix
from wirken.domain.secret import Secret

pytestmark = pytest.mark.slow
House = RecordingHouse[Matrix]


class Bot:
    """An account of ours, and the folder that it keeps."""

    def __init__(self, synapse: Synapse, folder: Path) -> None:
        self.password = secrets.token_hex(8)
        local = f"wirken-{secrets.token_hex(4)}"
        synapse.register(local, self.password)
        self.synapse, self.folder, self.user = synapse, folder, f"@{local}:{NAME}"

    def made(self, **settings: str) -> MatrixPlatform:
        secrets = {"password": Secret(self.password.encode()), "store_key": Secret(b"the key of the store")}
        given = {"homeserver": self.synapse.url, "user": self.user, **settings}
        return platform(Given(given, secrets, SystemClock(), state=self.folder))

    @asynccontextmanager
    async def runs(self, house: House, **settings: str) -> AsyncIterator[MatrixPlatform]:
        served = self.made(**settings)
        try:
            async with running(served, house):
                yield served
        finally:
            await served.close()


@asynccontextmanager
async def together(bot: Bot, alice: Person, house: House, *, encrypted: bool = True) -> AsyncIterator[str]:
    """A room of alice's that the bot comes into."""
    house.admitted.add(alice.user)
    room = await alice.opens(bot.user, encrypted=encrypted)
    await alice.sees(room, bot.user)
    yield room


async def test_an_encrypted_conversation_both_ways(synapse: Synapse, tmp_path: Path) -> None:
    bot, house = Bot(synapse, tmp_path), House()
    async with person(synapse, "alice") as alice, bot.runs(house) as served, together(bot, alice, house) as room:
        said = await alice.says(room, "hello 😀 𝒳")
        assert await house.texts(1) == ["hello 😀 𝒳"]
        [received] = house.received
        assert received.sender == alice.user and received.platform_id == said and not received.group
        assert received.conversation == handle(Place(room))
        key = "k" * 25
        sent = await served.send(received.conversation, Piece("<strong>hi</strong>", "hi"), key, said)
        assert await served.send(received.conversation, Piece("<strong>hi</strong>", "hi"), key, said) == sent
        [heard] = await alice.until(lambda: alice.from_others(room))
        assert heard.encrypted and heard.body == "hi" and heard.content["formatted_body"] == "<strong>hi</strong>"
        await served.edit(received.conversation, sent, Piece("<em>ho</em>", "ho"))
        await alice.until(lambda: heard.body == "ho")


async def test_a_question_is_answered_by_a_reaction(synapse: Synapse, tmp_path: Path) -> None:
    bot, house = Bot(synapse, tmp_path), House()
    async with person(synapse, "alice") as alice, bot.runs(house) as served, together(bot, alice, house) as room:
        question = Question("ab12", (Piece("May I?", "May I?"),), ("once", "deny"))
        asked = await served.ask(handle(Place(room)), question, "q" * 25)
        [heard] = await alice.until(lambda: alice.from_others(room))
        assert "👍 Allow once" in heard.body and "👎 Deny" in heard.body
        await alice.reacts(room, asked, "👍🏽")
        await house.until(lambda: house.presses)
        [press] = house.presses
        assert (press.sender, press.approval, press.choice) == (alice.user, "ab12", "once")
        assert press.conversation == handle(Place(room))
