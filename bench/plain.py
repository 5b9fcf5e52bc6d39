"""The plain things that a turn cannot do without: durable writes, a request to the model, a sandbox."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from bench.errors import NotMeasured
from bench.model import Model
from bench.page import Wire

_BLOCK: Final = b"\0" * 4096  # what a commit of a few rows writes to the log, at least


class Disk:
    """Durable writes of 4 kB, each behind the one before, to a file on the disk that is measured."""

    def __init__(self, folder: Path) -> None:
        self._file: Final = os.open(folder / "plain", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    def write(self, count: int, block: bytes = _BLOCK) -> float:
        """Return the seconds that `count` writes take, each durable before the next."""
        started = time.perf_counter()
        for _ in range(count):
            os.write(self._file, block)
            os.fdatasync(self._file)
        return time.perf_counter() - started


@dataclass(frozen=True, slots=True)
class Needed:
    """What one turn needs at the least: durable steps one after another, requests, sandboxes."""

    steps: int
    requests: int
    sandboxes: int = 0

    def seconds(self, disk: Disk, fake: Model, body: bytes) -> float:
        """Return how long these take by themselves, the time inside the fake included."""
        written = disk.write(self.steps)
        asked = sum(fake.direct(body) for _ in range(self.requests))
        return written + asked + sum(sandbox() for _ in range(self.sandboxes))

    @property
    def said(self) -> str:
        parts = [f"{self.steps} fdatasync", f"{self.requests} request{'s' if self.requests > 1 else ''}"]
        return " + ".join([*parts, *(["bwrap true"] if self.sandboxes else [])])


def sandbox() -> float:
    """Return the seconds that `true` takes in a plain sandbox. Raises `NotMeasured`."""
    line = ("bwrap", "--unshare-all", "--die-with-parent", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev")
    started = time.perf_counter()
    if subprocess.run((*line, "true"), stdin=subprocess.DEVNULL, check=False).returncode:
        raise NotMeasured("bubblewrap does not run here")
    return time.perf_counter() - started


async def requests_per_second(port: int, body: bytes, clients: int, each: int) -> float:
    """Return how many bare requests the fake answers when that many clients ask at once."""
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost:{port}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )

    async def client() -> None:
        wire = Wire()
        await asyncio.get_running_loop().create_connection(lambda: wire, "127.0.0.1", port)
        for _ in range(each):
            done = wire.until(b"data: [DONE]", b"\r\n0\r\n\r\n")
            wire.send(head.encode() + body)
            await done
            wire.taken()
        wire.close()

    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    return clients * each / (time.perf_counter() - started)
