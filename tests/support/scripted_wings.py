"""A model and a runner that do what a test says, behind real links to a real gateway."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from wirken.domain.actions import CanonicalCall
from wirken.domain.conversation import CallProposed, Completed, ModelEvent, TextDelta
from wirken.domain.errors import WirkenError
from wirken.domain.inbox import Keeping
from wirken.ipc import handshake, memfd, peer
from wirken.ipc.calls.egress import EndedEgress, OnRecord, ReachEgress, StopEgress
from wirken.ipc.calls.outbound import Complete, CompletionEnd, OutboundQuestion, Perform
from wirken.ipc.calls.runner import Keep, KeptIt, Ran, Run, RunnerQuestion, SandboxReport
from wirken.ipc.files import Enclosing, Files
from wirken.ipc.frames import Conversing
from wirken.ipc.link import Answered, Emit, Link
from wirken.runner import inbox

_keeping = msgspec.json.Decoder(Keeping)
BUBBLEWRAP = SandboxReport(kind="bubblewrap", limits="watchdog")


class Wing:
    """A process that dials the gateway and dials again when it is lost. `frames` is what conversed with it."""

    def __init__(self, identity: handshake.Identity, gateway: Path) -> None:
        self._identity = identity
        self._gateway = gateway
        self._task: asyncio.Task[None] | None = None
        self.link: Link | None = None
        self.links = 0
        self.stay = True
        self.frames: asyncio.Queue[Conversing | None] = asyncio.Queue()

    async def start(self) -> None:
        """Return once the first link stands."""
        await self._dial()
        self._task = asyncio.get_running_loop().create_task(self._redial())

    async def stop(self) -> None:
        self.stay = False
        if self._task is not None:
            self._task.cancel()
        if self.link is not None:
            self.link.close()
            await self.link.closed.wait()

    async def _dial(self) -> None:
        self.link = await peer.dial(self._gateway, self._identity, self)
        self.links += 1

    async def _redial(self) -> None:
        while self.stay:
            assert self.link is not None
            await self.link.closed.wait()
            while self.stay:
                try:
                    await self._dial()
                    break
                except WirkenError:
                    await asyncio.sleep(0.01)

    async def answer(self, link: Link, question: bytes, emit: Emit) -> Answered:
        raise NotImplementedError

    def received(self, link: Link, frame: Conversing) -> None:
        self.frames.put_nowait(frame)

    def lost(self, link: Link) -> None:
        self.frames.put_nowait(None)


@dataclass
class Step:
    """One answer of the model. `gate`: wait for it before the events. `lose`: drop the link after the events."""

    events: tuple[ModelEvent, ...] = ()
    error: str = ""
    gate: asyncio.Event | None = None
    lose: bool = False
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the question is there."""


def says(text: str, **more: object) -> Step:
    return Step((TextDelta(text), Completed("stop", 3, 5)), **more)  # type: ignore[arg-type]  # Step's own fields


def calls(*proposed: tuple[str, str], text: str = "") -> Step:
    """The model proposes calls, each a name and its arguments as JSON text."""
    events: list[ModelEvent] = [TextDelta(text)] if text else []
    events += [CallProposed("", name, arguments) for name, arguments in proposed]
    return Step((*events, Completed("tool_calls")))


class ScriptedModel(Wing):
    """The outbound process: answers from `script`, then says `ok` for ever."""

    def __init__(self, identity: handshake.Identity, gateway: Path) -> None:
        super().__init__(identity, gateway)
        self.script: deque[Step] = deque()
        self.questions: list[Complete] = []
        self.stopped: list[StopEgress] = []
        self.unsaid: list[EndedEgress | ReachEgress] = []
        """What is said of open connections when their call is over."""
        self.performs: Callable[[Perform], Awaitable[Ran]] | None = None
        """What carries out the tools that work in outbound."""
        self.cancelled = 0
        self._decoder = msgspec.msgpack.Decoder(OutboundQuestion)

    async def answer(self, link: Link, question: bytes, emit: Emit) -> msgspec.Struct:
        asked = self._decoder.decode(question)
        if isinstance(asked, StopEgress):
            self.stopped.append(asked)
            for said in self.unsaid:
                await link.call(said, OnRecord)
            return OnRecord()
        if isinstance(asked, Perform):
            assert self.performs is not None
            return await self.performs(asked)
        assert isinstance(asked, Complete)
        self.questions.append(asked)
        step = self.script.popleft() if self.script else says("ok")
        step.asked.set()
        try:
            if step.gate is not None:
                await step.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        for event in step.events:
            emit(event)
        if step.lose:
            link.close()
            await asyncio.Event().wait()
        return CompletionEnd(step.error)


Keeps = Callable[["ScriptedRunner", Keeping], Awaitable[None]]
Runs = Callable[[CanonicalCall, "ScriptedRunner"], Awaitable[Ran]]


async def runs_well(call: CanonicalCall, runner: ScriptedRunner) -> Ran:
    return Ran(outcome="ok", output=f"{call.tool} done", exit_code=0 if call.tool == "exec" else None)


class ScriptedRunner(Wing):
    """Runs nothing: notes what it was given and does what `behave` says."""

    def __init__(self, identity: handshake.Identity, gateway: Path, behave: Runs = runs_well) -> None:
        super().__init__(identity, gateway)
        self.behave = behave
        self.report = BUBBLEWRAP
        self.ran: list[Run] = []
        self.started = asyncio.Event()
        self.cancelled = 0
        self.kept: list[Keeping] = []
        """What it was asked to write, tries that failed included; it writes as the real runner does."""
        self.gives: dict[str, bytes] = {}
        """Files that it sends when they are asked for, by path."""
        self.keeps: Keeps | None = None
        """Comes before the writing: waits, or raises."""
        self._decoder = msgspec.msgpack.Decoder(RunnerQuestion)
        self._call = msgspec.json.Decoder(CanonicalCall)

    @property
    def tools(self) -> list[str]:
        return [self._call.decode(run.call).tool for run in self.ran]

    async def answer_with(self, link: Link, question: bytes, files: Files, emit: Emit) -> msgspec.Struct:
        asked = self._decoder.decode(question)
        assert isinstance(asked, Keep)
        keeping = inbox.checked(asked, frozenset((_keeping.decode(asked.keeping).workspace,)))
        self.kept.append(keeping)
        if self.keeps is not None:
            await self.keeps(self, keeping)
        [handle] = files.handles
        Path(keeping.workspace).mkdir(parents=True, exist_ok=True)
        inbox.keep(keeping, handle, "token")
        return KeptIt()

    def received_with(self, link: Link, frame: Conversing, files: Files) -> None:
        raise AssertionError("nobody converses with a runner")

    async def answer(self, link: Link, question: bytes, emit: Emit) -> Answered:
        asked = self._decoder.decode(question)
        if not isinstance(asked, Run):
            return self.report
        self.ran.append(asked)
        self.started.set()
        call = self._call.decode(asked.call)
        if call.tool == "send_file" and (data := self.gives.get(json.loads(call.arguments)["path"])) is not None:
            return Enclosing(Ran(outcome="ok", output=f"{len(data)} bytes"), Files((memfd.sealed(data),)))
        try:
            return await self.behave(call, self)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
