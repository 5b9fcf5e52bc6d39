"""What a new gateway makes of the rows that an old one left: cut after every row of every kind of turn."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import apsw
import pytest
from tests.support.gateway_bench import PATIENCE, Bench, bench
from tests.support.scripted_wings import Step, calls, says

from wirken.config.model import Config
from wirken.config.paths import Paths
from wirken.config.sandbox import SandboxConfig
from wirken.domain.events import (
    LlmResponse,
    PermissionDenied,
    ToolPermitted,
    ToolResultFact,
    ToolsSet,
    TurnEnded,
    TurnResumed,
    TurnStarted,
    UserMessageFact,
)
from wirken.ipc.calls.operator import Acknowledged, AnswerApproval, StopTurn
from wirken.record.verify import Status

SESSION = "default/terminal/c"
WRITE = ("write_file", '{"path":"a.txt","content":"x"}')
LS = ("exec", '{"command":"ls"}')

Story = Callable[[Bench], Awaitable[object]]


async def one_turn(at: Bench) -> None:
    at.model.script.extend([calls(WRITE, ("list_files", "{}"), ("rm", "{}")), says("done")])
    await at.say("go")


async def an_approval(at: Bench) -> None:
    at.model.script.extend([calls(LS, WRITE), says("done")])
    async with at.operator() as gateway:
        message = at.message("go", interactive=True)
        await at.accepted(gateway, message)
        row = await at.pending(gateway)
        yes = AnswerApproval(approval=row.approval, lease=row.lease, choice="once")
        await gateway.link.call(yes, Acknowledged)
        await at.over(gateway, message)


async def a_denial(at: Bench) -> None:
    at.model.script.extend([calls(LS), says("sorry")])
    await at.say("go")


async def two_messages(at: Bench) -> None:
    gate = asyncio.Event()
    at.model.script.extend([Step(calls(WRITE).events, gate=gate), says("one"), calls(WRITE), says("two")])
    async with at.operator() as gateway:
        first, second = at.message("1"), at.message("2")
        await at.accepted(gateway, first)
        await at.accepted(gateway, second)
        gate.set()
        await at.over(gateway, second)


async def a_stop(at: Bench) -> None:
    step = Step(gate=asyncio.Event())
    at.model.script.append(step)
    async with at.operator() as gateway:
        message = at.message("go")
        await at.accepted(gateway, message)
        await step.asked.wait()
        await gateway.link.call(StopTurn(SESSION), Acknowledged)
        await at.over(gateway, message)


STORIES = {story.__name__: story for story in (one_turn, an_approval, a_denial, two_messages, a_stop)}


@pytest.mark.parametrize("name", STORIES)
async def test_a_record_cut_after_any_row_is_taken_up_completed_and_verifies(tmp_path: Path, name: str) -> None:
    whole = tmp_path / "whole"
    async with bench(whole) as at:
        await STORIES[name](at)
        before = at.facts()
        await at.stop()
    said = next(seq for seq, fact in enumerate(before) if isinstance(fact, UserMessageFact))
    for kept in range(said + 1, len(before) + 1):
        if isinstance(before[kept - 1], PermissionDenied):
            continue  # it and its result are one commit: no crash comes between them
        await _taken_up(whole, tmp_path / f"cut{kept}", kept)


async def _taken_up(whole: Path, folder: Path, kept: int) -> None:
    """Keep the first `kept` rows of the session, start a gateway, and look at what it makes of them."""
    shutil.copytree(whole, folder, ignore=shutil.ignore_patterns("*.sock"))
    _cut(Paths(folder).audit_db, kept)
    _vault_knows_no_later_head(folder, kept)
    async with bench(folder) as at:
        before = at.facts()
        await _idle(at, answering=True)
        after = at.facts()
        report = await at.verify()
        label = f"{folder.name}: {[kind for kind in at.kinds()]}"
        assert report.status is Status.VERIFIED, (label, report.findings)
        assert after[: len(before)] == before or len(before) >= kept, label
        messages = sum(isinstance(fact, UserMessageFact) for fact in after)
        assert messages == sum(isinstance(fact, TurnStarted) for fact in after), label
        assert messages == sum(isinstance(fact, TurnEnded) for fact in after), label
        _nothing_runs_twice(at, kept, label)


def _nothing_runs_twice(at: Bench, kept: int, label: str) -> None:
    """Calls with a permit before the cut were not given to the runner again, and have the right outcome."""
    facts = at.facts()
    permits = {fact.call_id: seq for seq, fact in enumerate(facts) if isinstance(fact, ToolPermitted)}
    results = [(seq, fact) for seq, fact in enumerate(facts) if isinstance(fact, ToolResultFact)]
    assert len({fact.call_id for _, fact in results}) == len(results), label
    ran_now = {run.permit.seq for run in at.runner.ran}
    assert ran_now == {seq for seq in permits.values() if seq >= kept}, label
    for seq, fact in results:
        if seq < kept:
            continue
        permitted = permits.get(fact.call_id)
        if permitted is not None and permitted < kept:
            assert (fact.outcome, fact.success) == ("unknown", False), label
        if permitted is None:
            assert fact.outcome in ("stopped", "denied", "invalid"), label
    errors = [later.error for later in facts[kept:] if isinstance(later, LlmResponse) and later.error]
    assert all("ended while this ran" in error for error in errors), label


def _cut(database: Path, kept: int) -> None:
    db = apsw.Connection(str(database))
    db.execute("DELETE FROM session_events WHERE session_id = ? AND seq >= ?", (SESSION, kept))
    [(last,)] = db.execute(
        "SELECT CAST(payload AS TEXT) FROM session_events WHERE session_id = ? AND seq = ?", (SESSION, kept - 1)
    )
    if '"kind":"attestation"' not in str(last) or _waits(db):
        db.execute("INSERT OR IGNORE INTO unfinished VALUES (?)", (SESSION,))
    db.close()


def _waits(db: apsw.Connection) -> bool:
    count = "SELECT sum(instr(CAST(payload AS TEXT), ?) > 0) FROM session_events WHERE session_id = ?"
    said, ended = (
        next(iter(db.execute(count, (f'"kind":"{kind}"', SESSION))))[0] for kind in ("user_message", "turn_ended")
    )
    return bool(said != ended)


def _vault_knows_no_later_head(folder: Path, kept: int) -> None:
    """A real crash leaves no signature of rows that are not on disk: the vault signs what was flushed."""
    db = apsw.Connection(str(Paths(folder).vault_db))
    for (table,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE '%head%'").fetchall():
        db.execute(f"DELETE FROM {table} WHERE seq >= ?", (kept,))
    db.close()


async def _idle(at: Bench, *, answering: bool = False) -> None:
    """Wait until all is over and attested; `answering`: questions that waited are answered with a yes."""
    async with asyncio.timeout(PATIENCE), at.operator() as gateway:
        while True:
            for row in at.house.approvals.pending() if answering else ():
                yes = AnswerApproval(approval=row.approval, lease=row.lease, choice="once")
                await gateway.link.call(yes, Acknowledged)
            kinds = at.kinds()
            done = kinds.count("turn_ended") == kinds.count("user_message")
            if done and kinds[-1] == "attestation" and at.house.log.unfinished() == []:
                return
            await asyncio.sleep(0.005)


async def _crashed_in_a_tool(folder: Path) -> None:
    async with bench(folder) as at:
        await one_turn(at)
        permit = at.kinds().index("tool_permitted")
        await at.stop()
    _cut(Paths(folder).audit_db, permit + 1)
    _vault_knows_no_later_head(folder, permit + 1)


async def test_the_model_is_told_that_the_outcome_is_unknown(tmp_path: Path) -> None:
    await _crashed_in_a_tool(tmp_path)
    async with bench(tmp_path, says("I see.")) as at:
        await _idle(at)
        [resumed] = [fact for fact in at.facts() if isinstance(fact, TurnResumed)]
        assert resumed.unknown == 1
        assert b"the outcome is unknown" in at.model.questions[0].messages
        assert at.runner.ran == []


async def test_a_turn_that_is_interrupted_twice_is_not_taken_up_a_third_time(tmp_path: Path) -> None:
    await _crashed_in_a_tool(tmp_path)
    async with bench(tmp_path, calls(WRITE), says("done")) as at:
        await _idle(at)
        again = [seq for seq, fact in enumerate(at.facts()) if isinstance(fact, ToolPermitted)][-1]
        await at.stop()
    _cut(Paths(tmp_path).audit_db, again + 1)
    _vault_knows_no_later_head(tmp_path, again + 1)
    async with bench(tmp_path) as at:
        await _idle(at)
        ended = at.facts()[-2]
        assert isinstance(ended, TurnEnded) and ended.outcome == "interrupted"
        assert at.model.questions == [] and at.runner.ran == []
        assert (await at.verify()).status is Status.VERIFIED


async def test_a_message_that_comes_before_the_recovery_waits_for_it(tmp_path: Path) -> None:
    await _crashed_in_a_tool(tmp_path)
    async with bench(tmp_path, wings=False) as at, at.operator() as gateway:
        message = at.message("next", platform_id="later")
        gateway.link.send(message)
        await at.runner.start()
        await at.model.start()
        assert (await at.over(gateway, message)).outcome == "finished"
        await _idle(at)
        assert (await at.verify()).status is Status.VERIFIED


async def test_a_session_that_cannot_be_read_does_not_keep_the_others_from_coming_back(tmp_path: Path) -> None:
    await _crashed_in_a_tool(tmp_path)
    db = apsw.Connection(str(Paths(tmp_path).audit_db))
    for name in ("default/terminal/a", "default/terminal/zz", "no session at all"):
        db.execute(
            "INSERT INTO session_events (session_id, seq, ts, trust, payload, leaf_hash, prev_hash, hash)"
            " VALUES (?, 0, 0, 'gateway', x'7b7d', '', '', '')",
            (name,),
        )
        db.execute("INSERT INTO unfinished VALUES (?)", (name,))
    db.close()
    async with bench(tmp_path) as at:
        async with asyncio.timeout(PATIENCE):
            while at.kinds()[-1] != "attestation":
                await asyncio.sleep(0.005)
        assert (await at.verify()).status is Status.VERIFIED
        refused = (await at.say("hi", "a"))[-1]
        assert "changed on disk" in refused.reason  # type: ignore[union-attr]  # Rejected


async def test_a_turn_in_a_folder_of_the_terminals_own_does_not_go_on_in_another(tmp_path: Path) -> None:
    async with bench(tmp_path, calls(WRITE), calls(WRITE), says("done")) as at:
        await at.say("go", workspace="/home/me/project")
        second = next(seq for seq, fact in enumerate(at.facts()) if isinstance(fact, ToolResultFact))
        await at.stop()
    _cut(Paths(tmp_path).audit_db, second + 1)
    _vault_knows_no_later_head(tmp_path, second + 1)
    async with bench(tmp_path, calls(WRITE), says("done")) as at:
        await _idle(at)
        [run] = at.runner.ran
        assert b'"workspace":"/home/me/project"' in run.call


async def test_a_session_that_was_rewritten_and_chained_anew_is_neither_continued_nor_signed(tmp_path: Path) -> None:
    """Somebody edits the file, drops the attestation, computes the chain again and marks the session unfinished."""
    async with bench(tmp_path) as at:
        await one_turn(at)
        assert (await at.verify()).status is Status.VERIFIED
    _rewrite(Paths(tmp_path).audit_db, b'"text":"go"', b'"text":"no"')
    async with bench(tmp_path) as at:
        rejected = (await at.say("more"))[-1]
        assert "The vault signed another row" in rejected.reason  # type: ignore[union-attr]  # Rejected
        await asyncio.sleep(0.1)  # recovery has had its turn as well
        assert "attestation" not in at.kinds()
        assert at.runner.ran == []
        assert (await at.verify()).status is Status.DIVERGENCE
        assert at.facts("gateway/operations/log"), "other sessions go on"


def _rewrite(database: Path, said: bytes, instead: bytes) -> None:
    db = apsw.Connection(str(database))
    query = "SELECT CAST(payload AS TEXT) FROM session_events WHERE session_id = ? ORDER BY seq"
    rows = [str(payload).encode() for (payload,) in db.execute(query, (SESSION,))]
    last = max(seq for seq, payload in enumerate(rows) if b'"kind":"attestation"' in payload)
    db.execute("DELETE FROM session_events WHERE session_id = ? AND seq >= ?", (SESSION, last))
    head = ""
    for seq, payload in enumerate(rows[:last]):
        changed = payload.replace(said, instead)
        leaf = hashlib.sha256(changed).hexdigest()
        before, head = head, hashlib.sha256((head + leaf).encode()).hexdigest()
        db.execute(
            "UPDATE session_events SET payload = ?, leaf_hash = ?, prev_hash = ?, hash = ?"
            " WHERE session_id = ? AND seq = ?",
            (changed, leaf, before, head, SESSION, seq),
        )
    db.execute("INSERT OR IGNORE INTO unfinished VALUES (?)", (SESSION,))
    db.close()


async def test_with_the_sandbox_switched_off_there_is_no_exec(tmp_path: Path) -> None:
    config = Config(sandbox=SandboxConfig(mode="off"))
    async with bench(tmp_path, calls(LS), says("done"), config=config) as at:
        await at.say("go", interactive=True)
        [offered] = [fact for fact in at.facts() if isinstance(fact, ToolsSet)]
        assert "exec" not in [tool.name for tool in offered.tools]
        assert at.runner.ran == []
