"""Slack through a proxy, with TLS: as the adapter reaches it in its empty network."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.connect_proxy import connect_proxy
from tests.support.recording_house import RecordingHouse, running
from tests.support.slack_sim import Slack as Simulated
from tests.support.tls_files import BUNDLE, authority

from wirken.channels.contract import PlatformAway
from wirken.channels.given import Given
from wirken.channels.render.pieces import Piece
from wirken.channels.slack import platform
from wirken.channels.slack_convert import Place, handle
from wirken.domain.clock import SystemClock
from wirken.domain.platforms import Slack
from wirken.domain.secret import Secret

HERE = handle(Place("D0ALICE000"))
NAMES = ("slack.com", "edge.slack.com")


def given(sim: Simulated, proxy: str, ca_file: str = "") -> Given:
    secrets = {"bot_token": Secret(sim.bot_token.encode()), "app_token": Secret(sim.app_token.encode())}
    return Given({}, secrets, SystemClock(), proxy=proxy, ca_file=ca_file)


async def test_everything_goes_to_slack_through_the_proxy(tmp_path: Path) -> None:
    async with Simulated(tls=authority(tmp_path, NAMES)) as sim, connect_proxy(sim.port) as proxy:
        sim.host = "edge.slack.com"  # where connections, files and uploads are
        served = platform(given(sim, proxy.url, str(tmp_path / BUNDLE)))
        house, alice = RecordingHouse[Slack](), sim.person("U0ALICE000", "Alice")
        async with running(served, house):
            sim.say(alice, "hello", files=(sim.file("a.txt", b"data"),))
            assert await house.texts(1) == ["hello"]
            pieces = [piece async for piece in served.fetch(house.received[0].files[0])]
            await served.send(HERE, Piece("hi", "hi"), "k")
            await served.send_file(HERE, "b.txt", "text/plain", b"more", None, "k2")
        await served.close()
        assert b"".join(pieces) == b"data" and [stored.text for stored in sim.seen(alice.im)] == ["hi", ""]
        assert set(proxy.asked) == {f"{name}:443" for name in NAMES}
        tokens = [one for one in sim.authorized if one]
        assert tokens == [f"Bearer {sim.bot_token}"]  # the file that came; no connection, no upload


async def test_a_proxy_that_refuses_is_a_platform_that_is_away(tmp_path: Path) -> None:
    async with Simulated() as sim, connect_proxy(sim.port) as proxy:
        proxy.refuses = True
        served = platform(given(sim, proxy.url))
        with pytest.raises(PlatformAway):
            await served.send(HERE, Piece("hi", "hi"), "k")
        await served.close()
        assert proxy.asked == ["slack.com:443"] and sim.calls == []


async def test_a_certificate_that_nobody_vouches_for_is_not_believed(tmp_path: Path) -> None:
    async with Simulated(tls=authority(tmp_path, NAMES)) as sim, connect_proxy(sim.port) as proxy:
        served = platform(given(sim, proxy.url))
        with pytest.raises(PlatformAway):
            await served.send(HERE, Piece("hi", "hi"), "k")
        await served.close()
        assert sim.calls == []
