"""The runner's end of the gateway's link."""

from __future__ import annotations

from typing import Final

import msgspec

from wirken.domain.errors import ProtocolError
from wirken.ipc.calls.runner import Keep, Run, RunnerQuestion, SandboxStatus
from wirken.ipc.files import Enclosing, Files
from wirken.ipc.frames import Conversing
from wirken.ipc.link import Answered, Emit, Link
from wirken.runner.tools import Tools

_questions: Final[msgspec.msgpack.Decoder[RunnerQuestion]] = msgspec.msgpack.Decoder(RunnerQuestion)


class RunnerPeer:
    """What stands behind the link: permitted calls in, what came of them out."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def answer(self, link: Link, question: bytes, emit: Emit) -> Answered:
        """Answer a question; cancelled when the gateway cancels it or is lost. Raises `Refused`, `ProtocolError`."""
        asked = _asked(question)
        match asked:
            case Run():
                return await self._run(asked)
            case SandboxStatus():
                return await self._tools.status()
            case Keep():
                raise ProtocolError("The runner was asked to write a file that did not come.")

    async def answer_with(self, link: Link, question: bytes, files: Files, emit: Emit) -> msgspec.Struct:
        """Answer a question that brings files; see `answer`. Raises `NotKept`, `FileFailure` besides."""
        asked = _asked(question)
        if not isinstance(asked, Keep) or len(files) != 1:
            raise ProtocolError("The runner was given files that it does not know what to do with.")
        return await self._tools.keep(asked, files.handles[0])

    async def _run(self, asked: Run) -> Answered:
        gives = Files()
        try:
            ran = await self._tools.run(asked, gives)
        except BaseException:
            gives.close()
            raise
        return Enclosing(ran, gives) if gives else ran

    def received(self, link: Link, frame: Conversing) -> None:
        raise ProtocolError("The runner does not converse.")

    def received_with(self, link: Link, frame: Conversing, files: Files) -> None:
        raise ProtocolError("The runner does not converse.")

    def lost(self, link: Link) -> None:
        """The link cancels what it was answering, and with that the commands end."""


def _asked(question: bytes) -> RunnerQuestion:
    try:
        return _questions.decode(question)
    except (msgspec.DecodeError, RecursionError):
        raise ProtocolError("The runner was asked something it does not know.") from None
