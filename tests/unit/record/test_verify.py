"""Every way to tamper with a record that we could think of, tried on a real one."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.recorded import (
    AGENT,
    OTHER,
    SESSION,
    STRANGER,
    TO_SIGN,
    Entry,
    Key,
    chained,
    last_signed,
    read,
    relinked,
    story,
    verified,
    written,
)

from wirken.domain.events import Attestation, Fact, GatewayStopped, PermissionApproved, ToolPermitted, Trust, TurnEnded
from wirken.record.canonical import Row, decode, encode
from wirken.record.reader import StoredRow
from wirken.record.verify import Finding, Known, Report, Status, verify_session

Raw = tuple[object, ...]
COLUMNS = ("id", "session_id", "seq", "ts", "trust", "payload", "leaf_hash", "prev_hash", "hash")
SEQ = COLUMNS.index("seq")


class Original:
    """A record that the real log wrote: two sessions of three turns each, their rows interleaved."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "audit.db"
        asyncio.run(written(self.path, story(SESSION), story(OTHER)))
        db = sqlite3.connect(self.path)
        self.table: list[Raw] = db.execute(f"SELECT {', '.join(COLUMNS)} FROM session_events ORDER BY id").fetchall()
        db.close()
        self.rows = read(self.path)
        self.known = last_signed(self.rows)
        self.last = len(self.rows) - 1

    def place(self, seq: int) -> int:
        """Where the session's row `seq` stands in the table."""
        return next(n for n, raw in enumerate(self.table) if raw[1] == SESSION and raw[SEQ] == seq)

    def tampered(self, table: Sequence[Raw], known: Known | None = None, session: str = SESSION) -> Report:
        """Verify a session of a file whose table holds these values, of whatever types."""
        with TemporaryDirectory() as folder:
            path = Path(folder) / "audit.db"
            db = sqlite3.connect(path)
            db.execute(f"CREATE TABLE session_events ({', '.join(COLUMNS)})")
            db.executemany(f"INSERT INTO session_events VALUES ({', '.join('?' * len(COLUMNS))})", table)
            db.commit()
            db.close()
            return verified(path, known or self.known, session)  # type: ignore[arg-type]  # a session's id

    def with_value(self, seq: int, column: str, value: object) -> list[Raw]:
        table = list(self.table)
        raw = list(table[self.place(seq)])
        raw[COLUMNS.index(column)] = value
        table[self.place(seq)] = tuple(raw)
        return table


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Original:
    return Original(tmp_path_factory.mktemp("record"))


def first(report: Report) -> Finding:
    return report.findings[0]


def test_what_the_log_wrote_verifies(original: Original) -> None:
    for session in (SESSION, OTHER):
        report = verified(original.path, last_signed(read(original.path, session)), session)
        assert (report.status, report.findings) == (Status.VERIFIED, [])
        assert (report.rows, report.attestations, report.requests, report.tool_calls) == (len(original.rows), 3, 5, 5)
    assert original.tampered(original.table).status is Status.VERIFIED


# --- edits without knowledge of the hashes ------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_change_of_any_byte_of_any_payload_is_found_and_the_row_named(
    original: Original, data: st.DataObject
) -> None:
    seq = data.draw(st.integers(0, original.last))
    payload = bytearray(original.rows[seq].payload)
    payload[data.draw(st.integers(0, len(payload) - 1))] ^= data.draw(st.integers(1, 255))
    report = original.tampered(original.with_value(seq, "payload", bytes(payload)))
    assert report.status is Status.BROKEN
    assert first(report) == Finding(
        Status.BROKEN, seq, f"row {seq} was changed: its payload does not have its leaf hash"
    )
    assert report.rows == seq


VALUES: list[object] = [None, "", b"", 0, -1, 10**9, 1.5, "x", b"\xff\xfe", "0" * 64, "é", SESSION, "owner"]


