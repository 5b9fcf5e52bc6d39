from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wirken.domain import limits
from wirken.domain.text import brief, clean, clip, decoded, quoted, shown, unpadded

# Default_Ignorable_Code_Point, from Unicode's DerivedCoreProperties.txt, by hand: another list than the code's.
IGNORABLE = [
    *((0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F)),
    *((0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF)),
    *((0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF)),
]

anything = st.text(st.characters())


def deceives(character: str) -> bool:
    return (
        unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
        or any(first <= ord(character) <= last for first, last in IGNORABLE)
        or unicodedata.bidirectional(character) in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI", "B")
    )


@given(anything)
def test_nothing_that_moves_hides_or_reorders_is_shown(text: str) -> None:
    assert not any(map(deceives, shown(text)))


def test_every_single_character_is_either_itself_or_an_escape_of_ascii() -> None:
    for point in range(0x110000):
        character = chr(point)
        seen = shown(character)
        assert (seen == character) != (seen.isascii() and seen[0] == "\\" and len(seen) > 1)
        assert seen == character or int(seen[2:], 16) == point
        if deceives(character):
            assert seen != character, hex(point)


@given(anything)
def test_running_text_keeps_line_feeds_tabs_and_emoji_selectors_only(text: str) -> None:
    kept = shown(text, keep_newlines=True)
    assert {character for character in kept if deceives(character)} <= {"\n", "\t", "\ufe0f"}
    assert kept.count("\n") == text.count("\n")


@given(anything)
def test_showing_twice_changes_nothing_more(text: str) -> None:
    assert shown(shown(text)) == shown(text)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("a\rb", "a\\x0db"),
        ("a\nb\tc", "a\\x0ab\\x09c"),
        ("\x7f\x9b", "\\x7f\\x9b"),
        ("photo\u202egpj.exe", "photo\\u202egpj.exe"),
        ("a\u200bb\ufeffc", "a\\u200bb\\ufeffc"),
        ("\U000e0041", "\\U000e0041"),
        ("a\U000e0101", "a\\U000e0101"),
        ("\u3164\u2800\u115f", "\\u3164\\u2800\\u115f"),
        ("\U00016fe4\U0001d159", "\\U00016fe4\\U0001d159"),
        ("a" + "\u0301" * limits.MARKS + "b", "a" + "\u0301" * limits.MARKS + "b"),
        ("a" + "\u0301" * (limits.MARKS + 2), "a" + "\u0301" * limits.MARKS + "\\u0301" * 2),
        ("a\u20dd" * 9, "a\u20dd" * 9),
        ("\ud800", "\\ud800"),
        ("héllo wörld 漢字 🐈", "héllo wörld 漢字 🐈"),
        ("", ""),
    ],
)
def test_what_deceives_becomes_a_visible_escape(text: str, seen: str) -> None:
    assert shown(text) == seen


@given(anything, st.integers(0, 60))
@example("a🐈b", 2)
@example("\ud800\ud800", 4)
@example("é", 0)
def test_a_cut_never_splits_a_character_and_counts_what_it_left_out(text: str, limit: int) -> None:
    kept, left_out = clip(text, limit)
    whole, size = (len(part.encode("utf-8", "surrogatepass")) for part in (text, kept))
    assert text.startswith(kept)
    assert size <= limit or whole <= limit
    assert size + left_out == whole
    assert left_out == 0 or limit - size < 4


@given(anything)
def test_clean_text_can_be_stored(text: str) -> None:
    stored = clean(text)
    assert stored.encode().decode() == stored
    assert len(stored) == len(text)


@given(st.binary())
def test_bytes_of_unknown_origin_are_always_some_text(raw: bytes) -> None:
    text = decoded(raw)
    assert (text.encode() == raw) != ("\ufffd" in text and "\ufffd".encode() not in raw)


@given(anything)
def test_quoted_text_is_one_line_of_visible_characters(text: str) -> None:
    line = quoted(text)
    assert line[0] == line[-1] == '"'
    assert not any(map(deceives, line))


@given(st.text(alphabet="a \t\n\u3000«»"))
def test_unpadded_text_holds_no_three_blanks_and_no_marks_but_ours(text: str) -> None:
    made = unpadded(text)
    assert not re.search("[ \t\u3000]{3}", made) and not re.search("\n([ \t\u3000]*\n){3}", made)
    assert re.fullmatch("(?:[^«»]|«[0-9]+ (?:blanks|empty lines)»)*", made)


def test_padding_costs_time_in_proportion_to_its_length() -> None:
    assert len(unpadded(("\n" + " " * 99) * 20_000 + "x")) < 300_000
    assert unpadded(" " * 2**21) == f"«{2**21} blanks»"


@given(st.text(), st.integers(1, 100))
def test_brief_text_is_unicode_within_its_limit_and_a_note(text: str, limit: int) -> None:
    made = brief(text, limit)
    made.encode()
    if len(clean(text).encode()) <= limit:
        assert made == clean(text)
    else:
        assert made.endswith(" bytes left out]") and len(made.encode()) <= limit + 40
