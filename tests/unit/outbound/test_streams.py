from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirken.outbound.failures import AnswerTooLong
from wirken.outbound.lines import LineDecoder
from wirken.outbound.ndjson import NdjsonDecoder
from wirken.outbound.sse import SseDecoder


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(places)]


def sse(parts: list[bytes]) -> list[bytes]:
    decoder = SseDecoder(1000)
    return [event for part in parts for event in decoder.feed(part)] + decoder.finish()


STREAM = (
    '\ufeff: hi\r\ndata: {"a":"ü😀"}\r\n\r\nevent: x\rdata:b\rdata\r\r\ndata: 1\r\ndata: 2\r\n\r\ndata: [DONE]\n\n'
).encode()


def test_an_event_stream_is_read_as_the_standard_says() -> None:
    assert sse([STREAM]) == ['{"a":"ü😀"}'.encode(), b"b\n", b"1\n2", b"[DONE]"]


@given(st.lists(st.integers(0, 200)))
def test_any_split_of_an_event_stream_gives_the_same_events(cuts: list[int]) -> None:
    assert sse(pieces(STREAM, cuts)) == sse([STREAM])


@given(st.binary(max_size=300), st.lists(st.integers(0, 300)))
def test_any_split_of_any_bytes_gives_the_same_events_and_lines(data: bytes, cuts: list[int]) -> None:
    assert sse(pieces(data, cuts)) == sse([data])
    whole, parts = NdjsonDecoder(1000), NdjsonDecoder(1000)
    once = whole.feed(data) + whole.finish()
    assert [line for part in pieces(data, cuts) for line in parts.feed(part)] + parts.finish() == once


@given(st.lists(st.text(alphabet=st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]))))
def test_lines_come_out_as_they_went_in(lines: list[str]) -> None:
    decoder = LineDecoder(10_000)
    got = decoder.feed("".join(line + "\r\n" for line in lines).encode())
    assert [line.decode() for line in got] == lines
    assert decoder.finish() == b""


def test_a_last_event_without_its_blank_line_still_counts() -> None:
    assert sse([b"data: [DONE]"]) == [b"[DONE]"]
    assert sse([b"data: [DONE]\n"]) == [b"[DONE]"]


def test_comments_and_other_fields_are_no_events() -> None:
    assert sse([b": keep-alive\n\nid: 1\nretry: 5\n\ndatax: no\n\n"]) == []


def test_blank_lines_are_no_documents() -> None:
    decoder = NdjsonDecoder(100)
    assert decoder.feed(b'\n{"a":1}\r\n  \n{"b"') == [b'{"a":1}']
    assert decoder.feed(b":2}") == []
    assert decoder.finish() == [b'{"b":2}']


@pytest.mark.parametrize("size", [1, 7, 5000])
def test_a_line_without_end_is_refused_and_never_held(size: int) -> None:
    decoder = LineDecoder(4096)
    with pytest.raises(AnswerTooLong):
        for _ in range(10_000):
            decoder.feed(b"x" * size)


def test_a_long_line_that_arrives_whole_is_refused_too() -> None:
    with pytest.raises(AnswerTooLong):
        LineDecoder(10).feed(b"x" * 11 + b"\n")
    assert LineDecoder(10).feed(b"x" * 10 + b"\n") == [b"x" * 10]


def test_an_event_of_endless_lines_is_refused() -> None:
    decoder = SseDecoder(1000)
    with pytest.raises(AnswerTooLong):
        for _ in range(1000):
            decoder.feed(b"data: xxxxxxxxxx\n")