@pytest.mark.parametrize("column", COLUMNS[1:])
@pytest.mark.parametrize("seq", [0, 1, 7, -2, -1])
def test_a_change_of_any_column_to_any_value_is_found_at_that_row_or_the_next(
    original: Original, column: str, seq: int
) -> None:
    seq %= len(original.rows)
    for value in VALUES:
        table = original.with_value(seq, column, value)
        if table == original.table:
            continue
        report = original.tampered(table)
        assert report.status in (Status.BROKEN, Status.DIVERGENCE), (column, value)
        assert first(report).seq in (seq - 1, seq, seq + 1, -1, value), (column, value)
        if column != "seq":  # there the message says where the order breaks
            assert str(seq) in str(first(report)) or str(seq - 1) in str(first(report)), (column, value)


@pytest.mark.parametrize("column", ["session_id", "trust", "leaf_hash", "prev_hash", "hash"])
def test_text_that_became_a_blob_of_the_same_bytes_is_found(original: Original, column: str) -> None:
    for seq in (1, 7):
        value = original.table[original.place(seq)][COLUMNS.index(column)]
        report = original.tampered(original.with_value(seq, column, str(value).encode()))
        assert report.status is Status.BROKEN
        assert f"row {seq}" in str(first(report))


def test_a_payload_that_became_text_of_the_same_bytes_is_found(original: Original) -> None:
    for seq in range(original.last + 1):
        report = original.tampered(original.with_value(seq, "payload", original.rows[seq].payload.decode()))
        assert (report.status, first(report).seq) == (Status.BROKEN, seq)


def test_a_blob_instead_of_a_payload_s_text_cannot_be_hashed_into_place_either(original: Original) -> None:
    """The forger hashes what a reader makes of a payload that is no blob: nothing."""
    rows = relinked([row._replace(payload=b"" if row.seq == 3 else row.payload) for row in original.rows])
    report = verify_session(SESSION, rows, original.known)
    assert report.status is Status.DIVERGENCE
    assert first(report).seq == 3


def test_nulls_everywhere_are_found(original: Original) -> None:
    for seq in range(original.last + 1):
        table = list(original.table)
        table[original.place(seq)] = (table[original.place(seq)][0], SESSION, *[None] * 7)
        assert original.tampered(table).status is Status.BROKEN


def test_text_that_is_not_utf_8_is_found_and_the_row_named(original: Original) -> None:
    for column in COLUMNS[3:]:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "audit.db"
            path.write_bytes(original.path.read_bytes())
            db = sqlite3.connect(path)
            where = f"session_id = '{SESSION}' AND seq = 7"
            db.execute(f"UPDATE session_events SET {column} = CAST(x'ff00fe' AS TEXT) WHERE {where}")
            db.commit()
            db.close()
            report = verified(path, original.known)
        assert (report.status, first(report).seq) == (Status.BROKEN, 7), column


def test_any_row_deleted_is_found_at_the_row_that_follows(original: Original) -> None:
    for seq in range(original.last):
        table = list(original.table)
        del table[original.place(seq)]
        report = original.tampered(table)
        assert first(report) == Finding(
            Status.BROKEN, seq + 1, f"row {seq} is missing or out of order: row {seq + 1} stands in its place"
        )


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_rows_deleted_are_found_at_the_first_gap(original: Original, data: st.DataObject) -> None:
    gone = data.draw(st.sets(st.integers(0, original.last), min_size=1))
    table = [raw for raw in original.table if raw[1] != SESSION or raw[SEQ] not in gone]
    report = original.tampered(table)
    assert report.status in (Status.BROKEN, Status.DIVERGENCE)
    if max(gone) < original.last or min(gone) < original.last - 1:
        assert report.rows <= min(gone) or report.status is Status.DIVERGENCE


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_row_inserted_anywhere_under_any_number_is_found(original: Original, data: st.DataObject) -> None:
    copied = data.draw(st.integers(0, original.last))
    seq = data.draw(st.sampled_from([None, -5, -1, 0.5, "7", b"7", *range(original.last + 3)]))
    raw = list(original.table[original.place(copied)])
    raw[0], raw[SEQ] = len(original.table) + 1, seq
    report = original.tampered([*original.table, tuple(raw)])
    assert report.status is Status.BROKEN


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_two_rows_that_trade_places_are_found(original: Original, data: st.DataObject) -> None:
    one = data.draw(st.integers(0, original.last - 1))
    other = data.draw(st.integers(one + 1, original.last))
    numbers = {one: other, other: one}
    renumbered = [
        (*raw[:SEQ], numbers.get(raw[SEQ], raw[SEQ]), *raw[SEQ + 1 :]) if raw[1] == SESSION else raw  # type: ignore[call-overload]  # an int
        for raw in original.table
    ]
    report = original.tampered(renumbered)
    assert (report.status, report.rows) == (Status.BROKEN, one)
    contents = list(original.table)
    a, b = original.place(one), original.place(other)
    contents[a] = (*contents[a][:5], *original.table[b][5:])
    contents[b] = (*contents[b][:5], *original.table[a][5:])
    report = original.tampered(contents)
    assert (report.status, report.rows) == (Status.BROKEN, one)


