from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import apsw
import pytest
from tests.support.vault_parts import SetClock

from wirken.domain import limits
from wirken.domain.actions import CanonicalCall, Place
from wirken.domain.events import GatewayStopped, LlmResponse, SessionClosed, ToolPermitted, Trust
from wirken.domain.ids import OWNER, TERMINAL, AgentId, SessionId
from wirken.gateway.log import AuditLog, RecordFailed, Stored
from wirken.record.canonical import NotCanonical, decode
from wirken.record.reader import RecordReader
from wirken.record.verify import Known, Status, verify_session

A, B = SessionId("default/terminal/a"), SessionId("default/terminal/b")


def closed(by: str) -> tuple[Trust, SessionClosed]:
    return Trust.GATEWAY, SessionClosed(by=by)


@asynccontextmanager
async def log_at(path: Path, clock: SetClock | None = None) -> AsyncIterator[tuple[AuditLog, list[str]]]:
    failures: list[str] = []
    log = AuditLog(path, clock or SetClock(), lambda: failures.append("failed"))
    log.start()
    try:
        yield log, failures
    finally:
        log.close()


@contextmanager
def second_connection(path: Path) -> Iterator[apsw.Connection]:
    """Somebody else who looks at the file: what they see is what is committed.

    With the same library: two in one process would not see one another's locks (sqlite.org/howtocorrupt.html, 2.2.1).
    """
    db = apsw.Connection(str(path))
    try:
        yield db
    finally:
        db.close()


def count(db: apsw.Connection) -> int:
    [(found,)] = db.execute("SELECT count(*) FROM session_events")
    return int(str(found))


async def test_rows_are_on_disk_before_append_returns(tmp_path: Path) -> None:
    async with log_at(tmp_path / "audit.db") as (log, _):
        with second_connection(tmp_path / "audit.db") as other:
            for number in range(1, 6):
                await log.append(A, closed(str(number)))
                assert count(other) == number


async def test_append_waits_for_a_commit_that_waits(tmp_path: Path) -> None:
    async with log_at(tmp_path / "audit.db") as (log, _):
        with second_connection(tmp_path / "audit.db") as other:
            other.execute("BEGIN IMMEDIATE")
            waiting = asyncio.get_running_loop().create_task(log.append(A, closed("x")))
            await asyncio.sleep(0.1)
            assert not waiting.done() and count(other) == 0
            other.execute("ROLLBACK")
            [stored] = await waiting
            assert stored.row.seq == 0 and count(other) == 1


async def test_rows_are_synced_and_not_only_written(tmp_path: Path) -> None:
    async with log_at(tmp_path / "audit.db") as (log, _):
        assert log._writer.pragma("synchronous") == 2
        assert log._writer.pragma("journal_mode") == "wal"


async def test_many_writers_share_commits_and_keep_each_sessions_order(tmp_path: Path) -> None:
    seen: list[Stored] = []
    async with log_at(tmp_path / "audit.db") as (log, _):
        log.observers.append(seen.append)
        commits = _counting_commits(log)

        async def writes(session: SessionId) -> None:
            for number in range(20):
                await log.append(session, closed(str(number)), closed(f"{number}+"))

        sessions = [SessionId(f"default/terminal/s{number}") for number in range(16)]
        await asyncio.gather(*map(writes, sessions))
        assert len(commits) < 20 * 16 / 2, "commits are shared"
        assert log.count() == 20 * 16 * 2
    reader = RecordReader(tmp_path / "audit.db")
    for session in sessions:
        report = verify_session(session, reader.rows(session), Known())
        assert (report.status, report.rows) == (Status.UNVERIFIABLE, 40), "a sound chain that nobody attested"
        assert [stored.row.seq for stored in seen if stored.row.session == session] == list(range(40))
    reader.close()


def _counting_commits(log: AuditLog) -> list[int]:
    commits: list[int] = []

    def committed() -> bool:
        commits.append(1)
        return False

    log._writer.set_commit_hook(committed)
    return commits


