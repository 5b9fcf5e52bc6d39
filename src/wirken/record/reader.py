"""Read `audit.db` as it stands on disk, without any way to write it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import apsw

from wirken.domain.errors import Unavailable
from wirken.domain.ids import SessionId

_BUSY_MS: Final = 5000
_SELECT: Final = "SELECT id, session_id, seq, ts, trust, payload, leaf_hash, prev_hash, hash FROM session_events"


class NoRecord(Unavailable):
    """There is no record here, or it cannot be opened."""

    exit_code = 4
    hint = "A first message makes one: `wirken ask -m hello`."


@dataclass(frozen=True, slots=True)
class StoredRow:
    """A row as it is in the table; nothing in it was checked yet."""

    id: int
    session: str
    seq: int
    ts: int
    trust: str
    payload: bytes
    leaf_hash: str
    prev_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """For listing; `title` is the payload of the first user message, if there is one."""

    session: SessionId
    rows: int
    opened: int
    last: int
    closed: bool
    first_message: bytes | None


class RecordReader:
    """A read-only connection. Raises `NoRecord` where the file is missing or no database."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise NoRecord(f"There is no record at {path}.")
        try:
            self._db = apsw.Connection(f"file:{_uri(path)}?mode=ro", flags=_READ_ONLY)
            self._db.set_busy_timeout(_BUSY_MS)
            self._db.pragma("query_only", True)
            self._db.execute("SELECT 1 FROM session_events LIMIT 1").fetchall()
        except apsw.Error as error:
            raise NoRecord(f"The record at {path} cannot be read: {error}.") from error

    def close(self) -> None:
        self._db.close()

    def rows(self, session: str, first_seq: int = 0, limit: int = -1) -> Iterator[StoredRow]:
        """Yield a session's rows in order of seq, then of id (a doubled seq is the verifier's finding)."""
        yield from self._query(
            _SELECT + " WHERE session_id = ? AND seq >= ? ORDER BY seq, id LIMIT ?",
            (session, first_seq, limit),
        )

    def newest(self, limit: int, session: str | None = None) -> list[StoredRow]:
        """Return the last `limit` rows of all sessions, or of one, oldest first."""
        if session is None:
            rows = self._query(_SELECT + " ORDER BY id DESC LIMIT ?", (limit,))
        else:
            rows = self._query(_SELECT + " WHERE session_id = ? ORDER BY id DESC LIMIT ?", (session, limit))
        return list(rows)[::-1]

    def sessions(self) -> list[SessionSummary]:
        """Return all sessions, the last active first."""
        found = self._db.execute(
            "SELECT session_id, count(*), min(ts), max(ts), max(id) AS last_id,"
            ' sum(instr(CAST(payload AS TEXT), \'"kind":"session_closed"\') > 0)'
            " FROM session_events GROUP BY session_id ORDER BY last_id DESC"
        ).fetchall()
        return [
            SessionSummary(
                SessionId(str(name)),
                _int(rows),
                _int(opened),
                _int(last),
                bool(closed),
                self._first_message(str(name)),
            )
            for name, rows, opened, last, _, closed in found
        ]

    def count(self) -> int:
        """Return the number of rows."""
        return int(next(iter(self._db.execute("SELECT count(*) FROM session_events")))[0])

    def _first_message(self, session: str) -> bytes | None:
        found = self._db.execute(
            "SELECT payload FROM session_events WHERE session_id = ? AND seq < 16"
            ' AND instr(CAST(payload AS TEXT), \'"kind":"user_message"\') > 0 ORDER BY seq LIMIT 1',
            (session,),
        ).fetchone()
        return None if found is None else _bytes(found[0])

    def _query(self, query: str, values: tuple[str | int | None, ...]) -> Iterator[StoredRow]:
        for row in self._db.execute(query, values):
            number, name, seq, ts, trust, payload, leaf, prev, link = row
            yield StoredRow(
                _int(number),
                str(name),
                _int(seq),
                _int(ts),
                str(trust),
                _bytes(payload),
                str(leaf),
                str(prev),
                str(link),
            )


_READ_ONLY: Final = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI


def _int(value: object) -> int:
    """A tampered file may hold text where a number belongs; no row has -1."""
    return value if isinstance(value, int) else -1


def _bytes(value: object) -> bytes:
    """Payloads are stored as blobs; a tampered file may hold anything."""
    if isinstance(value, bytes):
        return value
    return str(value).encode("utf-8", "surrogatepass")


def _uri(path: Path) -> str:
    return str(path.absolute()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
