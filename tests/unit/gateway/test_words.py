from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirken.gateway.words import HELP, Answer, Unclear, word


@pytest.mark.parametrize("said", ["/stop", "/new", "/status", "/help", "/whoami"])
def test_a_word_stands_alone_in_any_case(said: str) -> None:
    assert word(f" {said.upper()}\n") == word(said) == said
    assert said in HELP
    for more in (f"{said} please", f"please {said}", f"{said}@bot", f"`{said}`", f"/{said}", said[1:]):
        assert word(more) is None


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("!approve ab12", Answer("ab12", "once")),
        ("!APPROVE ab12 once", Answer("ab12", "once")),
        ("!approve  ab12\n session ", Answer("ab12", "session")),
        ("!approve ab12 30D", Answer("ab12", "30d")),
        ("!deny ab12", Answer("ab12", "deny")),
        ("!deny ab12 not on a  Friday", Answer("ab12", "deny", "not on a  Friday")),
        ("!approve", Unclear()),
        ("!deny ", Unclear()),
        ("!approve ab12 for ever", Unclear()),
        ("!approve ab12 deny", Unclear()),
        ("!approved ab12", None),
        ("! approve ab12", None),
        ("I say !approve ab12", None),
        ("", None),
    ],
)
def test_an_answer_in_words_is_read_to_the_letter(said: str, meant: Answer | Unclear | None) -> None:
    assert word(said) == meant


@given(st.text())
def test_whatever_is_said_is_read(text: str) -> None:
    meant = word(f"!approve {text}")
    assert not isinstance(meant, Answer) or meant.choice != "deny"