async def test_a_group_is_on_disk_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    async with log_at(tmp_path / "audit.db") as (log, failures):
        await log.append(A, closed("0"))
        with second_connection(tmp_path / "audit.db") as other:
            # A row of another hand stands where the group's second row belongs.
            other.execute(
                "INSERT INTO session_events (session_id, seq, ts, trust, payload, leaf_hash, prev_hash, hash)"
                " VALUES (?, 2, 0, '', x'', '', '', '')",
                (A,),
            )
            with pytest.raises(RecordFailed):
                await log.append(A, closed("1"), closed("2"))
            assert [seq for (seq,) in other.execute("SELECT seq FROM session_events ORDER BY seq")] == [0, 2]
        assert failures == ["failed"]


async def test_after_a_failed_commit_everything_is_refused(tmp_path: Path) -> None:
    async with log_at(tmp_path / "audit.db") as (log, failures):
        await log.append(A, closed("0"))
        log._writer.pragma("max_page_count", 1)
        big = SessionClosed(by="x" * 500_000)
        queued = [log.begin(A, (Trust.GATEWAY, big)), log.begin(B, closed("b"))]
        for future in queued:
            with pytest.raises(RecordFailed, match="could not be written"):
                await future
        assert failures == ["failed"]
        for session in (A, B):
            with pytest.raises(RecordFailed):
                await log.append(session, closed("later"))
        with pytest.raises(RecordFailed):
            await log.permit(permitted(), CALL)
        assert log.count() == 1


