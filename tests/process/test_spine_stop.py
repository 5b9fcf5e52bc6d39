"""How `wirken run` ends while a turn is in flight, and what it leaves behind."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest
from tests.support.fake_openai import Answer, FakeOpenAI
from tests.support.spine import Spine, argv, aspine, openai_config, spine, wirken
from tests.support.supervised import alive, descendants

from wirken.cli.gateway import Gateway, connected
from wirken.domain.events import ToolResultFact, TurnEnded
from wirken.ipc.calls.operator import (
    Acknowledged,
    AnswerApproval,
    ApprovalRow,
    ApprovalRows,
    PendingApprovals,
    StopTurn,
)
from wirken.ipc.frames import Accepted, Asked, Conversing, Delta, Inbound, Over
from wirken.ipc.link import unpack

pytestmark = pytest.mark.slow
SESSION = "default/terminal/s"
SLEEPS = "run: echo $$ > pid; sleep 60; echo done > done"


async def accepted(gateway: Gateway, text: str) -> None:
    gateway.link.send(Inbound("m1", "s", text, interactive=True))
    while not isinstance(await gateway.frame(), Accepted):
        pass


async def approved(gateway: Gateway) -> ApprovalRow:
    """Say yes to the first question that comes."""
    while not isinstance(frame := await gateway.frame(), Asked):
        pass
    row = unpack(frame.approval, ApprovalRow)
    await gateway.link.call(AnswerApproval(approval=row.approval, lease=row.lease, choice="once"), Acknowledged)
    return row


async def sleeping(one: Spine, gateway: Gateway) -> list[int]:
    """Have a command sleep in the sandbox; return the pids of everything."""
    await accepted(gateway, SLEEPS)
    await approved(gateway)
    async with asyncio.timeout(10):
        while True:  # the shell has written its pid a moment before it starts the sleep
            pids = [one.process.pid, *descendants(one.process.pid)]
            if any(argv(pid)[:1] == ["sleep"] for pid in pids):
                return pids
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_stops_a_running_command_and_leaves_no_process(tmp_path: Path, number: int) -> None:
    async with aspine(tmp_path) as one:
        async with connected(one.paths.operator_socket) as gateway:
            pids = await sleeping(one, gateway)
            assert await asyncio.to_thread(one.stop, number) < 2.0
        assert one.process.returncode == 0, one.err
        assert alive(pids) == []
        _recorded_as_stopped(one)


def _recorded_as_stopped(one: Spine) -> None:
    """The stop is on record and attested, and a later start has nothing to make up for."""
    kinds = one.kinds(SESSION)
    assert kinds[-2:] == ["turn_ended", "attestation"], kinds
    ended, result = (
        next(fact for fact in one.facts(SESSION) if isinstance(fact, kind)) for kind in (TurnEnded, ToolResultFact)
    )
    assert isinstance(ended, TurnEnded) and isinstance(result, ToolResultFact)
    assert (ended.outcome, result.outcome, result.success) == ("stopped", "stopped", False)
    assert not (one.workspace / "done").exists()
    done = wirken(one.data, "sessions", "verify", SESSION, "--strict")
    assert done.returncode == 0, done.stdout + done.stderr
    assert one.kinds(SESSION) == kinds


ENDED = ["turn_ended", "attestation"]
WAITS = ["approval_requested", "attestation"]


@pytest.mark.parametrize(("awaited", "last"), [(Delta, ENDED), (Asked, WAITS)], ids=["streaming", "asking"])
async def test_a_stop_at_other_moments_is_recorded_and_attested_too(
    tmp_path: Path, awaited: type[Conversing], last: list[str]
) -> None:
    """A turn that waits for a person is only put aside: its question is there again after the next start."""
    call = ("call_1", "exec", '{"command":"ls"}')
    script = Answer(pieces=(), calls=(call,)) if awaited is Asked else Answer(pieces=("word ",) * 200, pause=0.05)
    async with FakeOpenAI([script]) as fake, aspine(tmp_path, openai_config(fake.base_url)) as one:
        async with connected(one.paths.operator_socket) as gateway:
            await accepted(gateway, "hi")
            while not isinstance(await gateway.frame(), awaited):
                pass
            pids = [one.process.pid, *descendants(one.process.pid)]
            assert await asyncio.to_thread(one.stop) < 2.0
        assert alive(pids) == []
        assert one.kinds(SESSION)[-2:] == last
        assert [fact.outcome for fact in one.facts(SESSION) if isinstance(fact, TurnEnded)] in ([], ["stopped"])
        assert (await asyncio.to_thread(wirken, one.data, "sessions", "verify", SESSION, "--strict")).returncode == 0


async def test_stopping_a_turn_ends_its_command_and_nothing_else(tmp_path: Path) -> None:
    async with aspine(tmp_path) as one, connected(one.paths.operator_socket) as gateway:
        pids = await sleeping(one, gateway)
        await gateway.link.call(StopTurn(SESSION), Acknowledged)
        while not isinstance(frame := await gateway.frame(), Over):
            pass
        assert frame.outcome == "stopped"
        sleepers = [pid for pid in alive(pids) if Path(f"/proc/{pid}/comm").read_text() == "sleep\n"]
        async with asyncio.timeout(2):
            while alive(sleepers):
                await asyncio.sleep(0.01)
        assert len(one.outer()) == 5
        gateway.link.send(Inbound("m2", "s", "say: still here", interactive=True))
        while not (isinstance(frame := await gateway.frame(), Over) and frame.platform_id == "m2"):
            pass
        assert frame.outcome == "finished"
        assert (await gateway.link.call(PendingApprovals(), ApprovalRows)).approvals == ()


def test_a_stop_and_a_start_again_find_everything_in_order(tmp_path: Path) -> None:
    with spine(tmp_path) as one:
        assert wirken(one.data, "ask", "-m", "say: one", "--session", "s").returncode == 0
        assert one.stop() < 2.0
    with spine(tmp_path) as one:
        done = wirken(one.data, "ask", "-m", "say: two", "--session", "s")
        assert done.returncode == 0 and done.stdout == "two\n"
        assert wirken(one.data, "sessions", "verify", SESSION).returncode == 0
        assert one.kinds(SESSION).count("turn_ended") == 2
        operations = one.kinds("gateway/operations/log")
        assert operations == [
            *("gateway_started", "configuration_read", "attestation", "gateway_stopped", "attestation"),
            *("gateway_started", "configuration_read", "attestation"),
        ]
