"""Telegram through a proxy, with TLS: as the adapter reaches it in its empty network."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.connect_proxy import connect_proxy
from tests.support.recording_house import RecordingHouse, running
from tests.support.telegram_sim import Telegram as Simulated
from tests.support.tls_files import BUNDLE, authority

from wirken.channels.contract import PlatformAway
from wirken.channels.given import Given
from wirken.channels.render.pieces import Piece
from wirken.channels.telegram import platform
from wirken.channels.telegram_convert import Place, handle
from wirken.domain.clock import SystemClock
from wirken.domain.platforms import Telegram
from wirken.domain.secret import Secret

HERE = handle(Place(111))


async def test_everything_goes_to_api_telegram_org_through_the_proxy(tmp_path: Path) -> None:
    async with Simulated(tls=authority(tmp_path, ("api.telegram.org",))) as sim, connect_proxy(sim.port) as proxy:
        token = {"token": Secret(sim.token.encode())}
        served = platform(Given({}, token, SystemClock(), proxy=proxy.url, ca_file=str(tmp_path / BUNDLE)))
        house = RecordingHouse[Telegram]()
        async with running(served, house):
            sim.send_document(sim.person(111, "Alice"), b"data", "a.txt", caption="hello")
            assert await house.texts(1) == ["hello"]
            pieces = [piece async for piece in served.fetch(house.received[0].files[0])]
            await served.send(HERE, Piece("hi", "hi"), "k")
        await served.close()
        assert b"".join(pieces) == b"data" and [stored.text for stored in sim.seen(111)] == ["hi"]
        assert set(proxy.asked) == {"api.telegram.org:443"}


async def test_a_proxy_that_refuses_is_a_platform_that_is_away(tmp_path: Path) -> None:
    async with Simulated() as sim, connect_proxy(sim.port) as proxy:
        proxy.refuses = True
        served = platform(Given({}, {"token": Secret(sim.token.encode())}, SystemClock(), proxy=proxy.url))
        with pytest.raises(PlatformAway):
            await served.send(HERE, Piece("hi", "hi"), "k")
        await served.close()
        assert proxy.asked == ["api.telegram.org:443"] and sim.calls == []


async def test_a_certificate_that_nobody_vouches_for_is_not_believed(tmp_path: Path) -> None:
    async with Simulated(tls=authority(tmp_path, ("api.telegram.org",))) as sim, connect_proxy(sim.port) as proxy:
        served = platform(Given({}, {"token": Secret(sim.token.encode())}, SystemClock(), proxy=proxy.url))
        with pytest.raises(PlatformAway):
            await served.send(HERE, Piece("hi", "hi"), "k")
        await served.close()
        assert sim.calls == []
