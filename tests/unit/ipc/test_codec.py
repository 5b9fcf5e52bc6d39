from __future__ import annotations

import json
import re
import struct
import time
from collections.abc import Callable
from dataclasses import MISSING, fields
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.values import texts

from wirken.domain import limits
from wirken.ipc import codec, frames
from wirken.ipc.codec import BadFrame, decode, encode, opened
from wirken.ipc.frames import Attached, Call, Delta, Frame, Inbound, Reply, Row
from wirken.ipc.framing import FrameDecoder, encode_frame

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "frames.json").read_text())["frames"]
SCHEMA = Path(codec.__file__).with_name("wirken.capnp").read_text()
TYPES: tuple[type[Frame], ...] = get_args(Frame)
NUMBERS = st.integers(0, 2**64 - 1) | st.sampled_from([0, 2**53, 2**63, 2**64 - 1])
LISTED = tuple[Attached, ...]
VALUES: dict[object, st.SearchStrategy[object]] = {
    LISTED: st.lists(st.builds(Attached, texts, texts, NUMBERS), max_size=limits.LINK_FILES).map(tuple),
    str: texts,
    bytes: st.binary(max_size=60),
    int: NUMBERS,
    bool: st.booleans(),
}
ON_THE_WIRE: dict[object, str] = {
    str: "Text",
    bytes: "Data",
    int: "UInt64",
    bool: "Bool",
    LISTED: "List(Attached)",
}
SOON = 0.5
"""Seconds; reading a small frame takes 20 µs, an unbounded walk would take minutes."""


def frame_of(kind: type[Frame]) -> st.SearchStrategy[Frame]:
    made: Callable[..., Frame] = kind
    return st.builds(made, **{name: VALUES[hint] for name, hint in get_type_hints(kind).items()})


every_frame = st.sampled_from(TYPES).flatmap(frame_of)


def read(payload: bytes) -> Frame | None:
    started = time.perf_counter()
    try:
        return decode(payload)
    except BadFrame as error:
        assert error.__cause__ is not None
        return None
    finally:
        assert time.perf_counter() - started < SOON


@given(every_frame)
def test_every_frame_reads_back(frame: Frame) -> None:
    assert decode(encode(frame)) == frame


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["type"]))
def test_the_frames_of_the_vectors_are_encoded_and_read_to_the_byte(vector: dict[str, dict[str, object]]) -> None:
    made: Callable[..., Frame] = getattr(frames, str(vector["type"]))
    frame = made(
        **{
            name: bytes.fromhex(value["hex"]) if isinstance(value, dict) else value
            for name, value in vector["fields"].items()
        }
    )
    stream = bytes.fromhex(str(vector["stream"]))
    assert encode_frame(encode(frame)) == stream
    assert [decode(payload) for payload in FrameDecoder().feed(stream)] == [frame]


def test_the_vectors_cover_every_type_of_frame() -> None:
    assert {vector["type"] for vector in VECTORS} == {kind.__name__ for kind in TYPES}


@pytest.mark.parametrize("kind", (*TYPES, Attached), ids=lambda kind: str(kind.__name__))
def test_schema_and_dataclass_have_the_same_fields(kind: type[Frame | Attached]) -> None:
    body = re.search(rf"^struct {kind.__name__}\s*\{{(.*?)\}}", SCHEMA, re.MULTILINE | re.DOTALL)
    assert body is not None
    in_schema = dict(re.findall(r"(\w+)\s+@\d+\s+:([\w()]+);", body[1]))
    hints = get_type_hints(kind)
    in_class = {
        re.sub(r"_(\w)", lambda match: match[1].upper(), field.name): ON_THE_WIRE[hints[field.name]]
        for field in fields(kind)
    }
    assert in_class == in_schema


def test_the_union_of_the_schema_has_the_members_of_the_union_of_types() -> None:
    union = re.search(r"union \{(.*?)\n  \}", SCHEMA, re.DOTALL)
    assert union is not None
    members = dict(re.findall(r"^\s+(\w+)\s+@\d+\s+:(\w+);", union[1], re.MULTILINE))
    assert members == {kind.__name__.lower(): kind.__name__ for kind in TYPES}


def test_field_numbers_are_without_gaps_so_that_none_was_taken_away() -> None:
    for body in re.split(r"^struct ", SCHEMA, flags=re.MULTILINE)[1:]:
        numbers = sorted(int(number) for number in re.findall(r"\w+ +@(\d+) :", body))
        assert numbers == list(range(len(numbers))) != []


def test_what_is_left_out_of_a_frame_is_the_types_default() -> None:
    for kind in TYPES:
        for field in fields(kind):
            assert field.default is MISSING or field.default in ("", False, ())


@given(every_frame, st.integers(0, limits.LINK_FILES))
def test_a_frame_says_how_many_files_come_beside_it(frame: Frame, files: int) -> None:
    assert opened(encode(frame, files)) == (frame, files)


def test_a_frame_with_more_files_than_allowed_is_neither_made_nor_read() -> None:
    most = limits.LINK_FILES
    several = Inbound("m", "c", "t", files=tuple(Attached("f", "", n) for n in range(most)))
    assert decode(encode(several)) == several
    with pytest.raises(BadFrame):
        encode(Delta("s", "t"), most + 1)
    with pytest.raises(BadFrame):
        encode(Inbound("m", "c", "t", files=(Attached("f", "", 0),) * (most + 1)))
    payload = bytearray(encode(Delta("s", "t"), most))  # the union's member 3
    at = payload.index(struct.pack("<HH", 3, most)) + 2
    struct.pack_into("<H", payload, at, most + 1)
    assert read(bytes(payload)) is None


