"""The gateway's line to the supervisor: a runner of its own for a call that reaches outside of its workspace."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Protocol

import msgspec

from wirken.domain import limits
from wirken.domain.actions import Place
from wirken.domain.errors import Refused, Unavailable
from wirken.domain.ids import RoleName
from wirken.domain.text import brief


class NotReached(Refused):
    """The supervisor does not give a runner for these paths; the sentence says why."""


class Reaches(Protocol):
    """Whoever gives runners that see single paths."""

    def runner(self, place: Place) -> contextlib.AbstractAsyncContextManager[RoleName]:
        """Give the role of a runner that sees the place's workspace and `outside`, for the time of the block.

        Raises `NotReached`, `Unavailable`.
        """
        ...


class Line:
    """JSON, one object a line (wirken.supervisor.questions). Answers come in any order, by number."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[_Answer]] = {}
        self._listening = asyncio.get_running_loop().create_task(self._listen(reader))

    @classmethod
    async def over(cls, descriptor: int) -> Line:
        """Return the line over an inherited descriptor."""
        return cls(
            *await asyncio.open_unix_connection(sock=socket.socket(fileno=descriptor), limit=limits.CONTROL_LINE)
        )

    @asynccontextmanager
    async def runner(self, place: Place) -> AsyncIterator[RoleName]:
        """See `Reaches.runner`."""
        number = next(self._numbers)
        outside = [[path.path, path.writable, path.entry] for path in place.outside]
        self._say({"ask": "reach", "id": number, "workspace": place.workspace, "outside": outside})
        role = await self._answered(number)
        try:
            yield role
        finally:
            self._say({"ask": "leave", "role": role})

    async def close(self) -> None:
        """Hang up."""
        self._listening.cancel()
        self._writer.close()

    async def _answered(self, number: int) -> RoleName:
        waiting: asyncio.Future[_Answer] = asyncio.get_running_loop().create_future()
        self._waiting[number] = waiting
        try:
            async with asyncio.timeout(limits.READY_TIME):
                answer = await asyncio.shield(waiting)
        except TimeoutError:
            waiting.add_done_callback(self._too_late)
            raise Unavailable("A runner for that path did not come up in time.") from None
        except asyncio.CancelledError:
            waiting.add_done_callback(self._too_late)
            raise
        if not answer.ok:
            raise NotReached(brief(answer.error), hint=brief(answer.hint))
        return RoleName(answer.role)

    def _too_late(self, answered: asyncio.Future[_Answer]) -> None:
        """Send away a runner that comes when nobody wants it any more."""
        if not answered.cancelled() and answered.exception() is None and answered.result().ok:
            self._say({"ask": "leave", "role": answered.result().role})

    def _say(self, question: dict[str, object]) -> None:
        line = json.dumps(question, ensure_ascii=False).encode() + b"\n"
        if len(line) > limits.CONTROL_LINE:
            raise NotReached("The paths are too long together.")
        if self._listening.done():
            raise Unavailable("The supervisor is gone.")
        self._writer.write(line)

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        try:
            while line := await reader.readline():
                answer = _answers.decode(line)
                waiting = self._waiting.pop(answer.id, None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(answer)
        finally:
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(Unavailable("The supervisor is gone."))


class _Answer(msgspec.Struct, frozen=True):
    ok: bool
    id: int
    role: str = ""
    error: str = ""
    hint: str = ""


_answers: Final = msgspec.json.Decoder(_Answer)
