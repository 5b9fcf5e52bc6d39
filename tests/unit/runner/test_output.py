from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wirken.domain import limits
from wirken.runner.output import Capture, fitting_end, fitting_start, shown

ROOM = limits.EXEC_OUTPUT_HEAD + limits.EXEC_OUTPUT_TAIL
NOTE = re.compile(r"\n\[… (\d+) bytes of output left out …\]\n")


def captured(data: bytes, piece: int = 65536) -> tuple[str, int]:
    capture = Capture()
    for at in range(0, len(data), piece):
        capture.feed(data[at : at + piece])
    kept = capture.kept()
    return kept.text, kept.cut


def test_a_short_output_is_kept_whole() -> None:
    assert captured("grüße\n".encode()) == ("grüße\n", 0)
    assert captured(b"") == ("", 0)


def test_a_long_output_keeps_head_and_tail_and_counts_the_rest() -> None:
    data = b"".join(b"line %d\n" % number for number in range(100_000))
    text, cut = captured(data)
    head, counted, tail = NOTE.split(text)
    assert int(counted) == cut == len(data) - len(head) - len(tail)
    assert data.startswith(head.encode()) and data.endswith(tail.encode())
    assert len(head) == limits.EXEC_OUTPUT_HEAD
    assert tail.endswith("line 99999\n")


@pytest.mark.parametrize("character", ["ä", "€", "🙂"])
@pytest.mark.parametrize("shift", range(4))
def test_the_cut_never_splits_a_character(character: str, shift: int) -> None:
    data = b"x" * shift + character.encode() * 60_000
    text, cut = captured(data)
    assert "\ufffd" not in text
    head, _, tail = NOTE.split(text)
    assert len(head.encode()) + len(tail.encode()) + cut == len(data)


def test_bytes_that_are_not_text_are_shown_as_such_and_still_fit() -> None:
    text, cut = captured(b"\xff\x00\x80" * 40_000)
    assert len(text.encode()) <= ROOM
    assert text.startswith("\ufffd\x00\ufffd")
    head, _, tail = NOTE.split(text)
    assert len(head) + len(tail) + cut == 120_000


@given(
    data=st.one_of(st.binary(max_size=200), st.text(max_size=100).map(str.encode)),
    times=st.sampled_from([1, 50, 900, 3000]),
    piece=st.sampled_from([1000, 4097, 65536]),
)
@settings(max_examples=60, deadline=None)
def test_every_output_fits_and_every_byte_is_accounted_for(data: bytes, times: int, piece: int) -> None:
    whole = data * times
    text, cut = captured(whole, piece)
    assert len(text.encode()) <= ROOM
    if not cut:
        assert text == shown(whole)
        return
    note = next(found for found in NOTE.finditer(text) if int(found.group(1)) == cut)
    head, tail = text[: note.start()], text[note.end() :]
    assert shown(whole).startswith(head) or head == shown(fitting_start(whole, limits.EXEC_OUTPUT_HEAD))
    assert len(head) <= len(whole) and len(tail) <= len(whole)


@given(raw=st.binary(max_size=300), room=st.integers(1, 200))
def test_pieces_are_ends_of_the_whole_and_fit(raw: bytes, room: int) -> None:
    first, last = fitting_start(raw, room), fitting_end(raw, room)
    assert raw.startswith(first) and raw.endswith(last)
    assert len(shown(first).encode()) <= room and len(shown(last).encode()) <= room


def test_memory_stays_bounded_while_a_lot_passes() -> None:
    capture = Capture()
    for _ in range(1000):
        capture.feed(b"y" * 65536)
    kept = capture.kept()
    assert kept.cut == 65536 * 1000 - (
        len(kept.text.encode()) - len(f"\n[… {kept.cut} bytes of output left out …]\n".encode())
    )
