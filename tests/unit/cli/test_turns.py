from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.support.gateway_bench import Bench, bench
from tests.support.scripted_wings import Step, calls, says

from wirken.cli.gateway import Gateway, connected
from wirken.cli.output import Output
from wirken.cli.turns import TurnView
from wirken.config.model import ApprovalsConfig, Config, PermissionsConfig
from wirken.domain.clock import SystemClock
from wirken.domain.conversation import Completed, TextDelta
from wirken.domain.errors import Refused
from wirken.ipc.calls.operator import Acknowledged, AnswerApproval, ApprovalRow
from wirken.ipc.link import LinkLost

LS = ("exec", '{"command":"ls"}')


@dataclass
class Person:
    """A person at the terminal, who answers what is put into `says`."""

    says: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    asked: list[ApprovalRow] = field(default_factory=list)
    left: int = 0
    """Questions that were taken away before they were answered."""

    async def answer(self, row: ApprovalRow) -> AnswerApproval:
        self.asked.append(row)
        try:
            choice = await self.says.get()
        except asyncio.CancelledError:
            self.left += 1
            raise
        return AnswerApproval(approval=row.approval, lease=row.lease, choice=choice)  # type: ignore[arg-type]  # tests


@dataclass
class At:
    bench: Bench
    gateway: Gateway
    view: TurnView
    person: Person
    stdout: io.StringIO
    stderr: io.StringIO

    def turn(self, text: str = "hi", conversation: str = "c") -> asyncio.Task[object]:
        message = self.bench.message(text, conversation, interactive=True)
        return asyncio.get_running_loop().create_task(self.view.turn(message))


@asynccontextmanager
async def at_a_terminal(
    folder: Path, *script: Step, config: Config | None = None, as_json: bool = False, alone: bool = False
) -> AsyncIterator[At]:
    async with bench(folder, *script, config=config) as made, connected(made.paths.operator_socket) as gateway:
        stdout, stderr, person = io.StringIO(), io.StringIO(), Person()
        out = Output(as_json, stdout, stderr, {})
        answer = None if alone else person.answer
        yield At(made, gateway, TurnView(gateway, out, SystemClock(), answer), person, stdout, stderr)


async def test_an_answer_is_shown_once_whether_it_streamed_or_not(tmp_path: Path) -> None:
    step = Step((TextDelta("Hel"), TextDelta("lo"), Completed("stop")))
    async with at_a_terminal(tmp_path, step) as at:
        summary = await at.view.turn(at.bench.message("hi"))
        assert at.stdout.getvalue() == "Hello\n"
        assert (summary.session, summary.outcome, summary.text) == ("default/terminal/c", "finished", "Hello")


async def test_text_calls_and_results_come_in_the_order_of_the_record(tmp_path: Path) -> None:
    script = calls(("list_files", "{}"), text="I look."), says("Nothing there.")
    async with at_a_terminal(tmp_path, *script) as at:
        summary = await at.view.turn(at.bench.message("hi"))
        assert at.stdout.getvalue() == "I look.\nNothing there.\n"
        lines = at.stderr.getvalue().splitlines()
        assert lines[0] == "  call: list_files({})" and lines[1].startswith("  ran: list_files in ")
        assert [result.tool for result in summary.tool_results] == ["list_files"]


async def test_hostile_text_of_a_model_cannot_steer_the_terminal(tmp_path: Path) -> None:
    async with at_a_terminal(tmp_path, says("\x1b[2J\x1b]0;pwned\x07\u202eevil\r\x9b1A\ttab\nline")) as at:
        await at.view.turn(at.bench.message("hi"))
        shown = at.stdout.getvalue()
        assert not {"\x1b", "\x07", "\u202e", "\r", "\x9b"} & set(shown)
        assert "\\x1b[2J" in shown and "\\u202e" in shown and "\ttab\nline" in shown


async def test_what_wirken_itself_answers_is_shown_and_ends_the_wait(tmp_path: Path) -> None:
    async with at_a_terminal(tmp_path) as at:
        summary = await at.view.turn(at.bench.message("/whoami"))
        assert at.stdout.getvalue() == "You are owner (owner) here, known as terminal.\n"
        assert (summary.outcome, summary.reason) == ("finished", "") and at.bench.model.questions == []


async def test_a_refused_message_raises_its_reason(tmp_path: Path) -> None:
    async with at_a_terminal(tmp_path) as at:
        with pytest.raises(Refused, match="conversation id"):
            await at.view.turn(at.bench.message("hi", "../c"))


