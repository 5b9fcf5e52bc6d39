"""`vault.db`: rows in and out, each change durable when the method returns. Knows no key."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import apsw
import msgspec

from wirken.domain.errors import Unavailable

VERSION: Final = 1
"""`PRAGMA user_version` of the tables below."""

_PRAGMAS: Final = (
    # Exclusive before the first access keeps the WAL index in our memory: no other process can open the file.
    "PRAGMA locking_mode = EXCLUSIVE",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA secure_delete = ON",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -256",
    "PRAGMA wal_autocheckpoint = 256",
    "PRAGMA trusted_schema = OFF",
)

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS entries (
    name TEXT PRIMARY KEY, sealed BLOB NOT NULL, created INTEGER NOT NULL, rotated INTEGER NOT NULL,
    expires INTEGER NOT NULL, last_used INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS keys (
    kind TEXT NOT NULL, name TEXT NOT NULL, public BLOB NOT NULL, sealed BLOB NOT NULL,
    PRIMARY KEY (kind, name)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS heads (
    session TEXT PRIMARY KEY, agent TEXT NOT NULL, seq INTEGER NOT NULL, head TEXT NOT NULL,
    signature BLOB NOT NULL) STRICT, WITHOUT ROWID;
"""


class StoreFailed(Unavailable):
    """`vault.db` cannot be read or written."""

    hint = "Check free space and the owner of the vault directory; `wirken logs` has the reason."


class Entry(msgspec.Struct, frozen=True):
    """A stored credential; times in ms since the epoch, 0 where there is none."""

    name: str
    sealed: bytes
    created: int
    rotated: int
    expires: int
    last_used: int


class KeyPair(msgspec.Struct, frozen=True):
    """An Ed25519 pair: 32-byte public key in clear, seed sealed with the public key bound to it."""

    kind: str
    name: str
    public: bytes
    sealed: bytes


class Head(msgspec.Struct, frozen=True):
    """The last head signed for a session."""

    session: str
    agent: str
    seq: int
    head: str
    signature: bytes


class Store:
    """The only user of `vault.db`."""

    def __init__(self, path: Path) -> None:
        """Open or create; the caller's umask keeps new files 0600. Raises `StoreFailed`."""
        with _reported():
            self._db = apsw.Connection(str(path))
            for pragma in _PRAGMAS:
                self._db.execute(pragma)
            version = self._one("PRAGMA user_version", ())
            if version is not None and version[0] not in (0, VERSION):
                raise StoreFailed("vault.db was written by a newer Wirken.", hint="Start the newer version.")
            with self._db:
                self._db.execute(_TABLES)
                self._db.execute(f"PRAGMA user_version = {VERSION}")
        for file in (path, path.with_name(path.name + "-wal")):
            if file.exists():
                file.chmod(0o600)

    def close(self) -> None:
        """Fold the write-ahead log into the file and close."""
        with _reported():
            self._db.close()

    # --- meta -----------------------------------------------------------------------------------------

    def meta(self, name: str) -> bytes | None:
        """Return a single value of the vault itself."""
        row = self._one("SELECT value FROM meta WHERE name = ?", (name,))
        return None if row is None else _bytes(row[0])

    def put_meta(self, name: str, value: bytes) -> None:
        self._change("INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", (name, value))

    # --- credentials ----------------------------------------------------------------------------------

    def entry(self, name: str) -> Entry | None:
        rows = self._entries("SELECT * FROM entries WHERE name = ?", (name,))
        return rows[0] if rows else None

    def entries(self) -> list[Entry]:
        """Return all credentials, by name."""
        return self._entries("SELECT * FROM entries ORDER BY name", ())

    def count_entries(self) -> int:
        row = self._one("SELECT count(*) FROM entries", ())
        return 0 if row is None else _int(row[0])

    def put_entry(self, entry: Entry) -> None:
        """Insert, or replace the one of the same name."""
        self._change(
            "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?, ?)",
            (entry.name, entry.sealed, entry.created, entry.rotated, entry.expires, entry.last_used),
        )

    def used(self, name: str, when: int) -> None:
        """Note the last use, in ms since the epoch."""
        self._change("UPDATE entries SET last_used = ? WHERE name = ?", (when, name))

    def remove_entry(self, name: str) -> None:
        """Delete, overwriting the row's bytes in the file with zeros."""
        self._change("DELETE FROM entries WHERE name = ?", (name,))

    # --- keys and heads -------------------------------------------------------------------------------

    def key(self, kind: str, name: str) -> KeyPair | None:
        row = self._one("SELECT public, sealed FROM keys WHERE kind = ? AND name = ?", (kind, name))
        return None if row is None else KeyPair(kind, name, _bytes(row[0]), _bytes(row[1]))

    def add_key(self, pair: KeyPair) -> None:
        self._change("INSERT INTO keys VALUES (?, ?, ?, ?)", (pair.kind, pair.name, pair.public, pair.sealed))

    def head(self, session: str) -> Head | None:
        row = self._one("SELECT agent, seq, head, signature FROM heads WHERE session = ?", (session,))
        if row is None:
            return None
        return Head(session, _text(row[0]), _int(row[1]), _text(row[2]), _bytes(row[3]))

    def put_head(self, head: Head) -> None:
        """Keep the newest head of its session. The caller has checked that it moves forward."""
        self._change(
            "INSERT INTO heads VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " agent = excluded.agent, seq = excluded.seq, head = excluded.head,"
            " signature = excluded.signature",
            (head.session, head.agent, head.seq, head.head, head.signature),
        )

    # --- one place for SQL ----------------------------------------------------------------------------

    def _change(self, sql: str, values: tuple[apsw.SQLiteValue, ...]) -> None:
        """One statement is one transaction, on disk when this returns (synchronous = FULL)."""
        with _reported():
            self._db.execute(sql, values)

    def _one(self, sql: str, values: tuple[apsw.SQLiteValue, ...]) -> tuple[apsw.SQLiteValue, ...] | None:
        with _reported():
            return self._db.execute(sql, values).fetchone()

    def _entries(self, sql: str, values: tuple[apsw.SQLiteValue, ...]) -> list[Entry]:
        with _reported():
            rows = self._db.execute(sql, values).fetchall()
        return [Entry(_text(r[0]), _bytes(r[1]), _int(r[2]), _int(r[3]), _int(r[4]), _int(r[5])) for r in rows]


@contextlib.contextmanager
def _reported() -> Iterator[None]:
    try:
        yield
    except apsw.BusyError as error:
        raise StoreFailed("Another process holds vault.db.", hint="Stop the other Wirken first.") from error
    except apsw.Error as error:
        raise StoreFailed(f"vault.db failed: {type(error).__name__}.") from error


def _text(value: apsw.SQLiteValue) -> str:
    if not isinstance(value, str):
        raise StoreFailed("vault.db holds a column of a wrong type.")
    return value


def _bytes(value: apsw.SQLiteValue) -> bytes:
    if not isinstance(value, bytes):
        raise StoreFailed("vault.db holds a column of a wrong type.")
    return value


def _int(value: apsw.SQLiteValue) -> int:
    if not isinstance(value, int):
        raise StoreFailed("vault.db holds a column of a wrong type.")
    return value
