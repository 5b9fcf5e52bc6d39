"""Questions that outlive the gateway: what a new one makes of a turn that waits for a person."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import apsw
import pytest
from tests.support.gateway_bench import PATIENCE, Bench, bench
from tests.support.scripted_wings import calls, says

from wirken.config.model import AgentConfig, ApprovalsConfig, Config
from wirken.config.paths import Paths
from wirken.domain.errors import Refused
from wirken.domain.events import (
    ApprovalRequested,
    PermissionApproved,
    PermissionDenied,
    ToolPermitted,
    ToolResultFact,
    TurnEnded,
    TurnResumed,
)
from wirken.ipc.calls.operator import (
    Acknowledged,
    AnswerApproval,
    ApprovalRow,
    ApprovalRows,
    PendingApprovals,
    StopTurn,
)
from wirken.record.verify import Status

SESSION = "default/terminal/c"
LS, RM = ("exec", '{"command":"ls"}'), ("exec", '{"command":"rm x"}')
WRITE = ("write_file", '{"path":"a.txt","content":"x"}')
HOUR = Config(approvals=ApprovalsConfig(ask_seconds=3600, daemon_seconds=3600))


async def killed_while_asking(folder: Path, *proposed: tuple[str, str], config: Config = HOUR) -> ApprovalRow:
    """Leave a record as a gateway leaves it that was killed while a question waited."""
    async with bench(folder, calls(*proposed), config=config) as at:
        async with at.operator() as gateway:
            await at.accepted(gateway, at.message("please do", interactive=True, sender_name="Ann"))
            row = await at.pending(gateway)
            rows = len(at.facts())
        copied = folder / "killed.db"
        db = apsw.Connection(str(at.paths.audit_db))
        db.execute("VACUUM INTO ?", (str(copied),))
        db.close()
        await at.stop()
    audit = Paths(folder).audit_db
    for leftover in audit.parent.glob("audit.db-*"):
        leftover.unlink()
    copied.replace(audit)
    forget_heads(folder, rows)
    return row


@asynccontextmanager
async def again(folder: Path, *script: object, config: Config = HOUR) -> AsyncIterator[Bench]:
    async with bench(folder, *script, config=config) as at:  # type: ignore[arg-type]  # steps
        yield at


async def ended(at: Bench) -> TurnEnded:
    async with asyncio.timeout(PATIENCE):
        while not (at.kinds().count("turn_ended") and at.kinds()[-1] == "attestation"):
            await asyncio.sleep(0.005)
    return next(fact for fact in reversed(at.facts()) if isinstance(fact, TurnEnded))


def yes(row: ApprovalRow, choice: str = "once") -> AnswerApproval:
    return AnswerApproval(approval=row.approval, lease=row.lease, choice=choice)  # type: ignore[arg-type]  # tests


async def test_the_same_question_waits_after_a_kill_and_counts_once(tmp_path: Path) -> None:
    before = await killed_while_asking(tmp_path, LS, WRITE)
    async with again(tmp_path, says("done")) as at, at.operator() as gateway:
        row = await at.pending(gateway)
        assert row == before
        assert at.runner.ran == [] and at.model.questions == []
        await gateway.link.call(yes(row), Acknowledged)
        assert (await ended(at)).outcome == "finished"
        with pytest.raises(Refused, match="allowed once"):
            await gateway.link.call(yes(row), Acknowledged)
        assert at.runner.tools == ["exec", "write_file"]
        assert at.kinds().count("approval_requested") == 1
        assert (await at.verify()).status is Status.VERIFIED


async def test_it_survives_more_restarts_than_a_crashing_turn_may(tmp_path: Path) -> None:
    before = await killed_while_asking(tmp_path, RM)
    for _ in range(4):
        async with again(tmp_path) as at, at.operator() as gateway:
            assert await at.pending(gateway) == before
            await at.stop()
    async with again(tmp_path, says("done")) as at, at.operator() as gateway:
        await gateway.link.call(yes(await at.pending(gateway)), Acknowledged)
        assert (await ended(at)).outcome == "finished" and at.runner.tools == ["exec"]
        assert sum(isinstance(fact, TurnResumed) for fact in at.facts()) == 5
        assert (await at.verify()).status is Status.VERIFIED


async def test_a_gateway_that_is_stopped_leaves_the_question_open_and_signed(tmp_path: Path) -> None:
    async with bench(tmp_path, calls(RM), config=HOUR) as at:
        async with at.operator() as gateway:
            await at.accepted(gateway, at.message("go", interactive=True))
            before = await at.pending(gateway)
        await at.stop()
        assert at.kinds()[-2:] == ["approval_requested", "attestation"]
        assert (await at.verify()).status is Status.VERIFIED
    async with again(tmp_path, says("fine")) as at, at.operator() as gateway:
        assert await at.pending(gateway) == before
        await gateway.link.call(yes(before, "deny"), Acknowledged)
        assert (await ended(at)).outcome == "finished" and at.runner.ran == []
        assert (await at.verify()).status is Status.VERIFIED


async def test_one_that_lapsed_while_the_gateway_was_down_never_runs(tmp_path: Path) -> None:
    short = Config(approvals=ApprovalsConfig(ask_seconds=1, daemon_seconds=1))
    row = await killed_while_asking(tmp_path, RM, config=short)
    await asyncio.sleep(1.1)
    async with again(tmp_path, says("sorry"), config=short) as at, at.operator() as gateway:
        assert (await ended(at)).outcome == "finished"
        [denied] = [fact for fact in at.facts() if isinstance(fact, PermissionDenied)]
        assert denied.rule == "no_answer" and at.runner.ran == []
        with pytest.raises(Refused, match="not open any more"):
            await gateway.link.call(yes(row), Acknowledged)
        assert (await at.verify()).status is Status.VERIFIED


async def killed_after_the_yes(folder: Path, config: Config) -> ApprovalRow:
    """Leave a record that ends with a yes whose permit never came to disk."""
    async with bench(folder, calls(RM), says("done"), config=config) as at, at.operator() as gateway:
        message = at.message("go", interactive=True)
        await at.accepted(gateway, message)
        row = await at.pending(gateway)
        await gateway.link.call(yes(row), Acknowledged)
        await at.over(gateway, message)
        approved = next(seq for seq, fact in enumerate(at.facts()) if isinstance(fact, PermissionApproved))
        await at.stop()
    db = apsw.Connection(str(Paths(folder).audit_db))
    db.execute("DELETE FROM session_events WHERE session_id = ? AND seq > ?", (SESSION, approved))
    db.execute("INSERT OR IGNORE INTO unfinished VALUES (?)", (SESSION,))
    db.close()
    forget_heads(folder, approved + 1)
    return row


def forget_heads(folder: Path, first: int) -> None:
    """A real crash leaves no signature of rows that are not on disk."""
    heads = apsw.Connection(str(Paths(folder).vault_db))
    found = heads.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE '%head%'").fetchall()
    for (table,) in found:
        heads.execute(f"DELETE FROM {table} WHERE seq >= ?", (first,))
    heads.close()


async def test_a_yes_on_record_without_its_permit_is_used_after_the_restart_once(tmp_path: Path) -> None:
    await killed_after_the_yes(tmp_path, HOUR)
    async with again(tmp_path, says("done")) as at, at.operator() as gateway:
        assert (await ended(at)).outcome == "finished"
        assert at.runner.tools == ["exec"]
        assert (await gateway.link.call(PendingApprovals(), ApprovalRows)).approvals == ()
        assert sum(isinstance(fact, ApprovalRequested) for fact in at.facts()) == 1
        assert (await at.verify()).status is Status.VERIFIED


async def test_such_a_yes_is_worth_nothing_once_its_time_is_over(tmp_path: Path) -> None:
    short = Config(approvals=ApprovalsConfig(ask_seconds=2, daemon_seconds=2))
    row = await killed_after_the_yes(tmp_path, short)
    await asyncio.sleep(max(0.0, row.expires / 1000 - time.time()) + 0.01)
    async with again(tmp_path, says("sorry"), config=short) as at:
        assert (await ended(at)).outcome == "finished"
        [denied] = [fact for fact in at.facts() if isinstance(fact, PermissionDenied)]
        assert denied.rule == "no_answer" and at.runner.ran == []
        assert (await at.verify()).status is Status.VERIFIED


async def test_what_would_run_elsewhere_now_is_not_what_was_asked(tmp_path: Path) -> None:
    await killed_while_asking(tmp_path, RM)
    moved = Config(
        agents={"default": AgentConfig(read_only=("/srv/more",))}, approvals=ApprovalsConfig(ask_seconds=3600)
    )
    async with again(tmp_path, says("I see"), config=moved) as at:
        await ended(at)
        [denied] = [fact for fact in at.facts() if isinstance(fact, PermissionDenied)]
        assert denied.rule == "drifted" and at.runner.ran == []
        assert b"Propose it again" in at.model.questions[0].messages
        assert (await at.verify()).status is Status.VERIFIED


async def test_a_sandbox_that_went_away_while_a_person_thought_ends_the_approval(tmp_path: Path) -> None:
    async with bench(tmp_path, calls(RM), says("I see"), config=HOUR) as at, at.operator() as gateway:
        message = at.message("go", interactive=True)
        await at.accepted(gateway, message)
        row = await at.pending(gateway)
        at.house.router.sandbox = "none"
        await gateway.link.call(yes(row), Acknowledged)
        await at.over(gateway, message)
        [denied] = [fact for fact in at.facts() if isinstance(fact, PermissionDenied)]
        assert denied.rule == "drifted" and not any(isinstance(fact, ToolPermitted) for fact in at.facts())
        assert (await at.verify()).status is Status.VERIFIED


async def test_a_suspended_turn_can_be_stopped_after_the_restart(tmp_path: Path) -> None:
    row = await killed_while_asking(tmp_path, RM, LS)
    async with again(tmp_path) as at, at.operator() as gateway:
        await at.pending(gateway)
        await gateway.link.call(StopTurn(SESSION), Acknowledged)
        assert (await ended(at)).outcome == "stopped"
        with pytest.raises(Refused, match="stopped"):
            await gateway.link.call(yes(row), Acknowledged)
        assert [fact.outcome for fact in at.facts() if isinstance(fact, ToolResultFact)] == ["stopped", "stopped"]
        assert (await at.verify()).status is Status.VERIFIED


async def test_a_terminal_that_joins_the_session_is_shown_the_question(tmp_path: Path) -> None:
    before = await killed_while_asking(tmp_path, RM)
    async with again(tmp_path, says("done"), says("next")) as at, at.operator() as gateway:
        await at.pending(gateway)
        message = at.message("are you there?", interactive=True, platform_id="later")
        gateway.link.send(message)
        async with asyncio.timeout(PATIENCE):
            while type(frame := await gateway.frame()).__name__ != "Asked":
                pass
        assert frame.session == SESSION  # type: ignore[union-attr]  # Asked
        await gateway.link.call(yes(before), Acknowledged)
        assert (await at.over(gateway, message)).outcome == "finished"