async def test_a_yes_lets_the_call_run(tmp_path: Path) -> None:
    async with at_a_terminal(tmp_path, calls(LS), says("done")) as at:
        at.person.says.put_nowait("once")
        await at.turn()
        assert at.bench.runner.tools == ["exec"] and len(at.person.asked) == 1
        assert "Approval needed (tier2; shell:ls; " in at.stderr.getvalue()
        assert "elsewhere" not in at.stderr.getvalue()


async def test_a_question_that_lapses_is_taken_away(tmp_path: Path) -> None:
    config = Config(approvals=ApprovalsConfig(ask_seconds=1))
    async with at_a_terminal(tmp_path, calls(LS), says("done"), config=config) as at:
        await at.turn()
        assert at.person.left == 1 and at.bench.runner.ran == []
        assert "Nobody answered in time: refused." in at.stderr.getvalue()


async def test_a_question_answered_elsewhere_leaves_the_keyboard_free_for_the_next(tmp_path: Path) -> None:
    async with at_a_terminal(tmp_path, calls(LS, LS), says("done")) as at, at.bench.operator() as other:
        turn = at.turn()
        row = await at.bench.pending(other)
        yes = AnswerApproval(approval=row.approval, lease=row.lease, choice="once")
        await other.link.call(yes, Acknowledged)
        async with asyncio.timeout(5):
            while len(at.person.asked) < 2:
                await asyncio.sleep(0.005)
        at.person.says.put_nowait("once")
        await turn
        assert at.person.left == 1 and at.bench.runner.tools == ["exec", "exec"]
        assert "Answered elsewhere: once." in at.stderr.getvalue()


async def test_where_nobody_can_be_asked_nothing_is_put(tmp_path: Path) -> None:
    async with at_a_terminal(tmp_path, calls(LS), says("done"), alone=True) as at:
        summary = await at.view.turn(at.bench.message("hi", interactive=False))
        assert [result.outcome for result in summary.tool_results] == ["denied"]
        assert "Approval needed" not in at.stderr.getvalue()


async def test_ctrl_c_stops_the_turn_and_waits_for_its_end(tmp_path: Path) -> None:
    hangs = Step(gate=asyncio.Event())
    async with at_a_terminal(tmp_path, hangs) as at:
        turn = at.turn()
        await hangs.asked.wait()
        turn.cancel()
        with pytest.raises(asyncio.CancelledError):
            await turn
        assert at.bench.kinds()[-2:] == ["turn_ended", "attestation"]


async def test_ctrl_c_at_a_question_withdraws_it(tmp_path: Path) -> None:
    async with at_a_terminal(tmp_path, calls(LS), says("done")) as at:
        turn = at.turn()
        async with asyncio.timeout(5):
            while not at.person.asked:
                await asyncio.sleep(0.005)
        turn.cancel()
        with pytest.raises(asyncio.CancelledError):
            await turn
        assert at.person.left == 1 and at.bench.runner.ran == []
        assert at.bench.kinds()[-2:] == ["turn_ended", "attestation"]


async def test_two_turns_after_one_another_are_kept_apart(tmp_path: Path) -> None:
    async with at_a_terminal(tmp_path, says("one"), says("two")) as at:
        first = await at.view.turn(at.bench.message("1"))
        second = await at.view.turn(at.bench.message("2"))
        assert (first.text, second.text) == ("one", "two") and at.stdout.getvalue() == "one\ntwo\n"


async def test_a_gateway_that_goes_away_is_said(tmp_path: Path) -> None:
    hangs = Step(gate=asyncio.Event())
    async with at_a_terminal(tmp_path, hangs) as at:
        turn = at.turn()
        await hangs.asked.wait()
        at.gateway.link.close()
        with pytest.raises(LinkLost, match="went away"):
            await turn


async def test_under_json_nothing_is_printed_on_the_way(tmp_path: Path) -> None:
    async with at_a_terminal(tmp_path, calls(LS, text="I run it."), says("no"), as_json=True, alone=True) as at:
        summary = await at.view.turn(at.bench.message("hi"))
        assert at.stdout.getvalue() == at.stderr.getvalue() == ""
        assert summary.text == "no"


async def test_with_four_eyes_whoever_asked_gets_no_prompt_and_is_told_who_may_answer(tmp_path: Path) -> None:
    config = Config(approvals=ApprovalsConfig(ask_seconds=1), permissions=PermissionsConfig(four_eyes=True))
    async with at_a_terminal(tmp_path, calls(LS), says("done"), config=config) as at:
        await at.turn()
        assert at.person.asked == [] and at.bench.runner.ran == []
        told = at.stderr.getvalue()
        assert "another owner or approver answers" in told and "`wirken stop default/terminal/c`" in told
        assert "\n  Nobody answered in time: refused.\n" in told
