"""The only writer of the record, and the only maker of permits.

Rows are chained in the order of `append` and committed in groups by one thread; `append` returns when its rows
are on disk. A commit that fails ends the log: nothing is recorded any more, so nothing is done any more.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import apsw

from wirken.domain import limits
from wirken.domain.actions import CanonicalCall
from wirken.domain.clock import Clock
from wirken.domain.errors import WirkenError
from wirken.domain.events import Fact, ToolPermitted, Trust, UserMessageFact
from wirken.domain.ids import CallId, SessionId
from wirken.domain.inbox import keepings
from wirken.gateway import past
from wirken.record.canonical import Row, decode, encode
from wirken.record.chain import Head
from wirken.record.permit import FilePermit, Permit

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS session_events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    ts INTEGER NOT NULL,
    trust TEXT NOT NULL,
    payload BLOB NOT NULL,
    leaf_hash TEXT NOT NULL,
    prev_hash TEXT NOT NULL,
    hash TEXT NOT NULL,
    UNIQUE (session_id, seq)
);
-- Not part of the record: which sessions to look at after a crash. Written with the rows, in one transaction.
CREATE TABLE IF NOT EXISTS unfinished (session_id TEXT PRIMARY KEY);
"""
_INSERT: Final = (
    "INSERT INTO session_events (session_id, seq, ts, trust, payload, leaf_hash, prev_hash, hash)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)

_MARK: Final = "INSERT OR IGNORE INTO unfinished VALUES (?)"
_UNMARK: Final = "DELETE FROM unfinished WHERE session_id = ?"


class RecordFailed(WirkenError):
    """The record could not be written; Wirken stops acting until it can."""

    exit_code = 74  # EX_IOERR
    hint = "Look at the disk (space, permissions, health), then restart `wirken run`."


@dataclass(frozen=True, slots=True)
class Stored:
    """A row that is on disk."""

    row: Row
    payload: bytes
    leaf_hash: str
    prev_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class _Group:
    """The rows of one `append`: committed together or not at all."""

    session: SessionId
    rows: list[Stored]
    unfinished: bool | None
    done: asyncio.Future[list[Stored]]


class AuditLog:
    """Appends to `audit.db` at `path`. Use it from one event loop only."""

    def __init__(self, path: Path, clock: Clock, on_failure: Callable[[], None]) -> None:
        self._clock = clock
        self._on_failure = on_failure
        self._writer = _open(path)
        self._reader = _open(path)
        self._heads: dict[SessionId, Head] = {}
        self._last_ts = 0
        self._failed = False
        self._last: asyncio.Future[list[Stored]] | None = None
        self._begun: list[_Group] = []
        self._groups: queue.SimpleQueue[list[_Group] | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._write, name="record", daemon=True)
        self.observers: Final[list[Callable[[Stored], None]]] = []
        """Called in the loop for each committed row, in order."""

    def start(self) -> None:
        """Start the writing thread."""
        self._thread.start()

    def close(self) -> None:
        """Write what is queued, then close. Blocks for the last commit."""
        self._hand_over()
        self._groups.put(None)
        self._thread.join()
        self._writer.close()
        self._reader.close()

    @property
    def latest(self) -> int:
        """The time (ms) of the row that was chained last."""
        return self._last_ts

    def head(self, session: SessionId) -> Head:
        """Return where the session's chain ends, rows on their way to disk included."""
        head = self._heads.get(session)
        if head is None:
            found = self._reader.execute(
                "SELECT seq, hash FROM session_events WHERE session_id = ? ORDER BY seq DESC LIMIT 1",
                (session,),
            ).fetchone()
            head = Head() if found is None else Head(int(found[0]), str(found[1]))
            self._heads[session] = head
        return head

    async def append(self, session: SessionId, *entries: tuple[Trust, Fact]) -> list[Stored]:
        """Chain the facts onto the session and return them once they are durable, all or none.

        Raises `RecordFailed`, `NotCanonical`.
        """
        return await asyncio.shield(self.begin(session, *entries))

    def begin(
        self, session: SessionId, *entries: tuple[Trust, Fact], unfinished: bool | None = None
    ) -> asyncio.Future[list[Stored]]:
        """Chain the facts now, in the order of calls; the future is done once they are durable.

        `unfinished` notes with them whether the session has work left that a restart must take up.
        """
        if self._failed:
            raise RecordFailed("The record cannot be written, so nothing is done.")
        rows, head = self._chained(session, entries)
        self._heads[session] = head
        done: asyncio.Future[list[Stored]] = self._loop.create_future()
        if not self._begun:
            self._loop.call_soon(self._hand_over)  # so that what one step begins is one commit
        self._begun.append(_Group(session, rows, unfinished, done))
        self._last = done
        return done

    async def flushed(self) -> None:
        """Return once every row appended so far is on disk. Raises `RecordFailed`."""
        if self._last is not None:
            await asyncio.shield(self._last)

    def unfinished(self) -> list[SessionId]:
        """Return the sessions that had work left when the gateway last ended."""
        return [SessionId(str(name)) for (name,) in self._reader.execute("SELECT session_id FROM unfinished")]

    def count(self) -> int:
        """Return the number of rows on disk."""
        found = self._reader.execute("SELECT coalesce(max(id), 0) FROM session_events").fetchone()
        return 0 if found is None else int(found[0])

    def rows(self, session: SessionId) -> Iterator[bytes]:
        """Yield the payloads of a session that are on disk, in order of seq. Raises `RecordTampered`."""
        return past.payloads(self._reader, session)

    def links(self, session: SessionId, since: int) -> list[past.LinkHashes]:
        """Return the hashes of a session's rows on disk, from row `since` on."""
        return past.links(self._reader, session, since)

    async def permit(self, fact: ToolPermitted, call: CanonicalCall) -> Permit:
        """Record that `call` may run and, once that is on disk, return the permit to run it."""
        stored = await self.append(call.session, (Trust.GATEWAY, fact))
        return Permit(call.session, stored[-1].row.seq, CallId(fact.call_id), call, fact.call_sha256)

    async def file_permits(self, session: SessionId, seq: int, workspace: str) -> tuple[FilePermit, ...]:
        """Return the permits to write what the message at row `seq` brought, as that row says on disk."""
        await self.flushed()
        fact = decode(past.payload(self._reader, session, seq)).fact
        files = fact.files if isinstance(fact, UserMessageFact) else ()
        return tuple(FilePermit(seq, keeping) for keeping in keepings(session, workspace, files))

    def _chained(self, session: SessionId, entries: tuple[tuple[Trust, Fact], ...]) -> tuple[list[Stored], Head]:
        head = self.head(session)
        self._last_ts = max(self._last_ts, self._clock.now())
        rows = []
        for trust, fact in entries:
            row = Row(session, head.seq + 1, self._last_ts, trust, fact)
            payload = encode(row)
            before = head.hash
            head, leaf = head.extended(payload)
            rows.append(Stored(row, payload, leaf, before, head.hash))
        return rows, head

    def _hand_over(self) -> None:
        groups, self._begun = self._begun, []
        if self._failed:
            _refuse(groups, "an earlier row could not be written")
        elif groups:
            self._groups.put(groups)

    # --- the writing thread ---------------------------------------------------------------------------

    def _write(self) -> None:
        while True:
            groups, last = self._next_groups()
            if groups:
                error = self._commit(groups)
                self._loop.call_soon_threadsafe(self._committed, groups, error)
                if error is not None:
                    return
            if last:
                return

    def _next_groups(self) -> tuple[list[_Group], bool]:
        """Wait for work and take all that is there, up to `limits.COMMIT_GROUP` rows."""
        groups: list[_Group] = []
        rows = 0
        begun = self._groups.get()
        while begun is not None:
            groups += begun
            rows += sum(len(group.rows) for group in begun)
            if rows >= limits.COMMIT_GROUP:
                return groups, False
            try:
                begun = self._groups.get_nowait()
            except queue.Empty:
                return groups, False
        return groups, True

    def _commit(self, groups: list[_Group]) -> apsw.Error | None:
        values = [
            (
                stored.row.session,
                stored.row.seq,
                stored.row.ts,
                stored.row.trust.value,
                stored.payload,
                stored.leaf_hash,
                stored.prev_hash,
                stored.hash,
            )
            for group in groups
            for stored in group.rows
        ]
        try:
            with self._writer:
                self._writer.executemany(_INSERT, values)
                for group in groups:
                    if group.unfinished is not None:
                        self._writer.execute(_MARK if group.unfinished else _UNMARK, (group.session,))
        except apsw.Error as error:
            return error
        return None

    def _committed(self, groups: list[_Group], error: apsw.Error | None) -> None:
        if error is not None:
            self._fail(groups, error)
            return
        for group in groups:
            for stored in group.rows:
                for observer in self.observers:
                    self._loop.call_soon(observer, stored)  # before whoever waits, and on its own where it fails
            if not group.done.cancelled():
                group.done.set_result(group.rows)

    def _fail(self, groups: list[_Group], error: apsw.Error) -> None:
        self._failed = True
        waiting = list(groups)
        while not self._groups.empty():
            waiting += self._groups.get_nowait() or []
        _refuse(waiting, str(error))
        self._on_failure()


def _refuse(groups: list[_Group], why: str) -> None:
    for group in groups:
        if not group.done.cancelled():
            group.done.set_exception(RecordFailed(f"The record could not be written: {why}."))
            group.done.exception()  # seen, even where nobody waits


def _open(path: Path) -> apsw.Connection:
    db = apsw.Connection(str(path))
    db.set_busy_timeout(5000)
    db.pragma("journal_mode", "wal")
    db.pragma("synchronous", "full")
    db.pragma("temp_store", "memory")  # the process may write nowhere but beside its databases
    db.execute(_SCHEMA)
    return db
