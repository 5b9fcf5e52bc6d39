"""The pipe that carries a command's output, emptied as fast as it fills."""

from __future__ import annotations

import asyncio
import contextlib
import os
from types import TracebackType
from typing import Final, Self

from wirken.runner.output import Capture, Kept

_CHUNK: Final = 64 * 1024  # bytes; a pipe's usual capacity
_PER_TURN: Final = 8  # chunks read before other work of the process gets its turn


class Drain:
    """One pipe. Its write end becomes both outputs of the command, so that their order is kept."""

    def __init__(self) -> None:
        self._read_end, self.write_end = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._read_end, False)
        self._capture = Capture()
        self._reading = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pause()
        os.close(self._read_end)
        self._close_write_end()

    def begin(self) -> None:
        """Start to read. Our copy of the write end is closed, so that the pipe ends with the command."""
        self._close_write_end()
        asyncio.get_running_loop().add_reader(self._read_end, self._take)
        self._reading = True

    def finish(self) -> None:
        """Take what is still in the pipe; nobody writes any more."""
        self._pause()
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._read_end, _CHUNK):
                self._capture.feed(data)

    def kept(self) -> Kept:
        """Return what was kept of the output."""
        return self._capture.kept()

    def _take(self) -> None:
        with contextlib.suppress(BlockingIOError):
            for _ in range(_PER_TURN):
                data = os.read(self._read_end, _CHUNK)
                if not data:
                    self._pause()
                    return
                self._capture.feed(data)

    def _pause(self) -> None:
        if self._reading:
            asyncio.get_running_loop().remove_reader(self._read_end)
            self._reading = False

    def _close_write_end(self) -> None:
        if self.write_end >= 0:
            os.close(self.write_end)
            self.write_end = -1
