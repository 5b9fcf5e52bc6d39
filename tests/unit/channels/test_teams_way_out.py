"""Teams through a proxy, with TLS: as the adapter reaches it in its empty network."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.connect_proxy import connect_proxy
from tests.support.recording_house import RecordingHouse, running
from tests.support.teams_callers import Callers, listener
from tests.support.teams_sim import APP_ID, SECRET, TENANT, Simulated
from tests.support.tls_files import BUNDLE, authority

from wirken.channels.contract import Attachment, PlatformAway, Undeliverable
from wirken.channels.given import Given
from wirken.channels.render.pieces import Piece
from wirken.channels.teams import platform
from wirken.domain.clock import SystemClock
from wirken.domain.platforms import Teams
from wirken.domain.secret import Secret

HOSTS = ("login.microsoftonline.com", "login.botframework.com", "smba.trafficmanager.net", "contoso.sharepoint.com")
SETTINGS = {"app_id": APP_ID, "tenant_id": TENANT}
SECRETS = {"client_secret": Secret(SECRET.encode())}
SERVICE = "https://smba.trafficmanager.net/teams/"
HI = Piece("hi", "hi")


async def test_everything_goes_to_microsoft_through_the_proxy(tmp_path: Path) -> None:
    async with Simulated(tls=authority(tmp_path, HOSTS)) as sim, connect_proxy(sim.port) as proxy:
        sim.metadata = {"jwks_uri": "https://login.botframework.com/v1/.well-known/keys"}
        hears, house = listener(), RecordingHouse[Teams]()
        ca_file = str(tmp_path / BUNDLE)
        given = Given(SETTINGS, SECRETS, SystemClock(), proxy=proxy.url, ca_file=ca_file, listener=hears)
        served = platform(given)
        callers = Callers(sim, hears.getsockname()[1])
        async with running(served, house):
            said = callers.text(*sim.person("Alice"), "hello", serviceUrl=SERVICE)
            assert (await callers.call(said, callers.token(serviceurl=SERVICE))).status == 200
            await served.send(house.handled[0].conversation, HI, "k")
            sim.files["f"] = b"data"
            file = Attachment("a", "text/plain", -1, "https://contoso.sharepoint.com/files/f?token=x")
            assert b"".join([piece async for piece in served.fetch(file)]) == b"data"
        await served.close()
        hears.close()
        assert [stored.text for stored in sim.state.messages.values()] == ["hi"]
        assert set(proxy.asked) == {f"{host}:443" for host in HOSTS}


async def test_a_proxy_that_refuses_is_a_platform_that_is_away_and_a_file_that_cannot_be_had() -> None:
    with listener() as hears:
        async with Simulated() as sim, connect_proxy(sim.port) as proxy:
            proxy.refuses = True
            served = platform(Given(SETTINGS, SECRETS, SystemClock(), proxy=proxy.url, listener=hears))
            with pytest.raises(PlatformAway):
                await served.run(RecordingHouse())
            with pytest.raises(Undeliverable, match="may not reach"):
                file = Attachment("a", "text/plain", -1, "https://contoso.sharepoint.com/files/f")
                _ = [piece async for piece in served.fetch(file)]
            await served.close()
            assert proxy.asked == ["login.microsoftonline.com:443", "contoso.sharepoint.com:443"] and sim.calls == []


async def test_a_certificate_that_nobody_vouches_for_is_not_believed(tmp_path: Path) -> None:
    tls = authority(tmp_path, HOSTS)
    with listener() as hears:
        async with Simulated(tls=tls) as sim, connect_proxy(sim.port) as proxy:
            served = platform(Given(SETTINGS, SECRETS, SystemClock(), proxy=proxy.url, listener=hears))
            with pytest.raises(PlatformAway):
                await served.run(RecordingHouse())
            await served.close()
            assert sim.calls == []