def test_rows_that_trade_their_places_in_the_whole_record_are_found(original: Original) -> None:
    """`id` stands under no hash; within a session it must follow the order of rows."""
    for seq in range(original.last):
        ids = {original.place(seq): original.table[original.place(seq + 1)][0]}
        ids[original.place(seq + 1)] = original.table[original.place(seq)][0]
        table = [(ids.get(n, raw[0]), *raw[1:]) for n, raw in enumerate(original.table)]
        report = original.tampered(table)
        assert (report.status, first(report).seq) == (Status.BROKEN, seq + 1)


def test_what_an_id_does_not_prove_is_the_order_between_sessions(original: Original) -> None:
    """Not found: ids that keep each session's own order. The witnessed log over all sessions will bind them."""
    table = [(10 * int(str(raw[0])), *raw[1:]) for raw in original.table]
    assert original.tampered(table).status is Status.VERIFIED


def test_rows_or_whole_sessions_swapped_between_sessions_are_found(original: Original) -> None:
    names = {SESSION: OTHER, OTHER: SESSION}
    swapped = [(raw[0], names[raw[1]], *raw[2:]) for raw in original.table]  # type: ignore[index]  # a session's id
    for session in (SESSION, OTHER):
        report = original.tampered(swapped, Known(AGENT.public), session)
        assert first(report) == Finding(Status.BROKEN, 0, "row 0: its columns disagree with its payload")
    for seq in (0, 5, original.last):
        table = list(original.table)
        n = original.place(seq)
        twin = next(m for m, raw in enumerate(table) if raw[1] == OTHER and raw[SEQ] == seq)
        table[n], table[twin] = (table[n][0], OTHER, *table[n][2:]), (table[twin][0], SESSION, *table[twin][2:])
        report = original.tampered(table)
        assert (report.status, first(report).seq) == (Status.BROKEN, seq)


# --- the end of the record ----------------------------------------------------------------------------


def turn_ends(rows: Sequence[StoredRow]) -> list[int]:
    return [row.seq for row in rows if isinstance(decode(row.payload).fact, TurnEnded)]


def test_a_tail_cut_off_behind_any_row_is_found_by_the_head_that_the_vault_signed(original: Original) -> None:
    for kept in range(original.last):
        report = verify_session(SESSION, original.rows[:kept], original.known)
        assert report.status is Status.DIVERGENCE
        assert "rows are missing at the end" in str(report.findings[-1]) or kept == original.last


def test_without_the_vault_a_tail_is_missed_only_where_it_ends_with_an_attestation(original: Original) -> None:
    for kept in range(1, original.last + 1):
        report = verify_session(SESSION, original.rows[:kept], Known(AGENT.public))
        missed = report.status is Status.VERIFIED
        assert missed == (b'"kind":"attestation"' in original.rows[kept - 1].payload), kept


def test_a_session_that_was_deleted_as_a_whole_is_found_by_the_head_that_the_vault_signed(original: Original) -> None:
    assert verify_session(SESSION, [], Known(AGENT.public)).status is Status.EMPTY
    assert verify_session(SESSION, [], original.known).status is Status.DIVERGENCE


def test_a_head_of_the_vault_that_is_another_rows_is_found(original: Original) -> None:
    other = replace(original.known, head_hash="0" * 64)
    report = verify_session(SESSION, original.rows, other)
    assert first(report) == Finding(
        Status.DIVERGENCE, other.head_seq, "this row is not the one whose head the vault signed"
    )


