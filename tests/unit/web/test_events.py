"""Server-Sent Events as bytes, and the queue before a browser."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirken.domain import limits
from wirken.domain.errors import ProtocolError
from wirken.domain.text import shown
from wirken.ipc.calls.operator import ApprovalRow
from wirken.web.events import RELOAD, Event, Preview, Stream, card, joined, row_event


class Clock:
    def now(self) -> int:
        return 5

    def monotonic(self) -> float:
        return 5.0


def asked(command: str, call: str) -> ApprovalRow:
    return ApprovalRow(
        approval="a",
        session="s",
        call_id="c",
        tool=command,
        command=command,
        call=call,
        lease="l",
        action_keys=(command,),
        tier="tier3",
        reasons=(command,),
        expires=9,
    )


@given(st.text(), st.text())
def test_nothing_hidden_reaches_a_card(command: str, call: str) -> None:
    made = card(asked(command, call), Clock())
    for text in (made.tool, made.call, *made.action_keys, *made.reasons):
        assert shown(text) == text
    assert shown(made.command, keep_newlines=True) == made.command
    assert (made.now, made.expires, made.lease) == (5, 9, "l")


def test_a_row_is_one_event_with_its_number_and_its_stored_bytes() -> None:
    payload = '{"kind":"x","seq":7,"text":"ä\u2028"}'.encode()
    assert row_event(payload) == Event(b"id: 7\nevent: row\ndata: " + payload + b"\n\n", 7)


@pytest.mark.parametrize("payload", [b"", b"[]", b'{"seq":"1"}', b'{"seq":1}\n', b'{"seq":1,\r"a":2}', b"\xff"])
def test_a_payload_that_is_no_canonical_row_is_refused(payload: bytes) -> None:
    with pytest.raises(ProtocolError):
        row_event(payload)


def test_rows_that_were_sent_already_are_left_out() -> None:
    rows = [Event(b"%d" % seq, seq) for seq in (3, 4, 5, 5, 6)]
    assert joined([*rows, Event(b"other")], 4) == (b"56other", 6)


@given(st.lists(st.text(min_size=1), min_size=1))
async def test_previews_join_to_what_was_written(pieces: list[str]) -> None:
    stream = Stream(lambda session: True)
    for piece in pieces:
        stream.preview("s", piece)
    (preview,) = await stream.take()
    assert isinstance(preview, Preview)
    data = json.loads(preview.encoded().decode().split("data: ", 1)[1])
    assert data == {"session": "s", "text": "".join(pieces)}


async def test_a_full_queue_ends_with_reload_and_nothing_else() -> None:
    stream = Stream(lambda session: True)
    for seq in range(limits.PAGE_QUEUE + 5):
        stream.put(Event(b"x", seq))
        stream.preview("s", "x")
    assert stream.ended
    assert await stream.take() == [Event(RELOAD)]


async def test_a_waiting_stream_wakes_for_an_event_and_for_its_end() -> None:
    stream = Stream(lambda session: True)
    waiting = asyncio.ensure_future(stream.take())
    await asyncio.sleep(0)
    stream.put(Event(b"x"))
    assert await waiting == [Event(b"x")]
    waiting = asyncio.ensure_future(stream.take())
    await asyncio.sleep(0)
    stream.end()
    assert await waiting == []
    stream.put(Event(b"late"))
    assert await stream.take() == []


def test_no_padding_of_a_card_moves_the_rest_out_of_sight() -> None:
    padded = "rm -rf x" + " " * 500 + "\n \t\n" * 500 + "ls «3 blanks»"
    made = card(asked(padded, padded), Clock())
    for text in (made.tool, made.call, made.command, *made.action_keys, *made.reasons):
        assert len(text) < 200 and "«500 blanks»" in text and "\\xab3 blanks\\xbb" in text
    assert made.command.count("\n") == 2 and "«999 empty lines»" in made.command
    assert "«999 empty lines»" in made.call
    assert card(asked("if x:\n  ls\n\nls", ""), Clock()).command == "if x:\n  ls\n\nls"
