from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirken.channels.telegram_types import Nonsense, updates

GOOD = {"update_id": 7, "message": {"message_id": 1, "date": 1, "chat": {"id": 5, "type": "private"}, "text": "hi"}}


def answer(*parts: object) -> bytes:
    return json.dumps({"ok": True, "result": parts}).encode()


def test_updates_are_read_and_what_is_unknown_is_left_out() -> None:
    (update,) = updates(answer({**GOOD, "novelty": {"deep": [1]}}))
    assert update.message is not None and update.message.text == "hi" and update.message.chat.id == 5


@pytest.mark.parametrize(
    "message",
    [
        {"message_id": "1", "chat": {"id": 5}},
        {"message_id": 1, "chat": {"id": 5}, "text": {"a": 1}},
        {"message_id": 1, "chat": {"id": 2**53}, "text": "x"},
        {"message_id": 1, "chat": [], "text": "x"},
        {"message_id": 1, "chat": {"id": 5}, "photo": [{"file_id": 3}]},
        {"message_id": 1},
        7,
        None,
    ],
)
def test_an_update_that_is_malformed_is_known_by_its_number_alone(message: object) -> None:
    bad = {"update_id": 8, "message": message}
    first, second = updates(answer(GOOD, bad))
    assert first.message is not None
    assert second.update_id == 8 and second.message is None


def test_an_update_without_a_number_is_left_out_and_nothing_but_such_is_nonsense() -> None:
    assert [update.update_id for update in updates(answer({"update_id": "x"}, GOOD))] == [7]
    with pytest.raises(Nonsense):
        updates(answer({"update_id": "x"}))
    assert updates(answer()) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'{"ok":true}',
        b'{"ok":true,"result":{}}',
        b"\xff\xfe",
        b'{"ok":true,"result":' + b"[" * 100_000,
    ],
)
def test_what_is_no_answer_is_nonsense(body: bytes) -> None:
    with pytest.raises(Nonsense):
        updates(body)


def test_an_update_nested_beyond_all_bounds_costs_that_update_only() -> None:
    deep = b"[" * 5000 + b"]" * 5000
    body = b'{"ok":true,"result":[{"update_id":8,"message":' + deep + b"}," + json.dumps(GOOD).encode() + b"]}"
    try:
        found = updates(body)
    except Nonsense:
        return  # refused as a whole: nothing was read, nothing is lost
    assert found[-1].message is not None


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(body: bytes) -> None:
    with contextlib.suppress(Nonsense):
        updates(body)
