"""Lines typed at the terminal, read without blocking the event loop, so that a question can lapse while it waits."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from typing import Final

_LINE: Final = 4096  # bytes; what a terminal in line mode can deliver at once (termios(3))


class Keyboard:
    """Standard input as a terminal in line mode."""

    def __init__(self) -> None:
        self.commands: dict[str, Callable[[], object]] = {}
        """Lines that are acted on as soon as they are typed, whoever waits for one."""
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self._kept = b""

    def __enter__(self) -> Keyboard:
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), self._ready)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())

    async def line(self) -> str | None:
        """Return the next line without its end; None at the end of input."""
        return await self._lines.get()

    def forget(self) -> None:
        """Drop lines typed before now: an answer must come after its question."""
        while not self._lines.empty():
            self._lines.get_nowait()

    def _ready(self) -> None:
        data = os.read(sys.stdin.fileno(), _LINE)
        if not data:
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
            self._lines.put_nowait(None)
            return
        *lines, self._kept = (self._kept + data).split(b"\n")
        for line in lines:
            self._take(line.decode("utf-8", "replace"))
        if len(self._kept) > _LINE:
            self._kept = b""

    def _take(self, line: str) -> None:
        command = self.commands.get(line.strip().casefold())
        if command is None:
            self._lines.put_nowait(line)
        else:
            command()
