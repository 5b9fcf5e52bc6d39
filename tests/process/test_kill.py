"""SIGKILL of each process at each stage of a turn: nothing acknowledged is lost, nothing runs twice, it verifies."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.support.fake_openai import Answer, FakeOpenAI
from tests.support.spine import ROLES, Spine, aspine, openai_config, wirken

from wirken.cli.gateway import Gateway, connected
from wirken.domain.errors import Refused, Unavailable, WirkenError
from wirken.domain.events import (
    ApprovalRequested,
    AssistantToolCalls,
    PermissionDenied,
    ToolPermitted,
    ToolResultFact,
    TurnEnded,
    TurnStarted,
    UserMessageFact,
)
from wirken.ipc.calls.operator import Acknowledged, AnswerApproval, ApprovalRow, ApprovalRows, PendingApprovals
from wirken.ipc.frames import Accepted, Asked, Conversing, Delta, Inbound, Over, Row
from wirken.ipc.link import LinkLost, unpack
from wirken.record.canonical import decode

pytestmark = pytest.mark.slow
SESSION = "default/terminal/k"
COUNTED = ("call_1", "exec", '{"command":"echo x >> counter; sleep 1; echo done >> counter"}')
WRITTEN = ("call_1", "write_file", '{"path":"a.txt","content":"x"}')

Moment = Callable[[Spine, Gateway, Conversing], Awaitable[bool]]
"""Says of each frame whether this is the moment to kill."""


async def first_text(spine: Spine, gateway: Gateway, frame: Conversing) -> bool:
    return isinstance(frame, Delta)


async def a_question(spine: Spine, gateway: Gateway, frame: Conversing) -> bool:
    return isinstance(frame, Asked)


async def a_running_command(spine: Spine, gateway: Gateway, frame: Conversing) -> bool:
    if not isinstance(frame, Asked):
        return False
    await _approve(gateway, frame)
    async with asyncio.timeout(10):
        while not (spine.workspace / "counter").exists():
            await asyncio.sleep(0.01)
    return True


async def a_result(spine: Spine, gateway: Gateway, frame: Conversing) -> bool:
    return isinstance(frame, Row) and isinstance(decode(frame.payload).fact, ToolResultFact)


STAGES: dict[str, tuple[Moment | None, list[Answer]]] = {
    "before it is accepted": (None, [Answer()]),
    "while the model streams": (first_text, [Answer(pieces=("word ",) * 20, pause=0.05)]),
    "while a person is asked": (a_question, [Answer(pieces=(), calls=(COUNTED,)), Answer()]),
    "while a command runs": (a_running_command, [Answer(pieces=(), calls=(COUNTED,)), Answer()]),
    "between result and next round": (a_result, [Answer(pieces=(), calls=(WRITTEN,)), Answer(pause=0.02)]),
}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("victim", [*ROLES, "supervisor"])
async def test_a_kill_loses_nothing_and_doubles_nothing(tmp_path: Path, victim: str, stage: str) -> None:
    moment, script = STAGES[stage]
    async with FakeOpenAI(script) as fake, aspine(tmp_path, openai_config(fake.base_url)) as spine:
        accepted = await _killed_at(spine, victim, moment)
        if victim != "supervisor":
            await _comes_to_rest(spine)
            await asyncio.to_thread(_look, spine, accepted=accepted)
            return
        async with aspine(tmp_path) as again:
            await _comes_to_rest(again)
            await asyncio.to_thread(_look, again, accepted=accepted)


async def test_a_question_outlives_the_gateway_and_is_answered_once(tmp_path: Path) -> None:
    script = [Answer(pieces=(), calls=(COUNTED,)), Answer()]
    async with FakeOpenAI(script) as fake, aspine(tmp_path, openai_config(fake.base_url)) as spine:
        await _killed_at(spine, "gateway", a_question)
        [before] = [fact for fact in spine.facts(SESSION) if isinstance(fact, ApprovalRequested)]
        row = await _waiting(spine)
        assert (row.approval, row.lease, row.expires) == (before.approval, before.lease, before.expires)
        assert not (spine.workspace / "counter").exists()
        yes = AnswerApproval(approval=row.approval, lease=row.lease, choice="once")
        async with connected(spine.paths.operator_socket) as gateway:
            await gateway.link.call(yes, Acknowledged)
            with pytest.raises(Refused, match="not open any more"):
                await gateway.link.call(yes, Acknowledged)
        await asyncio.to_thread(spine.until_at_rest, SESSION)
        assert spine.kinds(SESSION).count("approval_requested") == 1
        await asyncio.to_thread(_look, spine, accepted=True)
        assert (spine.workspace / "counter").read_text() == "x\ndone\n"


async def test_a_question_that_lapses_while_nothing_runs_is_never_carried_out(tmp_path: Path) -> None:
    script = [Answer(pieces=(), calls=(COUNTED,)), Answer()]
    short = ["[approvals]", "ask_seconds = 2", "daemon_seconds = 2"]
    async with FakeOpenAI(script) as fake:
        async with aspine(tmp_path, openai_config(fake.base_url, short)) as spine:
            await _killed_at(spine, "supervisor", a_question)
        await asyncio.sleep(2)
        async with aspine(tmp_path) as again:
            await asyncio.to_thread(again.until_at_rest, SESSION)
            await asyncio.to_thread(_look, again, accepted=True)
            [denied] = [fact for fact in again.facts(SESSION) if isinstance(fact, PermissionDenied)]
            assert denied.rule == "no_answer" and not (again.workspace / "counter").exists()


async def _waiting(spine: Spine) -> ApprovalRow:
    """Return the question that a gateway which was started again puts once more."""
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(Unavailable):
                async with connected(spine.paths.operator_socket) as gateway:
                    rows = (await gateway.link.call(PendingApprovals(), ApprovalRows)).approvals
                    if rows:
                        return rows[0]
            await asyncio.sleep(0.02)


async def _comes_to_rest(spine: Spine) -> None:
    """Answer what still waits for a person, and wait for the end."""
    resting = asyncio.get_running_loop().create_task(asyncio.to_thread(spine.until_at_rest, SESSION))
    while not resting.done():
        with contextlib.suppress(Unavailable):
            async with connected(spine.paths.operator_socket) as gateway:
                for row in (await gateway.link.call(PendingApprovals(), ApprovalRows)).approvals:
                    await _yes(gateway, row)
        await asyncio.sleep(0.05)
    await resting


async def _killed_at(spine: Spine, victim: str, moment: Moment | None) -> bool:
    """Converse up to the moment, kill, and go on as long as the gateway is there. True once acknowledged."""
    accepted = False
    killed = moment is None
    try:
        async with connected(spine.paths.operator_socket) as gateway, asyncio.timeout(20):
            if moment is None:
                await asyncio.to_thread(spine.kill, victim)
            gateway.link.send(Inbound("m1", "k", "hello", interactive=True))
            while True:
                frame = await gateway.frame()
                accepted |= isinstance(frame, Accepted)
                if isinstance(frame, Over):
                    return accepted
                if not killed and moment is not None and await moment(spine, gateway, frame):
                    await asyncio.to_thread(spine.kill, victim)
                    killed = True
                if killed and isinstance(frame, Asked):
                    await _approve(gateway, frame)
    except LinkLost:
        assert victim in ("gateway", "supervisor"), victim
    assert killed
    return accepted


async def _approve(gateway: Gateway, frame: Asked) -> None:
    await _yes(gateway, unpack(frame.approval, ApprovalRow))


async def _yes(gateway: Gateway, row: ApprovalRow) -> None:
    try:
        await gateway.link.call(AnswerApproval(approval=row.approval, lease=row.lease, choice="once"), Acknowledged)
    except LinkLost:
        raise
    except WirkenError:
        return  # answered before, or withdrawn


def _look(spine: Spine, *, accepted: bool) -> None:
    facts = spine.facts(SESSION)
    label = str(spine.kinds(SESSION))
    counts = [sum(isinstance(fact, kind) for fact in facts) for kind in (UserMessageFact, TurnStarted, TurnEnded)]
    assert counts in ([1, 1, 1], [0, 0, 0]), label
    assert counts[0] == 1 or not accepted, "an acknowledged message is never lost"
    proposed = [call.id for fact in facts if isinstance(fact, AssistantToolCalls) for call in fact.calls]
    results = [fact.call_id for fact in facts if isinstance(fact, ToolResultFact)]
    permits = [fact.call_id for fact in facts if isinstance(fact, ToolPermitted)]
    assert sorted(results) == sorted(proposed), label
    assert len(set(permits)) == len(permits), label
    counter = spine.workspace / "counter"
    if counter.exists():
        lines = counter.read_text().split()
        assert lines.count("x") == 1, "the command ran once"
    if not facts:
        return
    done = wirken(spine.data, "sessions", "verify", SESSION, "--strict")
    assert done.returncode == 0, done.stdout + done.stderr + label
