from __future__ import annotations

import base64
import json
from itertools import pairwise
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.outbound import KEY

from wirken.domain.secret import Secret
from wirken.outbound.scrub import MARK, Scrubber, StreamScrubber, forms

RAW = KEY.encode()
WRITTEN = [
    KEY,
    base64.b64encode(RAW).decode(),
    base64.urlsafe_b64encode(RAW).decode(),
    base64.b64encode(b"Bearer " + RAW + b" and more").decode(),
    base64.b64encode(b"user:" + RAW).decode(),
    base64.urlsafe_b64encode(b"xy" + RAW + b"\n").decode(),
    quote(KEY, safe=""),
    quote_plus(KEY).replace("%2F", "%2f").replace("%2B", "%2b"),
    RAW.hex(),
]


@pytest.mark.parametrize("written", WRITTEN)
def test_what_somebody_cut_inside_a_secret_does_not_leave(written: str) -> None:
    scrubber = Scrubber()
    with scrubber.holding(Secret(RAW)):
        for kept in range(24, len(written)):
            cleaned = scrubber.clean_cut(f'it said: "{written[:kept]}". Try {MARK}')
            assert written[8:24] not in cleaned
            assert cleaned.startswith("it said: ") and cleaned.endswith(f'". Try {MARK}')
        assert scrubber.clean_cut("nothing of that") == "nothing of that"
        assert KEY not in scrubber.clean_cut(f"{KEY}{KEY[:12]} {KEY}")
    with scrubber.holding(Secret(MARK.encode())):
        assert scrubber.clean_cut(MARK * 2) == MARK * 2


@pytest.mark.parametrize("written", WRITTEN)
def test_a_held_secret_leaves_in_no_form(written: str) -> None:
    scrubber = Scrubber()
    with scrubber.holding(Secret(RAW)):
        cleaned = scrubber.clean(f"before {written} after")
    assert MARK in cleaned
    assert not any(written[at : at + 12] in cleaned for at in range(4, len(written) - 16))
    assert cleaned.startswith("before ")
    assert cleaned.endswith(" after")


def test_json_forms_are_known() -> None:
    secret = 'pass"word\\ü-0123'
    scrubber = Scrubber()
    with scrubber.holding(Secret(secret.encode())):
        assert scrubber.clean(json.dumps(secret)) == f'"{MARK}"'
        assert scrubber.clean(json.dumps(secret, ensure_ascii=False)) == f'"{MARK}"'


@given(st.sampled_from(WRITTEN[:4] + WRITTEN[6:]), st.lists(st.integers(0, 120), max_size=20))
def test_a_stream_never_lets_a_secret_through_however_it_is_cut(written: str, cuts: list[int]) -> None:
    text = f"so: sk-proj sk-{written}, {written}s"
    places = sorted({0, len(text), *(cut % len(text) for cut in cuts)})
    scrubber = Scrubber()
    with scrubber.holding(Secret(RAW)):
        stream = StreamScrubber(scrubber)
        got = "".join(stream.feed(text[a:b]) for a, b in pairwise(places)) + stream.finish()
        assert got == scrubber.clean(text)


@given(st.text(), st.lists(st.integers(0, 100), max_size=10))
def test_other_text_passes_unchanged(text: str, cuts: list[int]) -> None:
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    scrubber = Scrubber()
    with scrubber.holding(Secret(b"\x00\x01 a secret no text has \x02")):
        stream = StreamScrubber(scrubber)
        got = "".join(stream.feed(text[a:b]) for a, b in pairwise(places)) + stream.finish()
    assert got == text


def test_a_telling_part_at_the_end_of_a_stream_is_kept_back() -> None:
    scrubber = Scrubber()
    with scrubber.holding(Secret(RAW)):
        stream = StreamScrubber(scrubber)
        assert stream.feed("the key is " + KEY[:-1]) == "the key is "
        assert stream.finish() == MARK
        assert StreamScrubber(scrubber).feed("s") + stream.finish() == ""


def test_a_secret_is_wiped_and_forgotten_after_use() -> None:
    scrubber, secret = Scrubber(), Secret(RAW)
    with pytest.raises(RuntimeError), scrubber.holding(secret):
        raise RuntimeError
    assert not secret
    assert scrubber.clean(KEY) == KEY


def test_secrets_of_other_questions_are_removed_too() -> None:
    scrubber = Scrubber()
    with scrubber.holding(Secret(RAW)), scrubber.holding(Secret(b"another-secret")):
        assert scrubber.clean(f"{KEY} another-secret") == f"{MARK} {MARK}"
    with scrubber.holding(None):
        assert scrubber.clean(KEY) == KEY


def test_placeholders_are_words_and_stay() -> None:
    assert forms(b"ollama") == ()
