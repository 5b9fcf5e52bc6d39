"""The runner's end of the gateway's link."""

from __future__ import annotations

from typing import Final

import msgspec

from wirken.domain.errors import ProtocolError
from wirken.ipc.calls.runner import Run, RunnerQuestion, SandboxStatus
from wirken.ipc.frames import Conversing
from wirken.ipc.link import Emit, Link
from wirken.runner.tools import Tools

_questions: Final[msgspec.msgpack.Decoder[RunnerQuestion]] = msgspec.msgpack.Decoder(RunnerQuestion)


class RunnerPeer:
    """What stands behind the link: permitted calls in, what came of them out."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def answer(self, link: Link, question: bytes, emit: Emit) -> msgspec.Struct:
        """Answer a question; cancelled when the gateway cancels it or is lost. Raises `Refused`, `ProtocolError`."""
        try:
            asked = _questions.decode(question)
        except (msgspec.DecodeError, RecursionError):
            raise ProtocolError("The runner was asked something it does not know.") from None
        match asked:
            case Run():
                return await self._tools.run(asked)
            case SandboxStatus():
                return await self._tools.status()

    def received(self, link: Link, frame: Conversing) -> None:
        raise ProtocolError("The runner does not converse.")

    def lost(self, link: Link) -> None:
        """The link cancels what it was answering, and with that the commands end."""
