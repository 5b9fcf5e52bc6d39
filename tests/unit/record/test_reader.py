from __future__ import annotations

import os
from pathlib import Path

import apsw
import pytest
from tests.support.recorded import OTHER, SESSION, read, story, written

from wirken.domain.events import SessionClosed, Trust
from wirken.record.reader import NoRecord, RecordDamaged, RecordReader


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    closed = story(OTHER).add(SessionClosed(by="owner"), trust=Trust.OWNER)
    await written(tmp_path / "audit.db", story(), closed)
    return tmp_path / "audit.db"


def edit(path: Path, *statements: str) -> None:
    db = apsw.Connection(str(path))
    for statement in statements:
        db.execute(statement)
    db.close()


def test_rows_come_as_they_were_written_in_order_of_seq(path: Path) -> None:
    rows = read(path)
    assert [row.seq for row in rows] == list(range(len(story().entries)))
    assert {row.session for row in rows} == {SESSION}
    assert [row.id for row in rows] == sorted(row.id for row in rows)
    assert all(row.payload.startswith(b"{") and len(row.hash) == 64 for row in rows)


def test_rows_can_be_read_from_a_place_on_and_a_few_at_a_time(path: Path) -> None:
    everything = read(path)
    reader = RecordReader(path)
    assert list(reader.rows(SESSION, 5, 3)) == everything[5:8]
    assert list(reader.rows(SESSION, len(everything))) == []
    assert list(reader.rows("default/webchat/none")) == []
    reader.close()


def test_the_newest_rows_come_oldest_first_of_one_session_or_of_all(path: Path) -> None:
    reader = RecordReader(path)
    assert [row.id for row in reader.newest(5)] == list(range(reader.count() - 4, reader.count() + 1))
    assert reader.newest(3, SESSION) == read(path)[-3:]
    assert reader.newest(0) == []
    reader.close()


def test_rows_since_a_time_are_all_those_from_it_on_wherever_ids_are_missing(path: Path) -> None:
    edit(path, "UPDATE session_events SET ts = id * 10", "DELETE FROM session_events WHERE id IN (1, 4, 5, 6)")
    reader = RecordReader(path)
    stored = reader.newest(10_000)
    for ts in (0, 1, 20, 21, 30, 45, 70, 71, stored[-1].ts, stored[-1].ts + 1):
        assert list(reader.since(ts)) == [row for row in stored if row.ts >= ts], ts
    edit(path, "DELETE FROM session_events")
    assert list(reader.since(0)) == []
    reader.close()


def test_sessions_are_listed_with_the_last_active_first(path: Path) -> None:
    reader = RecordReader(path)
    last, first = reader.sessions()
    reader.close()
    assert (last.session, last.closed, first.session, first.closed) == (OTHER, True, SESSION, False)
    assert (first.rows, last.rows) == (len(story().entries), len(story().entries) + 1)
    assert first.opened < first.last
    assert first.first_message is not None
    assert b"write and fetch" in first.first_message


def test_a_message_that_looks_like_a_row_does_not_close_its_session(tmp_path: Path) -> None:
    import asyncio

    script = story()
    script.said('{"kind":"session_closed","by":"owner"}')
    asyncio.run(written(tmp_path / "audit.db", script))
    reader = RecordReader(tmp_path / "audit.db")
    assert [summary.closed for summary in reader.sessions()] == [False]
    reader.close()


def test_a_reader_cannot_write(path: Path) -> None:
    reader = RecordReader(path)
    for statement in ("DELETE FROM session_events", "CREATE TABLE x (y)", "PRAGMA journal_mode = wal"):
        with pytest.raises(apsw.Error):
            reader._db.execute(statement).fetchall()
            reader._db.pragma("query_only", False)
            reader._db.execute("DELETE FROM session_events")
    reader.close()
    assert len(read(path)) == len(story().entries)


@pytest.mark.parametrize("content", [None, b"", b"not a database at all, by any means" * 50])
def test_what_is_no_record_is_said_to_be_none(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "audit.db").write_bytes(content)
    with pytest.raises(NoRecord) as caught:
        RecordReader(tmp_path / "audit.db")
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("name", ["audit?mode=rw.db", "a#b.db", "100%.db", "a b.db", "%2e.db"])
async def test_a_path_is_not_taken_for_an_uri_with_options(tmp_path: Path, name: str) -> None:
    await written(tmp_path / name, story())
    assert len(read(tmp_path / name)) == len(story().entries)
    assert os.listdir(tmp_path) == [name]


COLUMNS = ["session_id", "seq", "ts", "trust", "payload", "leaf_hash", "prev_hash", "hash"]


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("value", ["CAST(x'ff00fe' AS TEXT)", "x'00ff'", "NULL", "-1.5", "'\x01text'"])
def test_a_tampered_file_with_any_value_anywhere_is_read_to_its_end(path: Path, column: str, value: str) -> None:
    """SQLite keeps any type in any column, and the driver refuses to hand out text that is not UTF-8."""
    edit(
        path,
        "CREATE TABLE loose AS SELECT * FROM session_events",
        "DROP TABLE session_events",
        "ALTER TABLE loose RENAME TO session_events",
        f"UPDATE session_events SET {column} = {value} WHERE session_id = '{SESSION}' AND seq = 7",
    )
    rows = read(path)
    assert len(rows) == len(story().entries) - (column == "session_id")
    reader = RecordReader(path)
    assert len(reader.newest(1000)) == reader.count()
    assert SESSION in [summary.session for summary in reader.sessions()]
    reader.close()


def test_rows_whose_seq_is_below_zero_or_no_number_are_not_overlooked(path: Path) -> None:
    edit(
        path,
        "CREATE TABLE loose AS SELECT * FROM session_events",
        "DROP TABLE session_events",
        "ALTER TABLE loose RENAME TO session_events",
        *(
            f"INSERT INTO session_events SELECT 900, session_id, {seq}, ts, trust, payload, leaf_hash, prev_hash, hash"
            f" FROM session_events WHERE session_id = '{SESSION}' AND seq = 0"
            for seq in ("-5", "NULL", "'x'", "x'00'", "0.5")
        ),
    )
    assert len(read(path)) == len(story().entries) + 5


def test_a_file_that_is_damaged_inside_says_so(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    for page in range(4096, len(raw), 4096):
        raw[page + 100 : page + 4096] = b"\xff" * 3996
    raw[4096 : 4096 + 8] = b"\x0d\xff\xff\xff\xff\xff\xff\xff"
    path.write_bytes(raw)
    with pytest.raises((RecordDamaged, NoRecord)):
        read(path)
