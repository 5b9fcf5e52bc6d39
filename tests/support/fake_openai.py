"""A chat completions server that answers by script, over a real socket, as the API reference describes it.

`python -m tests.support.fake_openai --port 0` prints its port and answers from canned bytes, fast enough to
stand behind a benchmark.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import ssl
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Self, TypeAlias

from tests.support.fake_http import HttpServer, Pause, Recorded, Step, chunk, head, whole

MODEL: Final = "gpt-test"
_STREAM: Final = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache",
    "Transfer-Encoding": "chunked",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """A streamed answer. `calls` are (id, name, arguments), arguments in pieces of `fragment`."""

    pieces: tuple[str, ...] = ("Hello", " from", " the", " fake.")
    calls: tuple[tuple[str, str, str], ...] = ()
    finish: str = ""
    """Empty: `tool_calls` where there are some, else `stop`."""
    usage: tuple[int, int] | None = (11, 7)
    fragment: int = 7
    pause: float = 0.0
    """Seconds between events; each event is then a write of its own."""
    reasoning: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """An error with the API's error object."""

    status: int
    message: str = "scripted"
    code: str | None = None
    kind: str = "invalid_request_error"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Exactly:
    """These bytes and pauses, nothing else."""

    steps: tuple[Step, ...]


Reply: TypeAlias = Answer | Failure | Exactly


class FakeOpenAI:
    """Answers `POST /v1/chat/completions` from `script`, then with a greeting; lists `models`."""

    def __init__(
        self,
        script: Iterable[Reply] = (),
        *,
        key: str = "",
        models: tuple[str, ...] = (MODEL,),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.script = deque(script)
        self.key = key
        self.models = models
        self.http = HttpServer(self._answer, tls=tls)

    async def __aenter__(self) -> Self:
        await self.http.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.stop()

    @property
    def base_url(self) -> str:
        return f"{self.http.url}/v1"

    @property
    def requests(self) -> list[Recorded]:
        return self.http.requests

    def _answer(self, request: Recorded) -> Sequence[Step]:
        if self.key and request.headers.get("authorization") != f"Bearer {self.key}":
            return failed(Failure(401, "Incorrect API key provided: sk-…", "invalid_api_key"))
        if (request.method, request.path) == ("GET", "/v1/models"):
            listed = {"object": "list", "data": [{"id": name, "object": "model"} for name in self.models]}
            return whole(200, json.dumps(listed).encode(), {"Content-Type": "application/json"})
        if (request.method, request.path) != ("POST", "/v1/chat/completions"):
            return failed(Failure(404, f"Invalid URL ({request.method} {request.path})"))
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
    """Return what the API would find wrong with a request: unknown model, no stream, open calls."""
    try:
        request = json.loads(body)
        model, messages = request["model"], request["messages"]
    except (ValueError, KeyError, TypeError):
        return Failure(400, "We could not parse the JSON body of your request.")
    if model not in models:
        return Failure(404, f"The model `{model}` does not exist.", "model_not_found")
    if request.get("stream") is not True or request.get("tools") == []:
        return Failure(400, "This fake only streams, and an empty array of tools is an error.")
    open_calls: list[str] = []
    for message in messages:
        if message["role"] == "tool":
            if message["tool_call_id"] not in open_calls:
                return Failure(400, "messages with role 'tool' must be a response to 'tool_calls'.")
            open_calls.remove(message["tool_call_id"])
            continue
        if open_calls:
            return Failure(400, "An assistant message with 'tool_calls' must be followed by tool messages.")
        open_calls = [call["id"] for call in message.get("tool_calls") or ()]
    return Failure(400, "'tool_calls' without results at the end.") if open_calls else None


def failed(failure: Failure) -> list[Step]:
    """Return an error answer."""
    error = {"message": failure.message, "type": failure.kind, "param": None, "code": failure.code}
    headers = {"Content-Type": "application/json", **failure.headers}
    return whole(failure.status, json.dumps({"error": error}).encode(), headers)


def streamed(answer: Answer) -> list[Step]:
    """Return an answer as a chunked event stream: one write, or with pauses one write per event."""
    parts = events(answer)
    if not answer.pause:
        return [head(200, _STREAM) + chunk(b"".join(parts)) + chunk(b"")]
    steps: list[Step] = [head(200, _STREAM)]
    for part in parts:
        steps += [Pause(answer.pause), chunk(part)]
    return [*steps, chunk(b"")]


def events(answer: Answer) -> list[bytes]:
    """Return the server-sent events of an answer, `[DONE]` included."""
    found = [_event({"role": "assistant", "content": "" if answer.pieces else None, "refusal": None})]
    if answer.reasoning:
        found.append(_event({"reasoning_content": answer.reasoning}))
    found += [_event({"content": piece}) for piece in answer.pieces]
    for index, (call, name, arguments) in enumerate(answer.calls):
        function = {"name": name, "arguments": ""}
        opening = {"index": index, "id": call, "type": "function", "function": function}
        found.append(_event({"tool_calls": [opening]}))
        for at in range(0, len(arguments), answer.fragment):
            piece = {"index": index, "function": {"arguments": arguments[at : at + answer.fragment]}}
            found.append(_event({"tool_calls": [piece]}))
    found.append(_event({}, answer.finish or ("tool_calls" if answer.calls else "stop")))
    if answer.usage is not None:
        asked, answered = answer.usage
        usage = {"prompt_tokens": asked, "completion_tokens": answered, "total_tokens": asked + answered}
        found.append(_sse(_chunk([], usage)))
    return [*found, b"data: [DONE]\n\n"]


def _event(delta: dict[str, object], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return _sse(_chunk([choice], None))


def _chunk(choices: list[dict[str, object]], usage: dict[str, int] | None) -> dict[str, object]:
    return {
        "id": "chatcmpl-fake",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": MODEL,
        "system_fingerprint": "fp_fake",
        "choices": choices,
        "usage": usage,
    }


def _sse(document: dict[str, object]) -> bytes:
    return b"data: " + json.dumps(document).encode() + b"\n\n"


# --- behind a benchmark -----------------------------------------------------------------------------


class Canned:
    """Answers without reading more than it must: a call where asked for, once per user message, then text."""

    def __init__(self, words: int, tool: str, arguments: str) -> None:
        self._text = streamed(Answer(pieces=("word ",) * words))
        call = (("call_1", tool, arguments),)
        self._call = streamed(Answer(pieces=(), calls=call, fragment=1000)) if tool else self._text
        listed = {"object": "list", "data": [{"id": MODEL, "object": "model"}]}
        self._models = whole(200, json.dumps(listed).encode(), {"Content-Type": "application/json"})

    def __call__(self, request: Recorded) -> Sequence[Step]:
        if request.method == "GET":
            return self._models
        answered = request.body.rfind(b'"role":"tool"') > request.body.rfind(b'"role":"user"')
        return self._text if answered else self._call


async def serve(port: int, words: int, tool: str, arguments: str) -> None:
    """Serve canned answers until SIGTERM or SIGINT; print the port first."""
    server = HttpServer(Canned(words, tool, arguments))
    server.keep_requests = False
    print(await server.start(port), flush=True)
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await stopped.wait()
    await server.stop()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--words", type=int, default=8, help="pieces of text in each answer")
    parser.add_argument("--tool", default="", help="call this tool once per user message")
    parser.add_argument("--arguments", default='{"command":"true"}')
    options = parser.parse_args()
    asyncio.run(serve(options.port, options.words, options.tool, options.arguments))


if __name__ == "__main__":
    main()
