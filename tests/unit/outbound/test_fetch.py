"""One request over a real connection: to the judged address, with the name proven by TLS, bounded."""

from __future__ import annotations

import gzip
import ipaddress
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.fake_http import Cut, HttpServer, Recorded, Stall, Step, chunk, head, whole
from tests.support.frozen import FrozenLoop, frozen
from tests.support.tls_files import BUNDLE, authority

from wirken.domain import request_limits
from wirken.outbound.answers import readable
from wirken.outbound.fetch import fetch
from wirken.outbound.fetching import FetchFailed, Wanted
from wirken.outbound.scrub import Scrubber

HOME = ipaddress.ip_address("127.0.0.1")


class Site:
    """A server with a certificate for site.test, and those who trust its authority."""

    def __init__(self, folder: Path) -> None:
        (folder / "ca").mkdir()
        self.steps: dict[str, list[Step]] = {}
        self.server = HttpServer(self._answer, tls=authority(folder / "ca", ("site.test",)))
        self.bundle = folder / "ca" / BUNDLE

    def _answer(self, request: Recorded) -> list[Step]:
        return self.steps.get(request.path.partition("?")[0], whole(200, b"hello", {"Content-Type": "text/plain"}))

    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.bundle))

    def wanted(self, path: str = "/", host: str = "site.test", method: str = "GET", body: bytes = b"") -> Wanted:
        dead = ipaddress.ip_address("127.0.0.9")
        return Wanted(method, "https", host, self.server.port, path, [(b"X-One", b"1")], body, (dead, HOME))


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    one = Site(tmp_path)
    async with one.server:
        yield one


async def test_the_request_goes_to_the_judged_address_under_its_name(site: Site) -> None:
    answer = await fetch(site.wanted("/a?b=c"), site.trust)
    assert (answer.status, answer.body, answer.cut, answer.address) == (200, b"hello", False, "127.0.0.1")
    one = site.server.requests[0]
    assert (one.method, one.path, one.headers["x-one"]) == ("GET", "/a?b=c", "1")
    assert one.headers["host"].partition(":")[0] == "site.test"
    assert one.headers["accept-encoding"] == "identity"
    assert "cookie" not in one.headers and "authorization" not in one.headers


async def test_another_name_or_an_unknown_authority_is_no_proof(site: Site) -> None:
    with pytest.raises(FetchFailed, match="certificate"):
        await fetch(site.wanted(host="other.test"), site.trust)
    with pytest.raises(FetchFailed, match="certificate"):
        await fetch(site.wanted())
    assert site.server.requests == []


async def test_a_body_is_read_up_to_its_limit_and_the_cut_is_said(site: Site) -> None:
    site.steps["/full"] = whole(200, b"x" * request_limits.RESPONSE_BODY, {"Content-Type": "text/plain"})
    site.steps["/more"] = whole(200, b"x" * (request_limits.RESPONSE_BODY + 1), {"Content-Type": "text/plain"})
    site.steps["/flood"] = [head(200, {"Transfer-Encoding": "chunked"}), *[chunk(b"y" * 65_536)] * 200, Stall()]
    full, more = await fetch(site.wanted("/full"), site.trust), await fetch(site.wanted("/more"), site.trust)
    assert (len(full.body), full.cut) == (request_limits.RESPONSE_BODY, False)
    assert (len(more.body), more.cut) == (request_limits.RESPONSE_BODY, True)
    assert f"longer than {request_limits.RESPONSE_BODY} bytes" in readable(more, Scrubber())
    assert f"{request_limits.RESPONSE_BODY - request_limits.RESPONSE_SHOWN} more bytes are left out" in readable(
        full, Scrubber()
    )
    assert (await fetch(site.wanted("/flood"), site.trust)).cut


async def test_what_is_not_text_is_not_shown(site: Site) -> None:
    packed = gzip.compress(b"bomb" * 1000)
    site.steps["/gz"] = whole(200, packed, {"Content-Encoding": "gzip"})
    site.steps["/png"] = whole(200, b"\x89PNG\0\0", {"Content-Type": "image/png"})
    site.steps["/latin"] = whole(200, "ä".encode("latin-1"), {"Content-Type": "text/plain; charset=ISO-8859-1"})
    site.steps["/odd"] = whole(200, "ä".encode(), {"Content-Type": "text/plain; charset=bz2"})
    shown = {
        path: readable(await fetch(site.wanted(path), site.trust), Scrubber())
        for path in ("/gz", "/png", "/latin", "/odd")
    }
    assert "compressed (gzip)" in shown["/gz"]
    assert "6 bytes that is not text" in shown["/png"]
    assert shown["/latin"].endswith("ä") and shown["/odd"].endswith("ä")


async def test_a_server_that_breaks_off_stalls_or_talks_nonsense_is_a_failure(site: Site) -> None:
    site.steps["/cut"] = [head(200, {"Content-Length": "10"}), b"abc", Cut()]
    site.steps["/stall"] = [head(200, {"Content-Length": "10"}), Stall()]
    site.steps["/nonsense"] = [b"220 mail ready\r\n\r\n"]
    site.steps["/headers"] = [b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000 + b"\r\n"]
    for path in ("/cut", "/nonsense", "/headers"):
        with pytest.raises(FetchFailed, match="broke the connection or does not speak HTTP"):
            await fetch(site.wanted(path), site.trust)
    with pytest.raises(FetchFailed, match="within 0 s"):
        await fetch(site.wanted("/stall"), site.trust, patience=0.3)


async def test_nobody_there_is_said(site: Site) -> None:
    one = site.wanted()
    with pytest.raises(FetchFailed, match="none of its addresses"):
        await fetch(replace(one, addresses=one.addresses[:1]), site.trust)
    with pytest.raises(FetchFailed, match="none of its addresses"):
        await fetch(replace(one, addresses=()), site.trust)


async def test_a_post_carries_its_body(site: Site) -> None:
    await fetch(site.wanted(method="POST", body=b"data"), site.trust)
    await fetch(site.wanted(method="DELETE"), site.trust)
    assert [(one.method, one.body) for one in site.server.requests] == [("POST", b"data"), ("DELETE", b"")]


def test_a_request_has_so_long_with_its_answer() -> None:
    async def test(loop: FrozenLoop) -> None:
        async with HttpServer(lambda _: [Stall()]) as silent:

            async def fails() -> None:
                here = (ipaddress.ip_address("127.0.0.1"),)
                wanted = Wanted("GET", "http", "slow.example", silent.port, "/", [], addresses=here)
                with pytest.raises(FetchFailed, match=f"within {request_limits.REQUEST_TIME:.0f} s"):
                    await fetch(wanted)

            waiting = loop.create_task(fails())
            await loop.until(lambda: silent.requests)
            await loop.over(waiting, request_limits.REQUEST_TIME)

    frozen(test)
