"""Read `audit.db` as it stands on disk, without any way to write it."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

import apsw

from wirken.domain.errors import Unavailable
from wirken.domain.ids import SessionId

_BUSY_MS: Final = 5000
_SELECT: Final = "SELECT id, session_id, seq, ts, trust, payload, leaf_hash, prev_hash, hash FROM session_events"

# The same, for a tampered file whose text is not UTF-8, which the driver refuses to hand out: text as bytes, and
# NULL for whatever has another type than its column.
_CAREFUL: Final = """
SELECT id,
    iif(typeof(session_id) = 'text', CAST(session_id AS BLOB), NULL),
    iif(typeof(seq) = 'integer', seq, NULL),
    iif(typeof(ts) = 'integer', ts, NULL),
    iif(typeof(trust) = 'text', CAST(trust AS BLOB), NULL),
    iif(typeof(payload) = 'blob', payload, NULL),
    iif(typeof(leaf_hash) = 'text', CAST(leaf_hash AS BLOB), NULL),
    iif(typeof(prev_hash) = 'text', CAST(prev_hash AS BLOB), NULL),
    iif(typeof(hash) = 'text', CAST(hash AS BLOB), NULL)
FROM session_events"""
_NO_TEXT: Final = "\ufffd"
"""Stands for a value that is no text: no session, trust or hash is called so."""


class NoRecord(Unavailable):
    """There is no record here, or it cannot be opened."""

    exit_code = 4
    hint = "A first message makes one: `wirken ask -m hello`."


class RecordDamaged(Unavailable):
    """The file is a database no more, or not one that SQLite can follow."""

    exit_code = 3
    hint = "Keep the file as it is: it is evidence. Look at the disk, and restore the record from a backup."


class StoredRow(NamedTuple):
    """A row as it is in the table; nothing in it was checked yet.

    A value of another type than its column's is -1, empty bytes or U+FFFD, none of which verifies.
    """

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
            self._db.pragma("temp_store", "memory")  # confined readers may write nowhere
            self._db.execute("SELECT 1 FROM session_events LIMIT 1").fetchall()
        except apsw.Error as error:
            raise NoRecord(f"The record at {path} cannot be read: {error}.") from error

    def close(self) -> None:
        self._db.close()

    def rows(self, session: str, first_seq: int = 0, limit: int = -1) -> Generator[StoredRow, None, None]:
        """Yield a session's rows in order of seq, then of id (a doubled seq is the verifier's finding).

        From the beginning these are all rows, also those whose seq is below 0 or no number. Raises `RecordDamaged`.
        """
        if first_seq > 0:
            where, values = " WHERE session_id = ? AND seq >= ?", (session, first_seq, limit)
            yield from self._query(where + " ORDER BY seq, id LIMIT ?", values)
        else:
            yield from self._query(" WHERE session_id = ? ORDER BY seq, id LIMIT ?", (session, limit))

    def newest(self, limit: int, session: str | None = None) -> list[StoredRow]:
        """Return the last `limit` rows of all sessions, or of one, oldest first."""
        if session is None:
            rows = self._query(" ORDER BY id DESC LIMIT ?", (limit,))
        else:
            rows = self._query(" WHERE session_id = ? ORDER BY id DESC LIMIT ?", (session, limit))
        return list(rows)[::-1]

    def since(self, ts: int) -> Iterator[StoredRow]:
        """Yield the rows of all sessions from the time `ts` (ms) on, in order of commitment. Raises `RecordDamaged`.

        Times do not decrease with the ids of one process, so the first such row is found by halving.
        """
        low, high = 1, _int(self._all("SELECT coalesce(max(id), 0) FROM session_events")[0][0]) + 1
        while low < high:
            middle = (low + high) // 2
            found = self._all("SELECT ts FROM session_events WHERE id >= ? ORDER BY id LIMIT 1", (middle,))
            if found and _int(found[0][0]) < ts:
                low = middle + 1
            else:
                high = middle
        yield from self._query(" WHERE id >= ? ORDER BY id", (low,))

    def sessions(self) -> list[SessionSummary]:
        """Return all sessions, the last active first."""
        found = self._all(
            "SELECT CAST(session_id AS BLOB), count(*), min(CAST(ts AS INTEGER)), max(CAST(ts AS INTEGER)),"
            ' max(id) AS last_id, sum(instr(CAST(payload AS TEXT), \'"kind":"session_closed"\') > 0)'
            " FROM session_events GROUP BY session_id ORDER BY last_id DESC"
        )
        return [
            SessionSummary(
                SessionId(_name(name)),
                _int(rows),
                _int(opened),
                _int(last),
                bool(closed),
                self._first_message(_name(name)),
            )
            for name, rows, opened, last, _, closed in found
        ]

    def count(self) -> int:
        """Return the number of rows."""
        return _int(self._all("SELECT count(*) FROM session_events")[0][0])

    def _first_message(self, session: str) -> bytes | None:
        found = self._all(
            "SELECT CAST(payload AS BLOB) FROM session_events WHERE session_id = ? AND seq < 16"
            ' AND instr(CAST(payload AS TEXT), \'"kind":"user_message"\') > 0 ORDER BY seq LIMIT 1',
            (session,),
        )
        return _bytes(found[0][0]) if found else None

    def _all(self, query: str, values: tuple[str | int, ...] = ()) -> list[tuple[object, ...]]:
        try:
            return list(self._db.execute(query, values))
        except apsw.Error as error:
            raise RecordDamaged(f"The record cannot be read: {error}.") from error

    def _query(self, which: str, values: tuple[str | int, ...]) -> Iterator[StoredRow]:
        given = 0
        try:
            for row in self._db.execute(_SELECT + which, values):
                given += 1
                yield _stored(row)
        except UnicodeDecodeError:
            careful = self._db.execute(_CAREFUL + which, values)
            yield from map(_stored_careful, islice(careful, given, None))
        except apsw.Error as error:
            raise RecordDamaged(f"The record cannot be read any further: {error}.") from error


_TYPES: Final = (int, str, int, int, str, bytes, str, str, str)
_READ_ONLY: Final = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI


def _stored(row: Sequence[object]) -> StoredRow:
    if tuple(map(type, row)) == _TYPES:  # every row that nobody has tampered with
        return StoredRow._make(row)
    number, name, seq, ts, trust, payload, leaf, prev, link = row
    return StoredRow(
        _int(number),
        _text(name),
        _int(seq),
        _int(ts),
        _text(trust),
        _bytes(payload),
        _text(leaf),
        _text(prev),
        _text(link),
    )


def _stored_careful(row: Sequence[object]) -> StoredRow:
    number, name, seq, ts, trust, payload, *hashes = row
    texts = [_name(value) if isinstance(value, bytes) else None for value in (name, trust, *hashes)]
    return _stored((number, texts[0], seq, ts, texts[1], payload, *texts[2:]))


# A tampered file may hold anything anywhere.


def _int(value: object) -> int:
    return value if isinstance(value, int) else -1


def _text(value: object) -> str:
    return value if isinstance(value, str) else _NO_TEXT


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else b""


def _name(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else _NO_TEXT


def _uri(path: Path) -> str:
    return str(path.absolute()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
