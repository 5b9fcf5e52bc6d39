"""Two ends of a link over a real socket pair, with scripted receivers behind them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Literal

import msgspec

from wirken.domain.ids import RoleName
from wirken.ipc.frames import Conversing
from wirken.ipc.link import Answered, Emit, Link, unpack
from wirken.ipc.peer import adopt


class Question(msgspec.Struct, frozen=True):
    """What the tests ask; `what` names what the answer is."""

    what: Literal["echo", "count", "fail", "sleep", "ask_back"]
    text: str = ""
    number: int = 0


class Answer(msgspec.Struct, frozen=True):
    text: str = ""
    number: int = 0


Answering = Callable[[Link, Question, Emit], Awaitable[msgspec.Struct]]


class Scripted:
    """A receiver that notes everything and answers as it is told."""

    def __init__(self, answering: Answering | None = None) -> None:
        self.frames: list[Conversing] = []
        self.arrived = asyncio.Event()
        self.began: list[Question] = []
        self.cancelled: list[Question] = []
        self.losses = 0
        self._answering = answering or self._plainly

    async def answer(self, link: Link, question: bytes, emit: Emit) -> Answered:
        asked = unpack(question, Question)
        self.began.append(asked)
        try:
            return await self._answering(link, asked, emit)
        except asyncio.CancelledError:
            self.cancelled.append(asked)
            raise

    def received(self, link: Link, frame: Conversing) -> None:
        self.frames.append(frame)
        self.arrived.set()

    def lost(self, link: Link) -> None:
        self.losses += 1

    async def _plainly(self, link: Link, asked: Question, emit: Emit) -> msgspec.Struct:
        match asked.what:
            case "count":
                for number in range(asked.number):
                    emit(Answer(number=number))
                return Answer("end", asked.number)
            case "sleep":
                await asyncio.sleep(60)
            case "ask_back":
                return await link.call(Question("echo", asked.text), Answer)
            case _:
                pass
        return Answer(asked.text, asked.number)


@contextlib.asynccontextmanager
async def linked(left: Scripted, right: Scripted) -> AsyncIterator[tuple[Link, Link]]:
    """Give the two ends of one link; both are closed afterwards."""
    with contextlib.ExitStack() as undo:
        pair = [undo.enter_context(end) for end in socket.socketpair()]
        for end in pair:
            end.setblocking(False)
        one = adopt(pair[0], RoleName("right"), left)
        other = adopt(pair[1], RoleName("left"), right)
        try:
            yield one, other
        finally:
            for link in (one, other):
                link.close()
            async with asyncio.timeout(5):
                await one.closed.wait()
                await other.closed.wait()


@contextlib.asynccontextmanager
async def linked_raw(receiver: Scripted) -> AsyncIterator[tuple[Link, socket.socket]]:
    """Give one end of a link and the bare, non-blocking socket at its other end."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        link = adopt(ours, RoleName("peer"), receiver)
        try:
            yield link, theirs
        finally:
            theirs.close()
            link.close()
            async with asyncio.timeout(5):
                await link.closed.wait()


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Return once `condition` holds; fails after `seconds`."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.001)
