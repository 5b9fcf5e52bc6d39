"""The fake model behind the turns: answers from canned bytes and keeps its own time.

`python -m bench.model` prints its port and serves until SIGTERM. `GET /bench/report` returns what happened since
the last report.
"""

from __future__ import annotations

import asyncio
import http.client
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import msgspec
from tests.support.fake_http import HttpServer, Recorded, Step, whole
from tests.support.fake_openai import MODEL, Canned

from bench.errors import NotMeasured

WITH_COMMAND: Final = "(with a command)"
"""A user message that ends so is answered by one call of `exec true`, then by text; any other by text."""
WORDS_ONLY: Final = "(words only)"
_WORDS: Final = 8  # pieces of text in an answer: a short sentence in tokens
_KEPT: Final = 64  # request bodies kept between two reports


class Report(msgspec.Struct, frozen=True):
    """Since the last report: seconds inside the fake per request, the first bodies, and all CPU time so far."""

    inside: list[float]
    bodies: list[bytes]
    cpu: float


class _Model(HttpServer):
    """Times itself from the moment a request is complete until its answer is."""

    def __init__(self) -> None:
        super().__init__(self._chosen)
        self.keep_requests = False
        self._plain: Final = Canned(_WORDS, "", "")
        self._calling: Final = Canned(_WORDS, "exec", '{"command":"true"}')
        self._inside: list[float] = []
        self._bodies: list[bytes] = []

    def steps(self, request: Recorded) -> Sequence[Step]:
        started = time.perf_counter()
        answer = super().steps(request)
        if request.method == "POST":
            self._inside.append(time.perf_counter() - started)
        return answer

    def _chosen(self, request: Recorded) -> Sequence[Step]:
        if request.path == "/bench/report":
            return self._reported()
        if request.method == "POST" and len(self._bodies) < _KEPT:
            self._bodies.append(request.body)
        calls = request.body.rfind(WITH_COMMAND.encode()) > request.body.rfind(WORDS_ONLY.encode())
        return self._calling(request) if calls else self._plain(request)

    def _reported(self) -> Sequence[Step]:
        report = msgspec.msgpack.encode(Report(self._inside, self._bodies, time.process_time()))
        self._inside, self._bodies = [], []
        return whole(200, report, {"Content-Type": "application/octet-stream"})


class Model:
    """The running fake, seen from the measurements."""

    def __init__(self, port: int) -> None:
        self.port: Final = port
        self._control: Final = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def configuration(self) -> str:
        """Return a config.toml whose default agent uses this model, as fast as it can."""
        return (
            f'[agents.default]\nmodel = "bench/{MODEL}"\n\n'
            f'[providers.bench]\nkind = "openai"\nbase_url = "http://127.0.0.1:{self.port}/v1"\n\n'
            "[limits]\nmessages_per_minute = 0\ntool_calls_per_minute = 0\n"
            "channel_messages_per_minute = 0\nchannel_tool_calls_per_minute = 0\n"
        )

    def report(self) -> Report:
        """Return what happened since the last call."""
        self._control.request("GET", "/bench/report")
        return msgspec.msgpack.decode(self._control.getresponse().read(), type=Report)

    def direct(self, body: bytes) -> float:
        """Return the seconds one bare request takes from here, on a connection that is open already."""
        started = time.perf_counter()
        self._control.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
        self._control.getresponse().read()
        return time.perf_counter() - started

    def close(self) -> None:
        self._control.close()


@contextmanager
def running() -> Iterator[Model]:
    """Have the fake run in a process of its own."""
    process = subprocess.Popen([sys.executable, "-m", "bench.model"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        if not port:
            raise NotMeasured("the fake model did not start")
        model = Model(int(port))
        yield model
        model.close()
    finally:
        process.terminate()
        process.communicate()


async def _serve() -> None:
    server = _Model()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    print(await server.start(), flush=True)
    await stopped.wait()
    await server.stop()


if __name__ == "__main__":
    asyncio.run(_serve())
