"""The simulated Slack behaves as its documentation says, whoever asks."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest
from tests.support.slack_sim import Slack
from tests.support.slack_state import BLOCKS, EDITED, SECTION, TEXT, read


async def asked(sim: Slack, method: str, token: str = "", /, **given: object) -> dict[str, object]:
    headers = {"Authorization": f"Bearer {token or sim.bot_token}"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{sim.url}/{method}", json=given, headers=headers) as response,
    ):
        told = await response.json()
        assert isinstance(told, dict)
        return told


async def test_each_token_opens_its_own_doors() -> None:
    async with Slack() as sim:
        assert (await asked(sim, "auth.test"))["user_id"] == sim.state.bot.id
        assert (await asked(sim, "auth.test", "xoxb-other"))["error"] == "invalid_auth"
        assert (await asked(sim, "auth.test", sim.app_token))["error"] == "not_allowed_token_type"
        assert (await asked(sim, "apps.connections.open"))["error"] == "not_allowed_token_type"
        assert (await asked(sim, "apps.connections.open", sim.app_token))["ok"] is True


async def test_an_event_comes_again_until_it_is_acknowledged_and_a_ticket_serves_once() -> None:
    async with Slack() as sim, aiohttp.ClientSession() as session:
        sim.envelopes.again_after = 0.05
        alice = sim.person("U1", "Alice")
        url = str((await asked(sim, "apps.connections.open", sim.app_token))["url"])
        async with session.ws_connect(url) as link:
            assert (await link.receive_json())["type"] == "hello"
            said = sim.say(alice, "hello")
            first, again = await link.receive_json(), await link.receive_json()
            assert first["envelope_id"] == again["envelope_id"]
            assert (first["retry_attempt"], again["retry_attempt"], again["retry_reason"]) == (0, 1, "timeout")
            assert first["payload"]["event"]["text"] == "hello"
            await link.send_str(json.dumps({"envelope_id": first["envelope_id"]}))
            async with asyncio.timeout(30):
                await sim.told[f"{said.channel}:{said.ts}"][0].acknowledged.wait()
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(url)


async def test_messages_have_slacks_limits() -> None:
    async with Slack() as sim:
        here = sim.person("U1", "Alice").im
        sent = await asked(sim, "chat.postMessage", channel=here, text="x" * (TEXT + 1))
        assert len(sim.seen(here)[0].raw) == TEXT
        edit = {"channel": here, "ts": str(sent["ts"]), "parse": "none"}
        assert (await asked(sim, "chat.update", "", **edit, text="x" * EDITED))["ok"]
        assert (await asked(sim, "chat.update", "", **edit, text="x" * (EDITED + 1)))["error"] == "msg_too_long"
        block = {"type": "section", "text": {"type": "plain_text", "text": "x" * SECTION}}
        assert (await asked(sim, "chat.postMessage", channel=here, blocks=[block] * BLOCKS))["ok"]
        for bad in ([block] * (BLOCKS + 1), [{**block, "text": {"type": "plain_text", "text": "x" * (SECTION + 1)}}]):
            assert (await asked(sim, "chat.postMessage", channel=here, blocks=bad))["error"] == "invalid_blocks"
        assert (await asked(sim, "chat.postMessage", channel="C404", text="x"))["error"] == "channel_not_found"
        sim.channel("C1").archived = True
        assert (await asked(sim, "chat.postMessage", channel="C1", text="x"))["error"] == "is_archived"
        sim.channel("C2").member = False
        assert (await asked(sim, "chat.postMessage", channel="C2", text="x"))["error"] == "not_in_channel"
        assert (await asked(sim, "chat.update", channel=here, ts="1.1", text="x"))["error"] == "message_not_found"


def test_mrkdwn_is_read_as_slack_shows_it() -> None:
    calls: list[str] = []
    assert read("*b* _i_ ~s~ `*c*` <https://a.example|label> &lt;x&gt;", calls) == "b i s *c* label <x>"
    assert calls == [] and read("<!here>", calls) == "!here" and calls == ["!here"]
