"""discord.py against the simulated Discord: what an independent, widely used library takes for Discord, is like it."""

from __future__ import annotations

import asyncio
import warnings

import pytest
import yarl
from tests.support.discord_sim import Discord as Simulated

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it loads `audioop`, which goes with Python 3.13
    import discord
    import discord.gateway
    import discord.http

pytestmark = pytest.mark.slow


class Client(discord.Client):
    def __init__(self, *, intents: discord.Intents) -> None:
        super().__init__(intents=intents)
        self.ready, self.resumed = asyncio.Event(), asyncio.Event()
        self.heard: asyncio.Queue[discord.Message] = asyncio.Queue()

    async def on_ready(self) -> None:
        self.ready.set()

    async def on_resumed(self) -> None:
        self.resumed.set()

    async def on_message(self, message: discord.Message) -> None:
        self.heard.put_nowait(message)


async def test_another_library_converses_with_the_simulator_and_resumes(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Simulated() as sim, asyncio.timeout(60):
        monkeypatch.setattr(discord.http.Route, "BASE", f"{sim.url}/api/v10")
        monkeypatch.setattr(discord.gateway.DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(sim.gateway))
        intents = discord.Intents.none()
        intents.dm_messages = intents.guild_messages = intents.message_content = True
        client = Client(intents=intents)
        heard = client.heard
        alice, here = sim.person("alice"), sim.direct()
        task = asyncio.create_task(client.start(sim.token))
        await client.ready.wait()
        sim.say(alice, here, "hello 😀", ("a.txt", b"data", -1, "text/plain"))
        message = await heard.get()
        assert (message.content, message.author.id) == ("hello 😀", int(alice.id))
        sent = await message.channel.send("hi", nonce="key", allowed_mentions=discord.AllowedMentions.none())
        edited = await sent.edit(content="hi there")
        assert edited.content == "hi there" and sim.state.of_bot(here.id)[0].content == "hi there"
        assert (await heard.get()).id == sent.id, "a bot hears itself"
        with pytest.raises(discord.NotFound, match="10008"):
            await message.channel.fetch_message(1)
        await sim.tell(7)
        sim.say(alice, here, "while you were gone")
        assert (await heard.get()).content == "while you were gone"
        await client.resumed.wait()
        await client.close()
        await asyncio.gather(task, return_exceptions=True)