def test_a_list_of_millions_of_files_that_take_no_bytes_is_refused_unread() -> None:
    payload = bytearray(encode(Inbound("", "", "", files=(Attached("", "", 0),))))
    one = struct.pack("<IHH", 4, 1, 2)  # the list's tag: one element of a data word and two pointers
    many = struct.pack("<IHH", (1 << 20) << 2, 0, 0)
    assert payload.count(one) == 1
    assert read(bytes(payload.replace(one, many))) is None


@given(st.binary(max_size=200))
def test_any_bytes_give_a_frame_or_bad_frame(payload: bytes) -> None:
    read(payload)


@given(every_frame, st.lists(st.tuples(st.integers(0), st.integers(0, 255)), min_size=1, max_size=6))
def test_a_frame_with_any_bytes_changed_gives_a_frame_or_bad_frame(frame: Frame, edits: list[tuple[int, int]]) -> None:
    payload = bytearray(encode(frame))
    for place, value in edits:
        payload[place % len(payload)] = value
    read(bytes(payload))


@given(every_frame, st.integers(0), st.binary(max_size=16))
def test_a_frame_that_is_cut_or_lengthened_gives_a_frame_or_bad_frame(frame: Frame, cut: int, more: bytes) -> None:
    payload = encode(frame)
    read(payload[: cut % len(payload)])
    read(payload + more)


@pytest.mark.slow
@settings(max_examples=5000)
@given(every_frame, st.lists(st.tuples(st.integers(0), st.integers(0, 2**64 - 1)), min_size=1, max_size=4))
def test_a_frame_with_any_words_changed_gives_a_frame_or_bad_frame(frame: Frame, edits: list[tuple[int, int]]) -> None:
    payload = bytearray(encode(frame))
    for place, value in edits:
        struct.pack_into("<Q", payload, place % (len(payload) // 8) * 8, value)
    read(bytes(payload))


def inbound_whose_texts_share(size: int) -> bytes:
    """Return an `Inbound` of about `size` bytes, all eight texts of which point at the same bytes."""
    texts_in_it, words = 8, size // 8
    head = [
        struct.pack("<IHH", 0, 1, 1),  # the root: a Frame of one data word (its union's tag, 0) and one pointer
        bytes(8),
        struct.pack("<IHH", 0, 1, texts_in_it),  # to the Inbound behind it
        bytes(8),
    ]
    lists = [struct.pack("<II", (texts_in_it - 1 - place) << 2 | 1, words * 8 << 3 | 2) for place in range(texts_in_it)]
    text = b"x" * (words * 8 - 1) + b"\0"
    body = b"".join((*head, *lists, text))
    return struct.pack("<II", 0, len(body) // 8) + body


def test_pointers_that_share_their_target_cannot_make_a_frame_much_larger() -> None:
    small = decode(inbound_whose_texts_share(800))
    assert [getattr(small, field.name) for field in fields(Inbound) if field.type == "str"] == ["x" * 799] * 8
    assert read(inbound_whose_texts_share(limits.TRAVERSAL * 8 // 7)) is None


def test_a_segment_table_that_promises_more_than_there_is_is_refused() -> None:
    for table in (b"\xff\xff\xff\xff", b"\xff\x01\0\0" + b"\xff\xff\xff\x7f" * 512, b"\0\0\0\0\xff\xff\xff\xff"):
        assert read(table + bytes(64)) is None


def test_a_far_pointer_that_leads_to_itself_ends() -> None:
    for word in (0x2, 0xA, 0x12, 0xFFFFFFFF00000002, 0x6, 0xFFFFFFF2):
        read(struct.pack("<IIQQ", 0, 2, word, word))


def test_a_deep_chain_of_pointers_is_not_followed_further_than_the_limit() -> None:
    words = 4096
    deep = b"".join(struct.pack("<I", 0) + struct.pack("<HH", 0, 1) for _ in range(words))
    read(struct.pack("<II", 0, words) + deep)


def test_an_unknown_member_of_the_union_is_a_bad_frame() -> None:
    payload = bytearray(encode(Delta("s", "t")))
    tag = payload.index(b"\x03\0", 16)
    for unknown in (len(TYPES), 99, 0xFFFF):
        struct.pack_into("<H", payload, tag, unknown)
        assert read(bytes(payload)) is None


def test_text_that_is_not_utf_8_is_a_bad_frame() -> None:
    payload = encode(Delta("session", "needle"))
    assert read(payload.replace(b"needle", b"need\xff\xfe")) is None
    assert read(payload.replace(b"needle", b"\xed\xa0\x80dle")) is None


@pytest.mark.parametrize(
    "frame",
    [
        Delta("s", "\ud800"),
        Inbound("m", "c", "a\udfffb"),
        Call(-1, b""),
        Call(2**64, b""),
        Reply(2**70, b""),
    ],
)
def test_what_no_frame_can_carry_is_refused_before_it_is_sent(frame: Frame) -> None:
    with pytest.raises(BadFrame):
        encode(frame)


def test_a_large_row_reads_back_within_the_traversal_limit() -> None:
    row = Row("default/webchat/c", bytes(limits.FRAME - 1024))
    payload = encode(row)
    assert len(payload) <= limits.FRAME
    assert decode(payload) == row
