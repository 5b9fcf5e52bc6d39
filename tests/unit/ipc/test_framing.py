from __future__ import annotations

import struct
import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wirken.domain import limits
from wirken.ipc.framing import FrameDecoder, FrameEmpty, FrameTooLong, encode_frame

LIMIT = 300
frames = st.lists(st.binary(min_size=1, max_size=LIMIT), max_size=8)


def pieces(stream: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    return [stream[start:end] for start, end in pairwise(places)]


@given(frames, st.lists(st.integers(0, 10_000), max_size=30))
@example([b"\0\0\0\1", b"x" * LIMIT], list(range(400)))
def test_any_split_of_any_frames_gives_the_same_frames(sent: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(encode_frame(frame, LIMIT) for frame in sent)
    decoder = FrameDecoder(LIMIT)
    got = [frame for piece in pieces(stream, cuts) for frame in decoder.feed(piece)]
    assert got == sent
    assert decoder.pending == 0


@given(frames, st.binary(min_size=1, max_size=LIMIT), st.data())
def test_a_cut_stream_gives_the_whole_frames_and_says_that_bytes_are_pending(
    sent: list[bytes], last: bytes, data: st.DataObject
) -> None:
    tail = encode_frame(last, LIMIT)
    kept = data.draw(st.integers(1, len(tail) - 1))
    decoder = FrameDecoder(LIMIT)
    assert decoder.feed(b"".join(map(encode_frame, sent)) + tail[:kept]) == sent
    assert decoder.pending == kept


@pytest.mark.parametrize("length", [LIMIT + 1, 2**31, 2**32 - 1])
def test_an_over_long_frame_is_refused_at_its_fourth_byte(length: int) -> None:
    decoder = FrameDecoder(LIMIT)
    head = struct.pack(">I", length)
    for byte in head[:3]:
        assert decoder.feed(bytes([byte])) == []
    with pytest.raises(FrameTooLong):
        decoder.feed(head[3:])


def test_nothing_is_allocated_for_the_length_that_a_peer_announces() -> None:
    tracemalloc.start()
    try:
        with pytest.raises(FrameTooLong):
            FrameDecoder().feed(struct.pack(">I", 2**32 - 1))
        FrameDecoder().feed(struct.pack(">I", limits.FRAME))
        assert tracemalloc.get_traced_memory()[1] < 64 * 1024
    finally:
        tracemalloc.stop()


def test_an_empty_frame_is_refused_both_ways() -> None:
    with pytest.raises(FrameEmpty):
        FrameDecoder().feed(b"\0\0\0\0")
    with pytest.raises(FrameEmpty):
        encode_frame(b"")


def test_the_limit_itself_is_allowed_and_one_byte_more_is_not() -> None:
    frame = b"x" * LIMIT
    assert FrameDecoder(LIMIT).feed(encode_frame(frame, LIMIT)) == [frame]
    with pytest.raises(FrameTooLong):
        encode_frame(frame + b"x", LIMIT)


def test_a_frame_of_exactly_16_mib_passes_by_default() -> None:
    decoder = FrameDecoder()
    stream = encode_frame(bytes(limits.FRAME))
    assert decoder.feed(stream[:-1]) == []
    assert [len(frame) for frame in decoder.feed(stream[-1:])] == [limits.FRAME]
    with pytest.raises(FrameTooLong):
        encode_frame(bytes(limits.FRAME + 1))


def test_after_a_refusal_the_stream_stays_refused() -> None:
    decoder = FrameDecoder(LIMIT)
    for data in (encode_frame(b"fine") + b"\xff\xff\xff\xff", encode_frame(b"fine"), b""):
        with pytest.raises(FrameTooLong):
            decoder.feed(data)


@given(st.lists(st.binary(max_size=60), max_size=20))
def test_any_bytes_give_frames_or_a_refusal(chunks: list[bytes]) -> None:
    decoder = FrameDecoder(LIMIT)
    try:
        for chunk in chunks:
            assert all(0 < len(frame) <= LIMIT for frame in decoder.feed(chunk))
    except (FrameEmpty, FrameTooLong) as error:
        assert error.exit_code == 1
