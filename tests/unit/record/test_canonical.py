from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from tests.support.values import LARGEST, facts, rows, texts

from wirken.domain import limits
from wirken.domain.actions import ToolCall
from wirken.domain.events import (
    AssistantToolCalls,
    Fact,
    SessionClosed,
    SystemPromptSet,
    ToolResultFact,
    Trust,
    TurnStarted,
    UserMessageFact,
)
from wirken.domain.ids import CallId, SessionId
from wirken.record.canonical import NotCanonical, Row, RowTooLong, Unreadable, canonical_json, decode, encode, title_of

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "chain.json").read_text())
SESSION = SessionId("default/webchat/a")


def row(fact: Fact, seq: int = 0, ts: int = 0, session: str = SESSION) -> Row:
    return Row(SessionId(session), seq, ts, Trust.GATEWAY, fact)


@given(rows)
def test_a_payload_is_the_rfc_8785_form_of_its_fact_and_envelope(one: Row) -> None:
    fields = msgspec.to_builtins(one.fact)
    envelope = {"v": 1, "session": one.session, "seq": one.seq, "ts": one.ts, "trust": one.trust.value}
    assert not envelope.keys() & fields.keys()
    assert encode(one) == rfc8785.dumps(fields | envelope)


@given(rows)
def test_a_payload_reads_back_as_its_row(one: Row) -> None:
    assert decode(encode(one)) == one


@given(rows, rows)
def test_two_rows_have_the_same_payload_only_if_they_are_the_same_row(one: Row, other: Row) -> None:
    assert (encode(one) == encode(other)) == (one == other)


@given(facts)
def test_facts_by_themselves_are_canonical_as_well(fact: msgspec.Struct) -> None:
    assert canonical_json(fact) == rfc8785.dumps(msgspec.to_builtins(fact))


@pytest.mark.parametrize("vector", VECTORS["rows"])
def test_the_payloads_of_the_vectors_read_back_to_the_byte(vector: dict[str, str]) -> None:
    payload = vector["payload"].encode()
    assert encode(decode(payload)) == payload


@pytest.mark.parametrize("number", [LARGEST + 1, -LARGEST - 1, 2**64, 10**30])
def test_integers_that_readers_with_doubles_would_change_are_refused(number: int) -> None:
    with pytest.raises(NotCanonical):
        encode(row(TurnStarted(message_seq=number)))
    with pytest.raises(NotCanonical):
        encode(row(SessionClosed(by=""), seq=number))
    with pytest.raises(NotCanonical):
        encode(row(SessionClosed(by=""), ts=number))


@pytest.mark.parametrize("number", [LARGEST, -LARGEST, 0])
def test_the_largest_exact_integers_are_taken(number: int) -> None:
    assert decode(encode(row(TurnStarted(message_seq=number)))).fact == TurnStarted(message_seq=number)


@given(texts, st.sampled_from(["\ud800", "\udfff", "\udcff"]), texts)
def test_half_a_surrogate_pair_anywhere_is_refused(before: str, half: str, after: str) -> None:
    text = before + half + after
    for broken in (
        row(SystemPromptSet(text=text)),
        row(SessionClosed(by=""), session=text),
        row(AssistantToolCalls(text="", calls=(ToolCall(CallId("1"), "exec", text),))),
    ):
        with pytest.raises(NotCanonical):
            encode(broken)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_row_or_unreadable(payload: bytes) -> None:
    try:
        decode(payload)
    except Unreadable as error:
        assert str(error).startswith("A row")


@given(rows, st.integers(0), st.integers(0, 255))
def test_a_payload_with_any_byte_changed_is_a_row_or_unreadable(one: Row, place: int, value: int) -> None:
    payload = bytearray(encode(one))
    payload[place % len(payload)] = value
    try:
        decode(bytes(payload))
    except Unreadable:
        return


GOOD = encode(row(SessionClosed(by="owner"), 3, 4))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        GOOD[:-1],
        GOOD + b"x",
        GOOD.replace(b"session_closed", b"of_the_future"),
        GOOD.replace(b'"v":1', b'"v":2'),
        GOOD.replace(b'"v":1', b'"v":"1"'),
        GOOD.replace(b'"v":1', b'"v":true'),
        GOOD.replace(b'"seq":3', b'"seq":"3"'),
        GOOD.replace(b'"seq":3', b'"seq":3.5'),
        GOOD.replace(b'"trust":"gateway"', b'"trust":"god"'),
        GOOD.replace(b"owner", b"own\xff\xfe"),
        GOOD.replace(b"owner", b"own\\ud800"),
        GOOD.replace(b"owner", b"\xed\xa0\x80"),
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
)
def test_what_is_no_row_of_this_version_is_unreadable(payload: bytes) -> None:
    with pytest.raises(Unreadable):
        decode(payload)


def test_a_result_may_have_no_exit_code() -> None:
    fact = ToolResultFact(
        call_id="c",
        tool="exec",
        success=False,
        outcome="unknown",
        output="",
        exit_code=None,
        ended_by="",
        truncated_bytes=0,
        duration_ms=0,
    )
    assert b'"exit_code":null' in encode(row(fact))


def test_a_title_is_the_beginning_of_the_first_message_on_one_line() -> None:
    def said(text: str) -> bytes:
        return encode(row(UserMessageFact(text=text, principal="", sender="", sender_name="", platform_id="")))

    assert title_of(said("  hello\n\tworld  ")) == "hello world"
    assert title_of(said("x" * 500)) == "x" * 80
    assert title_of(None) == title_of(b"nonsense") == title_of(GOOD) == ""


def test_a_row_has_a_longest_length_and_half_a_frame_carries_it() -> None:
    empty = len(encode(row(SessionClosed(by=""))))
    fits = "x" * (limits.ROW - empty)
    assert len(encode(row(SessionClosed(by=fits)))) == limits.ROW <= limits.FRAME // 2
    for by in (fits + "x", "\x01" * (limits.ROW // 6)):
        with pytest.raises(RowTooLong, match="bytes passes the limit"):
            encode(row(SessionClosed(by=by)))


def test_what_is_let_in_fits_into_a_row_whatever_its_characters_are() -> None:
    escaped = 6  # bytes that JSON needs for a control character (RFC 8259, section 7)
    twice = 4  # bytes for a byte of a call's arguments: the call is JSON, and stands in a row as text
    room = limits.ROW - 64 * 1024
    assert escaped * max(limits.ANSWER, limits.MESSAGE, limits.TOOL_OUTPUT) <= room
    assert twice * limits.ARGUMENTS + escaped * limits.PATH <= room