def test_a_vault_that_signed_nothing_or_cannot_be_asked_adds_nothing(original: Original) -> None:
    for known in (Known(AGENT.public, True, -1, ""), Known(AGENT.public, False, 0, "x")):
        assert verify_session(SESSION, original.rows, known).status is Status.VERIFIED


# --- edits by someone who can compute every hash ------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_row_changed_and_the_chain_made_whole_again_is_found_by_the_attestation(
    original: Original, data: st.DataObject
) -> None:
    seq = data.draw(st.integers(0, original.last - 1))
    payload = bytearray(original.rows[seq].payload)
    payload[data.draw(st.integers(0, len(payload) - 1))] ^= data.draw(st.integers(1, 255))
    rows = list(original.rows)
    rows[seq] = rows[seq]._replace(payload=bytes(payload))
    attestation = next(end + 1 for end in turn_ends(original.rows) if end + 1 > seq)
    for known in (original.known, Known(AGENT.public)):
        report = verify_session(SESSION, relinked(rows), known)
        assert report.status in (Status.DIVERGENCE, Status.BROKEN)
        assert seq <= first(report).seq <= attestation
        assert any(
            finding.seq <= attestation for finding in report.findings if finding.status is not Status.UNVERIFIABLE
        )


@pytest.mark.parametrize("edit", ["delete", "double", "swap"])
def test_rows_taken_out_added_or_reordered_with_all_numbers_and_hashes_redone_are_found(
    original: Original, edit: str
) -> None:
    for seq in range(original.last - 1):
        entries: list[Entry] = [(row.trust, row.fact) for row in (decode(stored.payload) for stored in original.rows)]
        match edit:
            case "delete":
                del entries[seq]
            case "double":
                entries.insert(seq, entries[seq])
            case _:
                entries[seq], entries[seq + 1] = entries[seq + 1], entries[seq]
        report = verify_session(SESSION, chained(entries), Known(AGENT.public))
        assert report.status is Status.DIVERGENCE


def test_what_stands_behind_the_last_attested_head_is_chained_but_not_signed(original: Original) -> None:
    """Not found: a change of the last row, once re-chained. The next turn's attestation covers it."""
    row = decode(original.rows[-1].payload)
    rows = [*original.rows[:-1], original.rows[-1]._replace(ts=row.ts + 1, payload=encode(replace(row, ts=row.ts + 1)))]
    assert verify_session(SESSION, relinked(rows), original.known).status is Status.VERIFIED
    entries = [*story().entries, *story().entries[3:]]
    assert verify_session(SESSION, relinked([*rows[:-1], *chained(entries)[len(rows) - 1 :]]), original.known).findings


def test_a_record_signed_anew_with_a_key_of_ones_own_is_found(original: Original) -> None:
    report = verify_session(SESSION, chained(story().entries, key=STRANGER), Known(AGENT.public))
    assert first(report).said == "the attestation was signed by another key than the agent's"
    assert first(report).seq == turn_ends(original.rows)[0] + 1
    assert len(report.findings) == 3


def test_even_the_agents_key_does_not_rewrite_what_the_vault_remembers(original: Original) -> None:
    """A gateway that is captured can have new heads signed, but only behind those that were."""
    script = story()
    script.entries[3] = (Trust.OWNER, msgspec.structs.replace(script.entries[3][1], platform_id="rewritten"))
    rewritten = chained(script.entries)
    assert verify_session(SESSION, rewritten, Known(AGENT.public)).status is Status.VERIFIED
    assert verify_session(SESSION, rewritten, original.known).status is Status.DIVERGENCE


def attested(change: Callable[[Attestation], Fact]) -> Report:
    """Verify the story with its first attestation changed and everything behind signed anew."""
    rows = chained(story().entries)
    seq = turn_ends(rows)[0] + 1
    fact = decode(rows[seq].payload).fact
    assert isinstance(fact, Attestation)
    entries = story().entries
    entries[seq] = (Trust.GATEWAY, change(fact))
    return verify_session(SESSION, chained(entries), Known(AGENT.public))


