"""Servers that stall, flood, echo the key or point elsewhere; over real sockets."""

from __future__ import annotations

import asyncio
import json
import time

import pytest
from tests.support import fake_openai
from tests.support.fake_http import HttpServer, Pause, Stall, chunk, head, whole
from tests.support.fake_openai import FakeOpenAI
from tests.support.outbound import KEY, Heard, ask, completions, config, question

from wirken.domain.secret import Secret
from wirken.outbound.completions import Completions, Patience
from wirken.outbound.scrub import MARK

SSE = head(200, {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"})


def piece(text: str) -> bytes:
    return chunk(b'data: {"choices":[{"index":0,"delta":{"content":' + json.dumps(text).encode() + b"}}]}\n\n")


# --- time and size ------------------------------------------------------------------------------------


async def test_a_stall_is_cut() -> None:
    patience = Patience(total=5.0, stall=0.1, connect=1.0)
    async with FakeOpenAI([fake_openai.Exactly((SSE + piece("and then"), Stall()))]) as fake:
        end, heard = await ask("openai", fake.base_url, patience=patience)
    assert "stopped in the middle" in end.error
    assert end.retryable
    assert heard.text == "and then"


async def test_a_slow_start_is_no_stall_but_the_total_counts() -> None:
    patience = Patience(total=0.6, stall=0.1, connect=1.0)
    async with FakeOpenAI([fake_openai.Exactly((Pause(0.3), *fake_openai.streamed(fake_openai.Answer())))]) as fake:
        end, _ = await ask("openai", fake.base_url, patience=patience)
        assert not end.error
        fake.script.append(fake_openai.Exactly((Stall(),)))
        end, _ = await ask("openai", fake.base_url, patience=patience)
    assert "not done in time" in end.error


async def test_dripping_bytes_do_not_outlive_the_total() -> None:
    drips = tuple(step for _ in range(100) for step in (chunk(b": drip\n"), Pause(0.02)))
    async with FakeOpenAI([fake_openai.Exactly((SSE, *drips))]) as fake:
        end, _ = await ask("openai", fake.base_url, patience=Patience(total=0.3, stall=0.2))
    assert "not done in time" in end.error


async def test_ten_megabytes_of_answer_are_cut_at_the_limit() -> None:
    flood = tuple(piece("x" * 50_000) for _ in range(200))
    async with FakeOpenAI([fake_openai.Exactly((SSE, *flood))]) as fake:
        end, heard = await ask("openai", fake.base_url)
    assert "passed 1 MiB" in end.error
    assert len(heard.text) <= 2**20
    assert fake.http.closed.is_set()


async def test_a_server_that_does_not_end_its_body_does_not_hold_us_up() -> None:
    whole_answer = b"".join(fake_openai.events(fake_openai.Answer()))
    async with FakeOpenAI([fake_openai.Exactly((SSE + chunk(whole_answer), Stall()))]) as fake:
        began = time.monotonic()
        end, heard = await ask("openai", fake.base_url)
    assert not end.error
    assert heard.completed is not None
    assert time.monotonic() - began < 1.0


async def test_a_cancelled_question_closes_its_connection() -> None:
    async with FakeOpenAI([fake_openai.Exactly((SSE + piece("and then"), Stall()))]) as fake:
        one = completions(config("openai", fake.base_url))
        heard = Heard()
        task = asyncio.create_task(one.complete(question(), heard))
        while not heard.events:
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(fake.http.closed.wait(), 1.0)
        assert not (await one.complete(question(), Heard())).error
        await one.close()


# --- what must not leave, and where nothing must go ---------------------------------------------------


async def test_no_form_of_the_key_comes_back_in_text_calls_or_errors() -> None:
    pieces = tuple(f"your key: {KEY}!")
    answer = fake_openai.Answer(pieces=pieces, calls=((KEY, KEY, f'{{"k":"{KEY}"}}'),), finish=KEY)
    script: list[fake_openai.Reply] = [answer, fake_openai.Failure(422, f"I got {KEY} from you")]
    async with FakeOpenAI(script, key=KEY) as fake:
        end, heard = await ask("openai", fake.base_url, credential="it-key")
        failed, _ = await ask("openai", fake.base_url, credential="it-key")
    assert heard.text == f"your key: {MARK}!"
    assert KEY not in repr(heard.events)
    assert not end.error
    assert MARK in failed.error
    assert KEY not in failed.error


async def test_the_secret_is_wiped_when_the_question_is_done() -> None:
    secret = Secret(KEY.encode())

    async def credentials(name: str) -> Secret | None:
        return secret

    async with FakeOpenAI(key=KEY) as fake:
        one = Completions(config("openai", fake.base_url, credential="it-key"), credentials, jitter=lambda: 0.5)
        assert not (await one.complete(question(), Heard())).error
        await one.close()
    assert not secret


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_never_followed(status: int) -> None:
    async with FakeOpenAI(key=KEY) as elsewhere:
        target = {"Location": f"{elsewhere.base_url}/chat/completions"}
        async with HttpServer(lambda _: whole(status, b"", target)) as server:
            end, _ = await ask("openai", f"{server.url}/v1", credential="it-key")
            assert len(server.requests) == 1
    assert "redirects" in end.error
    assert not elsewhere.requests


async def test_the_environment_sends_nothing_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    async with HttpServer(lambda _: whole(200, b"", {})) as proxy, FakeOpenAI() as fake:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        end, _ = await ask("openai", fake.base_url)
        assert not proxy.requests
    assert not end.error


async def test_cookies_are_not_kept() -> None:
    steps = fake_openai.streamed(fake_openai.Answer())
    assert isinstance(steps[0], bytes)
    cookie = steps[0].replace(b"\r\n", b"\r\nSet-Cookie: track=1\r\n", 1)
    async with FakeOpenAI([fake_openai.Exactly((cookie,))]) as fake:
        one = completions(config("openai", fake.base_url))
        for _ in range(2):
            assert not (await one.complete(question(), Heard())).error
        await one.close()
    assert all("cookie" not in request.headers for request in fake.requests)


async def test_compressed_bodies_are_not_asked_for_and_not_unpacked() -> None:
    bomb = head(200, {"Content-Type": "text/event-stream", "Content-Encoding": "gzip", "Transfer-Encoding": "chunked"})
    async with FakeOpenAI([fake_openai.Exactly((bomb + chunk(b"\x1f\x8b" + b"\x00" * 999) + chunk(b""),))] * 5) as fake:
        end, _ = await ask("openai", fake.base_url)
    assert end.error
    assert fake.requests[0].headers["accept-encoding"] == "identity"