async def test_a_file_that_cannot_grow_any_more_refuses_and_keeps_what_was_there(tmp_path: Path) -> None:
    """The disk is full: a child process with RLIMIT_FSIZE stands in for it."""
    program = """
import asyncio, resource, signal, sys
from pathlib import Path
from wirken.domain.clock import SystemClock
from wirken.domain.events import SessionClosed, Trust
from wirken.gateway.log import AuditLog, RecordFailed

async def main():
    failed = []
    log = AuditLog(Path(sys.argv[1]), SystemClock(), lambda: failed.append(1))
    log.start()
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
    stored = 0
    try:
        while stored < 10_000:
            await log.append("default/terminal/a", (Trust.GATEWAY, SessionClosed(by="x" * 5000)))
            stored += 1
    except RecordFailed as error:
        print(stored, bool(failed), error.exit_code)

asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-I", "-c", program, str(tmp_path / "audit.db")], capture_output=True, text=True, timeout=30
    )
    stored, failed, code = done.stdout.split()
    assert 0 < int(stored) < 10_000 and failed == "True" and code == "74", done.stderr
    reader = RecordReader(tmp_path / "audit.db")
    assert verify_session(A, reader.rows(A), Known()).rows == int(stored)
    reader.close()


@pytest.mark.skipif(os.getuid() == 0, reason="root may write what is read-only")
async def test_a_record_that_is_read_only_is_refused_at_the_first_row(tmp_path: Path) -> None:
    async with log_at(tmp_path / "audit.db"):
        pass
    (tmp_path / "audit.db").chmod(0o400)
    with pytest.raises(Exception, match=r"readonly|read-only|unable to open"):
        async with log_at(tmp_path / "audit.db") as (log, _):
            await log.append(A, closed("0"))


async def test_a_chain_goes_on_where_it_ended(tmp_path: Path) -> None:
    for number in range(3):
        async with log_at(tmp_path / "audit.db") as (log, _):
            [stored] = await log.append(A, closed(str(number)))
            assert stored.row.seq == number
    reader = RecordReader(tmp_path / "audit.db")
    assert verify_session(A, reader.rows(A), Known()).status is Status.UNVERIFIABLE, "sound, not attested"
    reader.close()


async def test_time_in_the_record_never_runs_backwards(tmp_path: Path) -> None:
    clock = SetClock()
    async with log_at(tmp_path / "audit.db", clock) as (log, _):
        [first] = await log.append(A, closed("0"))
        clock.time -= 5000
        [second] = await log.append(A, closed("1"))
    assert second.row.ts == first.row.ts


async def test_what_is_not_canonical_leaves_no_gap_in_the_chain(tmp_path: Path) -> None:
    async with log_at(tmp_path / "audit.db") as (log, _):
        bad = LlmResponse(round=2**53, stop_reason="", input_tokens=0, output_tokens=0, latency_ms=0, error="")
        for wrong in (bad, SessionClosed(by="\ud800")):
            with pytest.raises(NotCanonical):
                await log.append(A, closed("0"), (Trust.GATEWAY, wrong))
        [stored] = await log.append(A, closed("0"))
        assert stored.row.seq == 0 and log.count() == 1


async def test_a_waiter_that_is_cancelled_does_not_take_back_its_row(tmp_path: Path) -> None:
    async with log_at(tmp_path / "audit.db") as (log, failures):
        with second_connection(tmp_path / "audit.db") as other:
            other.execute("BEGIN IMMEDIATE")
            waiting = asyncio.get_running_loop().create_task(log.append(A, closed("0")))
            await asyncio.sleep(0.05)
            waiting.cancel()
            other.execute("ROLLBACK")
            await log.flushed()
            assert count(other) == 1 and failures == []


async def test_sessions_with_work_left_are_marked_with_the_rows(tmp_path: Path) -> None:
    async with log_at(tmp_path / "audit.db") as (log, _):
        await log.begin(A, closed("0"), unfinished=True)
        await log.begin(B, closed("0"), unfinished=True)
        await log.begin(B, closed("1"), unfinished=False)
    async with log_at(tmp_path / "audit.db") as (log, _):
        assert log.unfinished() == [A]


async def test_what_one_step_begins_is_one_commit(tmp_path: Path) -> None:
    async with log_at(tmp_path / "audit.db") as (log, _):
        commits = _counting_commits(log)
        await asyncio.gather(log.begin(A, closed("0")), log.begin(B, closed("0")), log.begin(A, closed("1")))
        assert len(commits) == 1 and log.count() == 3


async def test_a_long_queue_is_committed_in_bounded_groups(tmp_path: Path) -> None:
    async with log_at(tmp_path / "audit.db") as (log, _):
        commits = _counting_commits(log)
        with second_connection(tmp_path / "audit.db") as other:
            other.execute("BEGIN IMMEDIATE")
            waiting = []
            for number in range(limits.COMMIT_GROUP * 2):
                waiting.append(log.begin(A, closed(str(number))))
                await asyncio.sleep(0)
            other.execute("ROLLBACK")
        await asyncio.gather(*waiting)
        assert len(commits) >= 2


CALL = CanonicalCall(
    tool="exec",
    arguments='{"command":"true"}',
    agent=AgentId("default"),
    session=A,
    principal=OWNER,
    channel=TERMINAL,
    place=Place("/w", "bubblewrap"),
)


def permitted() -> ToolPermitted:
    return ToolPermitted(
        call_id="c1",
        tool="exec",
        call=CALL.canonical().decode(),
        call_sha256=CALL.digest(),
        action_keys=("shell:true",),
        tier="tier2",
        rule="grant",
        by="",
    )


async def test_there_is_no_permit_before_its_row_is_on_disk(tmp_path: Path) -> None:
    async with log_at(tmp_path / "audit.db") as (log, _):
        await log.append(A, closed("0"))
        with second_connection(tmp_path / "audit.db") as other:
            other.execute("BEGIN IMMEDIATE")
            waiting = asyncio.get_running_loop().create_task(log.permit(permitted(), CALL))
            await asyncio.sleep(0.05)
            assert not waiting.done()
            other.execute("ROLLBACK")
            permit = await waiting
            [(payload,)] = other.execute("SELECT payload FROM session_events WHERE seq = ?", (permit.seq,))
        assert isinstance(payload, bytes)
        fact = decode(payload).fact
        assert isinstance(fact, ToolPermitted) and fact.call_sha256 == permit.call_sha256 == CALL.digest()
        assert (permit.session, permit.seq, permit.call) == (A, 1, CALL)


async def test_closing_writes_what_is_queued(tmp_path: Path) -> None:
    async with log_at(tmp_path / "audit.db") as (log, _):
        for number in range(100):
            log.begin(A, (Trust.GATEWAY, GatewayStopped(reason=str(number))))
    with second_connection(tmp_path / "audit.db") as other:
        assert count(other) == 100
