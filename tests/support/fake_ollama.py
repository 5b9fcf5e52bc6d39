"""Ollama's native API by script, over a real socket, as its API page describes it.

`python -m tests.support.fake_ollama --port 0` prints its port and greets.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Self, TypeAlias

from tests.support.fake_http import HttpServer, Pause, Recorded, Step, chunk, head, whole

MODEL: Final = "llama3.2:3b"
_STREAM: Final = {"Content-Type": "application/x-ndjson", "Transfer-Encoding": "chunked"}
_CREATED: Final = "2026-01-01T00:00:00.000000Z"


@dataclass(frozen=True, slots=True)
class Answer:
    """A streamed answer. `calls` are (name, arguments as JSON text); Ollama sends each call whole."""

    pieces: tuple[str, ...] = ("Hello", " from", " the", " llama.")
    calls: tuple[tuple[str, str], ...] = ()
    reason: str = "stop"
    counts: tuple[int, int] = (26, 8)
    pause: float = 0.0
    thinking: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    status: int
    error: str = "scripted"


@dataclass(frozen=True, slots=True)
class Exactly:
    """These bytes and pauses, nothing else."""

    steps: tuple[Step, ...]


Reply: TypeAlias = Answer | Failure | Exactly


class FakeOllama:
    """Answers `POST /api/chat` from `script`, then with a greeting; `/api/tags` lists `models`."""

    def __init__(self, script: Iterable[Reply] = (), *, models: tuple[str, ...] = (MODEL,)) -> None:
        self.script = deque(script)
        self.models = models
        self.http = HttpServer(self._answer)

    async def __aenter__(self) -> Self:
        await self.http.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.stop()

    @property
    def base_url(self) -> str:
        return self.http.url

    @property
    def requests(self) -> list[Recorded]:
        return self.http.requests

    def _answer(self, request: Recorded) -> Sequence[Step]:
        if (request.method, request.path) == ("GET", "/api/tags"):
            listed = {"models": [{"name": name, "model": name, "size": 1} for name in self.models]}
            return whole(200, json.dumps(listed).encode(), {"Content-Type": "application/json; charset=utf-8"})
        if (request.method, request.path) != ("POST", "/api/chat"):
            return whole(404, b"404 page not found", {"Content-Type": "text/plain"})
        if (problem := complaint(request.body, self.models)) is not None:
            return failed(problem)
        match self.script.popleft() if self.script else Answer():
            case Answer() as answer:
                return streamed(answer)
            case Failure() as failure:
                return failed(failure)
            case Exactly(steps):
                return steps


def complaint(body: bytes, models: tuple[str, ...]) -> Failure | None:
    """Return what Ollama would find wrong: an unknown model, arguments that are no object."""
    try:
        request = json.loads(body)
    except ValueError:
        return Failure(400, "invalid character in request")
    if request.get("model") not in models:
        return Failure(404, f"model '{request.get('model')}' not found")
    for message in request.get("messages", []):
        for call in message.get("tool_calls") or ():
            if not isinstance(call["function"]["arguments"], dict):
                return Failure(400, "json: cannot unmarshal string into Go struct field .arguments")
    return None


def failed(failure: Failure) -> list[Step]:
    """Return an error answer."""
    body = json.dumps({"error": failure.error}).encode()
    return whole(failure.status, body, {"Content-Type": "application/json; charset=utf-8"})


def streamed(answer: Answer) -> list[Step]:
    """Return an answer as chunked NDJSON: one write, or with pauses one write per line."""
    parts = lines(answer)
    if not answer.pause:
        return [head(200, _STREAM) + chunk(b"".join(parts)) + chunk(b"")]
    steps: list[Step] = [head(200, _STREAM)]
    for part in parts:
        steps += [Pause(answer.pause), chunk(part)]
    return [*steps, chunk(b"")]


def lines(answer: Answer) -> list[bytes]:
    """Return the lines of an answer."""
    found = [_line({"content": "", "thinking": answer.thinking})] if answer.thinking else []
    found += [_line({"content": piece}) for piece in answer.pieces]
    for name, arguments in answer.calls:
        function = {"name": name, "arguments": json.loads(arguments)}
        found.append(_line({"content": "", "tool_calls": [{"function": function}]}))
    last = {
        "model": MODEL,
        "created_at": _CREATED,
        "message": {"role": "assistant", "content": ""},
        "done_reason": answer.reason,
        "done": True,
        "total_duration": 4883583458,
        "load_duration": 1334875,
        "prompt_eval_count": answer.counts[0],
        "prompt_eval_duration": 342546000,
        "eval_count": answer.counts[1],
        "eval_duration": 4535599000,
    }
    return [*found, json.dumps(last).encode() + b"\n"]


def _line(message: dict[str, object]) -> bytes:
    document = {
        "model": MODEL,
        "created_at": _CREATED,
        "message": {"role": "assistant", **message},
        "done": False,
    }
    return json.dumps(document).encode() + b"\n"


async def serve(port: int) -> None:
    """Serve until SIGTERM or SIGINT; print the port first."""
    fake = FakeOllama()
    fake.http.keep_requests = False
    print(await fake.http.start(port), flush=True)
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await stopped.wait()
    await fake.http.stop()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    asyncio.run(serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
