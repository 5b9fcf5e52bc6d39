from __future__ import annotations

import asyncio
import io
from pathlib import Path

from tests.support.gateway_bench import PATIENCE, Bench, bench
from tests.support.scripted_wings import calls, says

from wirken.cli.gateway import Gateway
from wirken.cli.keyboard import Keyboard
from wirken.cli.output import Output
from wirken.cli.watching import Watch
from wirken.config.model import ApprovalsConfig, Config
from wirken.domain.clock import SystemClock
from wirken.domain.events import PermissionApproved, PermissionDenied
from wirken.ipc.calls.operator import Acknowledged, AnswerApproval

RM, LS = ("exec", '{"command":"rm x"}'), ("exec", '{"command":"ls"}')
HOUR = Config(approvals=ApprovalsConfig(ask_seconds=3600, daemon_seconds=3600))


class Watched:
    """A watching terminal whose keyboard is the test's."""

    def __init__(self, gateway: Gateway) -> None:
        self.keyboard = Keyboard()
        self._stderr = io.StringIO()
        out = Output(False, io.StringIO(), self._stderr, {"NO_COLOR": "1"})
        watch = Watch(gateway, out, SystemClock(), self.keyboard)
        self.running = asyncio.get_running_loop().create_task(watch.run())

    async def sees(self, text: str, times: int = 1) -> None:
        async with asyncio.timeout(PATIENCE):
            while self._stderr.getvalue().count(text) < times:
                await asyncio.sleep(0.005)

    def types(self, *lines: str) -> None:
        for line in lines:
            self.keyboard._take(line)

    async def leaves(self) -> None:
        self.keyboard._lines.put_nowait(None)
        await self.running


async def said(at: Bench, gateway: Gateway, conversation: str = "c") -> None:
    await at.accepted(gateway, at.message("go", conversation, interactive=True))


async def test_questions_of_all_sessions_appear_one_after_another_and_are_answered_here(tmp_path: Path) -> None:
    script = (calls(RM), calls(LS), says("1"), says("2"))
    async with bench(tmp_path, *script, config=HOUR) as at, at.operator() as gateway, at.operator() as watcher:
        await said(at, gateway)
        await at.pending(gateway)
        terminal = Watched(watcher)
        await terminal.sees("[o]nce, [d]eny")
        await said(at, gateway, "other")
        terminal.types("maybe", "30", "o")
        await terminal.sees("Please answer", 2)
        await terminal.sees("in default/terminal/c: once")
        await terminal.sees("exec: ls")
        terminal.types("d not now")
        await terminal.sees("in default/terminal/other: deny")
        await terminal.leaves()
        assert any(isinstance(fact, PermissionApproved) for fact in at.facts())
        assert any(isinstance(fact, PermissionDenied) for fact in at.facts("default/terminal/other"))


async def test_a_question_that_was_answered_elsewhere_goes_and_what_is_typed_then_counts_for_nothing(
    tmp_path: Path,
) -> None:
    async with bench(tmp_path, calls(RM), says("1"), config=HOUR) as at, at.operator() as gateway, at.operator() as two:
        terminal = Watched(two)
        await terminal.sees("Nothing waits")
        terminal.types("o")
        await said(at, gateway)
        row = await at.pending(gateway)
        await terminal.sees("Allow?")
        no = AnswerApproval(approval=row.approval, lease=row.lease, choice="deny")
        await gateway.link.call(no, Acknowledged)
        await terminal.sees(f"{row.approval} in default/terminal/c: deny")
        terminal.types("o")
        await terminal.leaves()
        assert at.runner.ran == []