def other_head(fact: Attestation) -> Attestation:
    return AGENT.attests(SESSION, fact.chain_head_seq, "0" * 64)


def earlier_head(fact: Attestation) -> Attestation:
    return AGENT.attests(SESSION, fact.chain_head_seq - 1, fact.chain_head_hash)


def other_session(fact: Attestation) -> Attestation:
    return AGENT.attests(OTHER, fact.chain_head_seq, fact.chain_head_hash)


def strangers(fact: Attestation) -> Attestation:
    return STRANGER.attests(SESSION, fact.chain_head_seq, fact.chain_head_hash)


def strangers_under_our_name(fact: Attestation) -> Attestation:
    return msgspec.structs.replace(strangers(fact), signer_pubkey=AGENT.public.hex())


def with_signature(text: str) -> Callable[[Attestation], Attestation]:
    return lambda fact: msgspec.structs.replace(fact, signature=text)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (other_head, "the attestation names a head that this record does not have"),
        (earlier_head, "the attestation names a head that this record does not have"),
        (other_session, "the attestation's signature is not the agent's"),
        (strangers, "the attestation was signed by another key than the agent's"),
        (strangers_under_our_name, "the attestation's signature is not the agent's"),
        (with_signature(""), "the attestation's signature is not the agent's"),
        (with_signature("00" * 64), "the attestation's signature is not the agent's"),
        (with_signature("not hex"), "the attestation's signature is not the agent's"),
        (lambda fact: with_signature(fact.signature.upper())(fact), "the attestation's signature is not the agent's"),
        (lambda fact: with_signature(fact.signature + "00")(fact), "the attestation's signature is not the agent's"),
        (lambda fact: with_signature(" " + fact.signature)(fact), "the attestation's signature is not the agent's"),
    ],
)
def test_an_attestation_that_does_not_hold_is_found(change: Callable[[Attestation], Fact], said: str) -> None:
    report = attested(change)
    assert report.status is Status.DIVERGENCE
    assert first(report) == Finding(Status.DIVERGENCE, turn_ends(chained(story().entries))[0] + 1, said)


def test_a_turn_without_its_attestation_is_found() -> None:
    instead: Entry = (Trust.GATEWAY, GatewayStopped(reason=""))
    entries = [instead if entry[1] is TO_SIGN else entry for entry in story().entries]
    report = verify_session(SESSION, chained(entries), Known(AGENT.public))
    ends = turn_ends(chained(entries))
    assert [finding.said for finding in report.findings] == [
        f"the turn that ended at row {end} has no attestation" for end in ends
    ]


def changed_story(kind: type[Fact], **fields: object) -> tuple[list[StoredRow], int]:
    """The story with one fact changed, chained and signed as if the gateway itself had lied."""
    entries = story().entries
    seq = [n for n, (_, fact) in enumerate(entries) if isinstance(fact, kind)][-1]
    entries[seq] = (entries[seq][0], msgspec.structs.replace(entries[seq][1], **fields))
    return chained(entries), seq


@pytest.mark.parametrize(
    ("kind", "fields", "said"),
    [
        (ToolPermitted, {"call": "{}"}, "the permit's call is not the one that the model asked for"),
        (ToolPermitted, {"call_sha256": "0" * 64}, "the permit's call does not have the permit's hash"),
        (ToolPermitted, {"tier": "tier3"}, "a Tier 3 call was permitted without an approval of exactly this call"),
        (ToolPermitted, {"call_id": "other"}, "a permit for exec that the model did not ask for"),
        (PermissionApproved, {"lease": "0" * 64}, "an approval that nobody was asked for, or of another call"),
    ],
)
def test_a_gateway_that_lies_in_a_signed_record_is_found(
    kind: type[Fact], fields: dict[str, object], said: str
) -> None:
    rows, seq = changed_story(kind, **fields)
    report = verify_session(SESSION, rows, Known(AGENT.public))
    assert first(report) == Finding(Status.DIVERGENCE, seq, said)


# --- what cannot be checked ---------------------------------------------------------------------------


def unknown_kind(rows: list[StoredRow], seq: int) -> list[StoredRow]:
    payload = rows[seq].payload.replace(b'"kind":"', b'"kind":"x_')
    return relinked([*rows[:seq], rows[seq]._replace(payload=payload), *rows[seq + 1 :]])


