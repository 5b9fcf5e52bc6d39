"""Whole questions, over real sockets, to servers that behave and to servers that do not."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Awaitable

import pytest
from tests.support import fake_ollama, fake_openai
from tests.support.fake_http import Cut, HttpServer, Pause, Recorded, chunk, head, whole
from tests.support.fake_ollama import FakeOllama
from tests.support.fake_openai import FakeOpenAI
from tests.support.outbound import KEY, QUICK, Heard, ask, completions, config, question

from wirken.config.model import Config
from wirken.domain import limits
from wirken.domain.conversation import CallProposed, Completed, ModelEvent, UserMessage
from wirken.domain.errors import Unavailable
from wirken.domain.secret import Secret
from wirken.ipc.calls.outbound import CompletionEnd
from wirken.outbound.completions import Completions
from wirken.outbound.failures import BadEndpoint

SSE = head(200, {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"})


def piece(text: str) -> bytes:
    return chunk(b'data: {"choices":[{"index":0,"delta":{"content":' + json.dumps(text).encode() + b"}}]}\n\n")


async def test_an_openai_answer_comes_through() -> None:
    answer = fake_openai.Answer(pieces=("a", "b"), calls=(("c1", "exec", '{"command":"ls"}'),))
    async with FakeOpenAI([answer], key=KEY) as fake:
        end, heard = await ask("openai", fake.base_url, credential="it-key")
    assert end == CompletionEnd()
    assert heard.text == "ab"
    assert heard.calls == [CallProposed("c1", "exec", '{"command":"ls"}')]
    assert heard.completed == Completed("tool_calls", 11, 7)
    assert fake.requests[0].headers["authorization"] == f"Bearer {KEY}"


async def test_an_ollama_answer_comes_through_and_num_ctx_was_sent() -> None:
    async with FakeOllama() as fake:
        one = completions(config("ollama", fake.base_url, num_ctx=32_768))
        heard = Heard()
        assert await one.complete(question(model=fake_ollama.MODEL), heard) == CompletionEnd()
        await one.close()
    assert heard.text == "Hello from the llama."
    assert json.loads(fake.requests[0].body)["options"] == {"num_ctx": 32_768}
    assert "authorization" not in fake.requests[0].headers


async def test_an_emit_that_must_be_awaited_is_awaited_in_order() -> None:
    seen: list[ModelEvent] = []

    async def slowly(event: ModelEvent) -> None:
        await asyncio.sleep(0)
        seen.append(event)

    async with FakeOpenAI() as fake:
        one = completions(config("openai", fake.base_url))
        await one.complete(question(), slowly)
        await one.close()
    assert isinstance(seen[-1], Completed)
    assert len(seen) == 5


async def test_one_connection_serves_many_questions() -> None:
    async with FakeOpenAI() as fake:
        one = completions(config("openai", fake.base_url))
        for _ in range(5):
            assert not (await one.complete(question(), Heard())).error
        await one.close()
    assert fake.http.connections == 1


async def test_text_arrives_while_the_model_still_speaks() -> None:
    async with FakeOpenAI([fake_openai.Answer(pause=0.05)]) as fake:
        one = completions(config("openai", fake.base_url))
        times: list[float] = []
        await one.complete(question(), lambda _: times.append(time.monotonic()))
        await one.close()
    assert times[-1] - times[0] > 0.1


# --- what people must read ----------------------------------------------------------------------------


def unused_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


async def test_a_missing_ollama_says_how_to_start_it() -> None:
    end, heard = await ask("ollama", f"http://127.0.0.1:{unused_port()}")
    assert "Ollama is not running" in end.error
    assert "ollama serve" in end.error
    assert end.retryable
    assert not heard.events


async def test_a_missing_server_and_a_wrong_name_are_told_apart() -> None:
    refused, _ = await ask("openai", f"http://127.0.0.1:{unused_port()}/v1")
    assert "Nothing listens" in refused.error
    unknown, _ = await ask("openai", "https://no-such-host.invalid/v1")
    assert "cannot be resolved" in unknown.error


def once(status: int, body: bytes, kind: str) -> fake_openai.Exactly:
    return fake_openai.Exactly(tuple(whole(status, body, {"Content-Type": kind})))


@pytest.mark.parametrize(
    ("reply", "words", "retryable"),
    [
        (fake_openai.Failure(401, "Incorrect key", "invalid_api_key"), "does not accept the key", False),
        (fake_openai.Failure(429, "Over your quota", "insufficient_quota"), "out of quota", False),
        (fake_openai.Failure(400, "Too much", "context_length_exceeded"), "too long", False),
        (fake_openai.Exactly(tuple(whole(302, b"", {"Location": "http://x.example"}))), "redirects", False),
        (once(200, b"<html>hi", "text/html"), "web page", False),
        (once(200, b'{"error":{"message":"odd"}}', "application/json"), "odd", True),
        (fake_openai.Exactly((SSE + chunk(b"data: nonsense\n\n") + chunk(b""),)), "cannot be read", True),
        (fake_openai.Exactly((b"\x00\xff garbage \r\n\r\n", Cut())), "closed the connection", True),
    ],
)
async def test_failures_read_as_a_person_needs_them(reply: fake_openai.Reply, words: str, retryable: bool) -> None:
    async with FakeOpenAI([reply] * 5) as fake:
        end, heard = await ask("openai", fake.base_url)
    assert words in end.error
    assert end.retryable is retryable
    assert not heard.events


async def test_a_key_that_a_provider_repeats_and_we_cut_does_not_leave() -> None:
    words = "." * (limits.MODEL_SAID - 20) + KEY
    async with FakeOpenAI([fake_openai.Failure(418, words, "odd")], key=KEY) as fake:
        end, _ = await ask("openai", fake.base_url, credential="it-key")
    assert "...." in end.error
    assert KEY[:8] not in end.error


async def test_an_unknown_model_says_how_to_get_it() -> None:
    async with FakeOllama() as fake:
        end, _ = await ask("ollama", fake.base_url, question(model="qwen3"))
    assert "ollama pull qwen3" in end.error
    async with FakeOpenAI() as fake_two:
        end, _ = await ask("openai", fake_two.base_url, question(model="gpt-9"))
    assert "knows no model gpt-9" in end.error


async def test_a_missing_credential_says_how_to_store_it_and_asks_nobody() -> None:
    async with FakeOpenAI() as fake:
        end, _ = await ask("openai", fake.base_url, credential="other")
    assert "wirken credentials add other" in end.error
    assert not fake.requests


async def test_a_sealed_vault_is_told_and_asks_nobody() -> None:
    async def sealed(name: str) -> Secret | None:
        raise Unavailable("The vault is sealed.", hint="Run `wirken unlock`.")

    async with FakeOpenAI() as fake:
        one = Completions(config("openai", fake.base_url, credential="it-key"), sealed, jitter=lambda: 0.5)
        end = await one.complete(question(), Heard())
    assert end == CompletionEnd("The vault is sealed. Run `wirken unlock`.")
    assert not fake.requests


async def test_an_unknown_provider_and_a_torn_question_end_with_a_sentence() -> None:
    one = completions(Config())
    assert "provider" in (await one.complete(question(provider="nobody"), Heard())).error
    async with FakeOpenAI() as fake:
        torn = question()
        torn = type(torn)("it", torn.model, b'[{"role":', torn.tools)
        end, _ = await ask("openai", fake.base_url, torn)
    assert "cannot be read" in end.error


@pytest.mark.parametrize("value", ["two words", "line\nbreak-in", "käy-0123456789"])
async def test_a_key_that_no_header_can_carry_is_refused_unsent(value: str) -> None:
    async with FakeOpenAI() as fake:
        one = completions(config("openai", fake.base_url, credential="it-key"), key=value)
        end = await one.complete(question(), Heard())
        await one.close()
    assert "characters that no key has" in end.error
    assert value not in end.error
    assert not fake.requests


def test_plain_http_to_another_machine_is_refused_at_the_start() -> None:
    with pytest.raises(BadEndpoint):
        completions(config("openai", "http://models.example/v1"))


# --- retries ------------------------------------------------------------------------------------------


async def test_trouble_is_retried_until_it_is_over() -> None:
    busy = fake_openai.Failure(429, headers={"Retry-After": "0"})
    script: list[fake_openai.Reply] = [fake_openai.Failure(503), busy]
    async with FakeOpenAI([*script, fake_openai.Exactly((Cut(),))]) as fake:
        end, heard = await ask("openai", fake.base_url)
    assert not end.error
    assert heard.text == "Hello from the fake."
    assert len(fake.requests) == 4


async def test_trouble_that_stays_is_reported_after_five_attempts() -> None:
    async with FakeOpenAI([fake_openai.Failure(500)] * 9) as fake:
        end, _ = await ask("openai", fake.base_url)
    assert end.retryable
    assert len(fake.requests) == 5


async def test_a_wait_that_is_too_long_is_reported_at_once() -> None:
    async with FakeOpenAI([fake_openai.Failure(429, headers={"Retry-After": "3600"})]) as fake:
        end, _ = await ask("openai", fake.base_url)
    assert "3600 s" in end.error
    assert len(fake.requests) == 1


async def test_nothing_is_retried_once_the_answer_began() -> None:
    reply = fake_openai.Exactly((SSE + piece("half an "), Pause(0.02), Cut()))
    async with FakeOpenAI([reply]) as fake:
        end, heard = await ask("openai", fake.base_url)
    assert "broke in the middle" in end.error
    assert end.retryable
    assert heard.text == "half an "
    assert len(fake.requests) == 1


async def test_a_stream_that_ends_too_early_is_a_failure() -> None:
    reply = fake_openai.Exactly((SSE + piece("half") + chunk(b""),))
    async with FakeOpenAI([reply]) as fake:
        end, heard = await ask("openai", fake.base_url)
    assert "broke off" in end.error
    assert heard.completed is None


async def test_long_error_pages_use_up_no_connections() -> None:
    page = tuple(whole(400, b"x" * 200_000, {}))
    async with FakeOpenAI([fake_openai.Exactly(page)] * 70) as fake:
        one = completions(config("openai", fake.base_url))
        ends = [await one.complete(question(), Heard()) for _ in range(71)]
        await one.close()
    assert [bool(end.error) for end in ends] == [True] * 70 + [False]


async def test_a_connection_that_went_stale_is_replaced() -> None:
    async with FakeOpenAI() as fake:
        one = completions(config("openai", fake.base_url))
        await one.complete(question(), Heard())
        for protocol in list(fake.http._protocols):
            protocol.drop()
        end = await one.complete(question(), Heard())
        await one.close()
    assert not end.error


async def test_many_questions_at_once_do_not_mix() -> None:
    def echo(request: Recorded) -> list[bytes]:
        said = json.loads(request.body)["messages"][0]["content"]
        steps = fake_openai.streamed(fake_openai.Answer(pieces=tuple(said)))
        return [step for step in steps if isinstance(step, bytes)]

    async with HttpServer(echo) as server:
        one = completions(config("openai", server.url), patience=QUICK)

        async def one_question(text: str) -> str:
            heard = Heard()
            await one.complete(question([UserMessage(text)]), heard)
            return heard.text

        texts = [f"question {number}" for number in range(100)]
        waiting: list[Awaitable[str]] = [one_question(text) for text in texts]
        assert await asyncio.gather(*waiting) == texts
        await one.close()
