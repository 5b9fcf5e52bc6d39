"""Asking a provider whether it is there."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.support.fake_http import HttpServer, Recorded, Stall, whole
from tests.support.fake_ollama import FakeOllama
from tests.support.fake_openai import FakeOpenAI
from tests.support.outbound import KEY, completions, config

from wirken.config.model import Config
from wirken.ipc.calls.outbound import ProviderReport, ProviderStatus


async def status(kind: str, url: str, credential: str = "") -> ProviderReport:
    one = completions(config(kind, url, credential=credential))
    try:
        return await one.status(ProviderStatus("it"))
    finally:
        await one.close()


async def test_status_lists_models() -> None:
    async with FakeOllama(models=("a", "b")) as ollama, FakeOpenAI(models=("c",), key=KEY) as openai:
        assert (await status("ollama", ollama.base_url)).models == ("a", "b")
        assert (await status("openai", openai.base_url, "it-key")).models == ("c",)
        refused = await status("openai", openai.base_url)
    assert not refused.reachable
    assert "does not accept the key" in refused.said


def answering(steps: list[bytes | Stall]) -> Callable[[Recorded], list[bytes | Stall]]:
    return lambda _: steps


@pytest.mark.parametrize(
    ("steps", "reachable", "words"),
    [
        (whole(404, b"", {}), True, "without a list"),
        (whole(200, b"<html>", {"Content-Type": "text/html"}), False, "web page"),
        (whole(200, b"[" * 100_000, {}), False, "no answer of a model"),
        ([Stall()], False, "time-out"),
        (whole(500, b"", {}), False, "(500)"),
    ],
)
async def test_status_survives_any_server(steps: list[bytes | Stall], reachable: bool, words: str) -> None:
    async with HttpServer(answering(steps)) as server:
        report = await status("openai", server.url)
    assert report.reachable is reachable
    assert words in report.said


async def test_the_rehearsal_model_is_always_there() -> None:
    report = await completions(Config()).status(ProviderStatus("rehearsal"))
    assert report.reachable
    assert report.models == ("rehearsal",)