def test_a_row_of_an_unknown_kind_is_unverifiable_and_nothing_is_guessed_from_it() -> None:
    entries = [*story().entries, (Trust.GATEWAY, TurnEnded(outcome="finished", reason="", rounds=0))]
    rows = chained(entries)
    report = verify_session(SESSION, unknown_kind(rows, len(rows) - 1), Known(AGENT.public))
    assert report.findings == [Finding(Status.UNVERIFIABLE, len(rows) - 1, "A row's payload is of no known form.")]
    assert (report.status, report.status.exit_code, report.rows) == (Status.UNVERIFIABLE, 2, len(rows))


def test_a_row_of_a_later_format_is_unverifiable() -> None:
    rows = chained([*story().entries, (Trust.GATEWAY, TurnEnded(outcome="finished", reason="", rounds=0))])
    last = rows[-1]._replace(payload=rows[-1].payload.replace(b'"v":1', b'"v":2'))
    report = verify_session(SESSION, relinked([*rows[:-1], last]), Known(AGENT.public))
    assert report.status is Status.UNVERIFIABLE
    assert "format version 2" in first(report).said


def test_a_row_whose_payload_is_no_json_is_no_crash() -> None:
    rows = chained(story().entries)
    for payload in (b"", b"\xff", b'{"by":"\xff"}', b"[" * 100_000):
        report = verify_session(
            SESSION, relinked([*rows, rows[-1]._replace(seq=len(rows), id=999, payload=payload)]), Known(AGENT.public)
        )
        assert report.status is Status.UNVERIFIABLE


@pytest.mark.parametrize("key", [b"", b"short", AGENT.public + b"x"])
def test_without_the_agents_key_the_attestations_are_unverifiable(original: Original, key: bytes) -> None:
    report = verify_session(SESSION, original.rows, Known(key))
    assert report.status is Status.UNVERIFIABLE
    assert [finding.seq for finding in report.findings] == [end + 1 for end in turn_ends(original.rows)]


def test_a_known_key_of_a_stranger_verifies_nothing(original: Original) -> None:
    assert verify_session(SESSION, original.rows, Known(Key(9).public)).status is Status.DIVERGENCE


# --- the report ---------------------------------------------------------------------------------------


def test_exit_codes_are_those_of_the_command() -> None:
    codes = {status: status.exit_code for status in Status}
    assert codes == {
        Status.VERIFIED: 0,
        Status.DIVERGENCE: 1,
        Status.UNVERIFIABLE: 2,
        Status.BROKEN: 3,
        Status.EMPTY: 4,
    }


def test_the_worst_finding_is_the_status() -> None:
    report = Report(SESSION)
    seen = [report.status]
    report.rows = 1
    seen.append(report.status)
    for status in (Status.UNVERIFIABLE, Status.DIVERGENCE, Status.BROKEN):
        report.add(status, 3, "so")
        seen.append(report.status)
    assert seen == [Status.EMPTY, Status.VERIFIED, Status.UNVERIFIABLE, Status.DIVERGENCE, Status.BROKEN]
    assert [str(finding) for finding in report.findings] == ["[ 3] so"] * 3
    assert str(Finding(Status.BROKEN, -1, "so")) == "so"


def test_columns_that_disagree_with_a_payload_are_found_even_when_every_hash_holds(original: Original) -> None:
    for column, value in (("ts", 5), ("trust", "user")):
        report = original.tampered(original.with_value(4, column, value))
        assert first(report) == Finding(Status.BROKEN, 4, "row 4: its columns disagree with its payload")


def test_a_payload_that_names_another_place_than_its_columns_is_found() -> None:
    rows = chained(story().entries)
    row = decode(rows[2].payload)
    moved = Row(row.session, 9, row.ts, row.trust, row.fact)
    report = verify_session(
        SESSION, relinked([*rows[:2], rows[2]._replace(payload=encode(moved)), *rows[3:]]), Known(AGENT.public)
    )
    assert first(report) == Finding(Status.BROKEN, 2, "row 2: its columns disagree with its payload")
