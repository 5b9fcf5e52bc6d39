"""`wirken approvals watch`: every question of every session as it comes, answered from the keyboard."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections import OrderedDict
from pathlib import Path

from wirken.cli import approving
from wirken.cli.gateway import Gateway, connected
from wirken.cli.keyboard import Keyboard
from wirken.cli.output import Output, Styled
from wirken.domain.clock import Clock, SystemClock
from wirken.domain.errors import WirkenError
from wirken.ipc.calls.operator import Acknowledged, AnswerApproval, ApprovalRow, ApprovalRows, WatchApprovals
from wirken.ipc.frames import Asked, Conversing, Settled
from wirken.ipc.link import unpack


def watch(socket_path: Path, out: Output) -> None:
    """Follow and answer until the input ends or the gateway goes. Raises `LinkLost`, `Unavailable`."""

    async def run() -> None:
        async with connected(socket_path) as gateway:
            with Keyboard() if sys.stdin.isatty() else contextlib.nullcontext() as keyboard:
                await Watch(gateway, out, SystemClock(), keyboard).run()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run())


class Watch:
    """The questions that are open, in order; the first is the one that is asked. Without a keyboard: only shows."""

    def __init__(self, gateway: Gateway, out: Output, clock: Clock, keyboard: Keyboard | None) -> None:
        self._gateway = gateway
        self._out = out
        self._clock = clock
        self._keyboard = keyboard
        self._open: OrderedDict[str, ApprovalRow] = OrderedDict()
        self._asked: str = ""
        """The question on the screen."""

    async def run(self) -> None:
        """Return at the end of input. Raises `LinkLost` when the gateway goes."""
        waiting = await self._gateway.link.call(WatchApprovals(), ApprovalRows)
        for row in waiting.approvals:
            self._open.setdefault(row.approval, row)
        if not self._open:
            self._out.note(Styled("Nothing waits. Questions appear here as they come.", "dim"))
        self._next()
        loop = asyncio.get_running_loop()
        frames = loop.create_task(self._frames())
        working = [frames] if self._keyboard is None else [frames, loop.create_task(self._answers(self._keyboard))]
        try:
            done, _ = await asyncio.wait(working, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in working:
                task.cancel()
            await asyncio.wait(working)

    async def _frames(self) -> None:
        while True:
            self.take(await self._gateway.frame())

    def take(self, frame: Conversing) -> None:
        """Follow what the gateway tells."""
        match frame:
            case Asked(approval=packed):
                row = unpack(packed, ApprovalRow)
                self._open.setdefault(row.approval, row)
                self._next()
            case Settled(approval=approval, decision=decision):
                self._settled(approval, decision)
            case _:
                pass

    def _settled(self, approval: str, decision: str) -> None:
        row = self._open.pop(approval, None)
        if row is None:
            return
        if self._asked == approval:
            self._asked = ""
            self._out.note("")
        self._out.note(f"  {approval} in {row.session}: {decision}")
        self._next()

    def _next(self) -> None:
        """Ask the oldest question, if none is on the screen; what was typed before it is no answer to it."""
        if self._asked or not self._open:
            return
        row = next(iter(self._open.values()))
        self._asked = row.approval
        for line in approving.described(row, self._clock.now()):
            self._out.note(line)
        if self._keyboard is not None:
            self._keyboard.forget()
            self._out.ask(approving.prompt(row))

    async def _answers(self, keyboard: Keyboard) -> None:
        while (line := await keyboard.line()) is not None:
            row = self._open.get(self._asked)
            if row is None:
                continue
            given = approving.choice_of(row, line)
            if given is None:
                self._out.note("  Please answer with one of these.")
                self._out.ask(approving.prompt(row))
            else:
                await self._pass_on(given)

    async def _pass_on(self, given: AnswerApproval) -> None:
        try:
            await self._gateway.link.call(given, Acknowledged)
        except WirkenError as error:
            self._out.note(f"  {error}")
            row = self._open.get(given.approval)
            if row is not None and self._asked == given.approval:
                self._out.ask(approving.prompt(row))
