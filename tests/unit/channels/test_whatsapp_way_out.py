"""WhatsApp through a proxy, with TLS: as the adapter reaches it in its empty network."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.channel_child import listening
from tests.support.connect_proxy import connect_proxy
from tests.support.recording_house import RecordingHouse, running
from tests.support.tls_files import BUNDLE, authority
from tests.support.whatsapp_sim import WhatsApp as Simulated
from tests.support.whatsapp_state import Media, Person

from wirken.channels.contract import Attachment, PlatformAway
from wirken.channels.given import Given
from wirken.channels.render.pieces import Piece
from wirken.channels.whatsapp import WhatsAppPlatform, platform
from wirken.channels.whatsapp_convert import handle
from wirken.domain.clock import SystemClock
from wirken.domain.platforms import WhatsApp
from wirken.domain.secret import Secret

HERE = handle("4915700000001")
HOSTS = ("graph.facebook.com", "lookaside.fbsbx.com")


def hosted(sim: Simulated, proxy: str, ca_file: str = "") -> WhatsAppPlatform:
    told = {"token": sim.token, "app_secret": sim.app_secret, "verify_token": sim.verify_token}
    secrets = {name: Secret(value.encode()) for name, value in told.items()}
    listener = listening(0)
    sim.callback = listener.getsockname()[1]
    given = Given({"phone_id": sim.phone_id}, secrets, SystemClock(), proxy=proxy, listener=listener, ca_file=ca_file)
    return platform(given)


async def test_everything_goes_to_whatsapp_through_the_proxy(tmp_path: Path) -> None:
    tls = authority(tmp_path, HOSTS)
    async with Simulated(tls=tls) as sim, connect_proxy(sim.port) as proxy:
        served, house = hosted(sim, proxy.url, str(tmp_path / BUNDLE)), RecordingHouse[WhatsApp]()
        async with running(served, house):
            sim.say(Person("Alice", "4915700000001", "DE.1"), "hello")
            assert await house.texts(1) == ["hello"]
            await served.send(HERE, Piece("hi", "hi"), "k")
            known = sim.keep(Media(b"data", "text/plain"))
            sim.elsewhere = f"https://lookaside.fbsbx.com/files/{known}?hash=x"
            file = Attachment("a", "text/plain", -1, known)
            assert b"".join([piece async for piece in served.fetch(file)]) == b"data"
        await served.close()
        served._listener.close()
        assert [stored.text for stored in sim.state.messages] == ["hi"]
        assert set(proxy.asked) == {f"{host}:443" for host in HOSTS}


async def test_a_proxy_that_refuses_is_a_platform_that_is_away() -> None:
    async with Simulated() as sim, connect_proxy(sim.port) as proxy:
        proxy.refuses = True
        served = hosted(sim, proxy.url)
        with pytest.raises(PlatformAway):
            await served.send(HERE, Piece("hi", "hi"), "k")
        await served.close()
        served._listener.close()
        assert proxy.asked == ["graph.facebook.com:443"] and sim.requests == []


async def test_a_certificate_that_nobody_vouches_for_is_not_believed(tmp_path: Path) -> None:
    async with Simulated(tls=authority(tmp_path, HOSTS)) as sim, connect_proxy(sim.port) as proxy:
        served = hosted(sim, proxy.url)
        with pytest.raises(PlatformAway):
            await served.send(HERE, Piece("hi", "hi"), "k")
        await served.close()
        served._listener.close()
        assert sim.requests == []
