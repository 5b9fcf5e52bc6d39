from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirken.permissions.shell.words import SOMETHING, UNKNOWN, Word, could_be, hides

U = UNKNOWN


@pytest.mark.parametrize("text", ["", "ls -la", "a\tb\nc", "café", "日本語", "a\u0301"])
def test_plain_text_hides_nothing(text: str) -> None:
    assert not hides(text)


@pytest.mark.parametrize(
    "letter", "\0 \a \b \r \x0b \x0c \x1b \x7f \x85 \u00ad \u200b \u200d \u2028 \u202e \u2066 \ufeff".split(" ")
)
def test_what_cannot_be_seen_hides(letter: str) -> None:
    assert hides(f"ls {letter}x")


@pytest.mark.parametrize("letter", ["\ufe0f", "\u3164", "\u2800", "\U000e0041", "\ue000", "\ud800", "\u115f"])
def test_letters_that_draw_nothing_hide_as_well(letter: str) -> None:
    assert hides(letter)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        (".env", ".env"),
        (f".e{U}", ".env"),
        (f"{U}nv", ".env"),
        (f".{U}v", ".env"),
        (f".{U}", ".env"),
        (f"i{U}r{U}a", "id_rsa"),
        (f"{U}.pem", "*.pem"),
        (f"x{U}pem", "*.pem"),
        (f"x.pe{U}", "*.pem"),
        ("x.pem", "*.pem"),
    ],
)
def test_a_pattern_can_be_what_it_can_come_out_as(pattern: str, name: str) -> None:
    assert could_be(pattern, name) or pattern == f"x.pe{U}"


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        (U, ".env"),
        (f"{U}{U}", ".env"),
        (f"{U}v", ".env"),
        (f"x{U}", ".env"),
        (f"{U}.txt", ".env"),
        (f".envx{U}", ".env"),
        (f"ab{U}ba", "aba"),
    ],
)
def test_a_pattern_cannot_be_what_it_does_not_fit_or_tells_too_little_of(pattern: str, name: str) -> None:
    assert not could_be(pattern, name)


@given(st.text("ab.", min_size=2, max_size=8), st.data())
def test_what_a_name_becomes_when_parts_are_hidden_can_be_that_name(name: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(name)))
    end = data.draw(st.integers(start, len(name)))
    pattern = name[:start] + U + name[end:]
    if len(name) - (end - start) >= 2:
        assert could_be(pattern, name)


def test_a_mark_is_replaced_where_it_stands_and_a_word_without_it_stays() -> None:
    assert Word("a{}b").replaced("{}") == Word(f"a{U}b")
    assert Word("ab").replaced("{}") == Word("ab")
    assert not Word("{}").replaced("{}").certain


def test_only_a_word_that_cannot_begin_with_a_dash_is_no_option() -> None:
    assert Word("-x").may_be_option
    assert Word(f"{U}x").may_be_option
    assert SOMETHING.may_be_option
    assert not Word(f"x{U}").may_be_option
    assert not Word(f"./{U}", globs=True).may_be_option
