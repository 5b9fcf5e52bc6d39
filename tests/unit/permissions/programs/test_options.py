from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirken.permissions.programs.options import Known, Parsed, parse
from wirken.permissions.shell.words import SOMETHING, UNKNOWN, Word, literal

KNOWN = Known("ab", "ct", "m", frozenset({"all", "maybe"}), frozenset({"cut", "time"}), frozenset({"t"}))


def parsed(*texts: str) -> Parsed:
    return parse(literal(texts), KNOWN)


@pytest.mark.parametrize(
    ("words", "rest"),
    [
        (["x", "-a"], ["x", "-a"]),
        (["-a", "-b", "x"], ["x"]),
        (["-ab", "x"], ["x"]),
        (["-c", "5", "x"], ["x"]),
        (["-c5", "x"], ["x"]),
        (["-abc", "5", "x"], ["x"]),
        (["-m", "x"], ["x"]),
        (["-m5", "x"], ["x"]),
        (["--all", "x"], ["x"]),
        (["--maybe=5", "x"], ["x"]),
        (["--cut", "5", "x"], ["x"]),
        (["--cut=5", "x"], ["x"]),
        (["--", "-a"], ["-a"]),
        (["-", "-a"], ["-", "-a"]),
        (["-t", "5", "-a", "x"], ["-a", "x"]),
        ([], []),
    ],
)
def test_a_command_begins_behind_its_wrappers_options(words: list[str], rest: list[str]) -> None:
    found = parsed(*words)
    assert [word.text for word in found.rest] == rest
    assert not found.doubt


@pytest.mark.parametrize("words", [["-z", "x"], ["-az", "x"], ["--no", "x"], ["--al", "x"], ["-c"], ["--cut"]])
def test_an_option_that_is_not_known_or_lacks_its_value_is_a_doubt(words: list[str]) -> None:
    assert parsed(*words).doubt


@pytest.mark.parametrize(
    "word", [SOMETHING, Word(UNKNOWN), Word(f"-{UNKNOWN}"), Word(f"--{UNKNOWN}"), Word("*", globs=True)]
)
def test_an_option_that_is_not_certain_is_a_doubt(word: Word) -> None:
    assert parse((word, Word("x")), KNOWN).doubt


def test_a_value_that_may_be_several_words_is_a_doubt_and_one_that_may_not_is_none() -> None:
    assert parse((Word("-c"), SOMETHING, Word("x")), KNOWN).doubt
    assert not parse((Word("-c"), Word(UNKNOWN), Word("x")), KNOWN).doubt


@given(st.lists(st.text("-abcmtz=x", max_size=4)))
def test_any_words_are_parsed_and_the_rest_is_their_end(words: list[str]) -> None:
    found = parsed(*words)
    assert not found.rest or [word.text for word in found.rest] == words[-len(found.rest) :]
