"""A terminal's end of the gateway's operator socket."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from wirken.domain.errors import Refused, Unavailable
from wirken.domain.ids import RoleName
from wirken.ipc import peer
from wirken.ipc.calls.operator import OperatorQuestion
from wirken.ipc.frames import Conversing
from wirken.ipc.link import Emit, Link, LinkLost

T = TypeVar("T")


class Silent(Unavailable):
    """The gateway took a question and does not answer it in time."""

    hint = "`wirken status` shows the processes; `wirken stop` and `wirken run` start them anew."


class _Terminal:
    """What stands behind the link: frames go into a queue, questions are not answered."""

    def __init__(self) -> None:
        self.frames: asyncio.Queue[Conversing | None] = asyncio.Queue()

    async def answer(self, link: Link, question: bytes, emit: Emit) -> msgspec.Struct:
        raise Refused("A terminal answers no questions.")

    def received(self, link: Link, frame: Conversing) -> None:
        self.frames.put_nowait(frame)

    def lost(self, link: Link) -> None:
        self.frames.put_nowait(None)


class Gateway:
    """A connection to the gateway as operator."""

    def __init__(self, link: Link, terminal: _Terminal) -> None:
        self.link = link
        self._terminal = terminal

    async def frame(self) -> Conversing:
        """Return the next frame. Raises `LinkLost` when the gateway has gone."""
        frame = await self._terminal.frames.get()
        if frame is None:
            raise LinkLost("The gateway went away.")
        return frame


@asynccontextmanager
async def connected(socket_path: Path) -> AsyncIterator[Gateway]:
    """Connect to the operator socket. Raises `Unavailable`, or `StrangerRefused` if another user holds it."""
    sock = await peer.connect(socket_path)
    if peer.credentials(sock).uid != os.getuid():
        sock.close()
        raise peer.StrangerRefused("Another user listens on the operator socket.")
    terminal = _Terminal()
    link = peer.adopt(sock, RoleName("gateway"), terminal)
    try:
        yield Gateway(link, terminal)
    finally:
        link.close()


def ask(socket_path: Path, question: OperatorQuestion, reply: type[T], patience: float | None = None) -> T:
    """Put one question to the gateway and return the answer. Raises `Silent` after `patience` seconds."""

    async def once() -> T:
        async with asyncio.timeout(patience), connected(socket_path) as gateway:
            return await gateway.link.call(question, reply)

    try:
        return asyncio.run(once())
    except TimeoutError:
        raise Silent("The gateway does not answer.") from None
