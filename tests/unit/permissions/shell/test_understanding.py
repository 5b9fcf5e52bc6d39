from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wirken.domain import limits
from wirken.permissions.shell import tree, understand
from wirken.permissions.shell.words import UNKNOWN

anything = st.text(st.characters())


def named(text: str) -> set[str]:
    return {command.words[0].text for command in understand(text).commands if command.words}


@given(anything)
@settings(max_examples=300, deadline=None)
def test_any_text_is_understood_or_doubted(text: str) -> None:
    script = understand(text)
    assert len(script.commands) <= limits.COMMANDS


@given(anything)
@settings(deadline=None)
def test_the_second_reader_takes_any_text(text: str) -> None:
    tree.view(text)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("cat <(rm x) >(curl y)", {"cat", "rm", "curl"}),
        ('cat <<< "$(rm x)"', {"cat", "rm"}),
        ("[[ -n $(rm x) ]]", {"rm"}),
        ("a=(x $(rm x))", {"rm"}),
        ("function f { rm x; }", {"rm"}),
        ("for ((;;)); do rm x; done", {"rm"}),
        ("ls |& rm x", {"ls", "rm"}),
        ("echo ${x/$(rm)/b}", {"echo", "rm"}),
    ],
)
def test_what_is_not_plain_is_doubted_and_what_is_in_it_still_named(text: str, names: set[str]) -> None:
    assert understand(text).doubts
    assert names <= named(text)


def test_where_the_readers_do_not_agree_there_is_a_doubt() -> None:
    """Known places where tree-sitter's grammar errs on the side of an error."""
    for text in ("for x do ls; done", "a 3<>f", "cat <<A <<B\na\nA\nb\nB\n"):
        assert understand(text).doubts


def test_a_command_after_letters_of_more_than_one_byte_is_found_by_both_at_the_same_place() -> None:
    script = understand("echo é日🐈 'ü'; ls ß && rm ñ")
    assert not script.doubts
    assert [command.words[0].text for command in script.commands] == ["echo", "ls", "rm"]


def test_a_long_here_document_is_understood_and_a_longer_text_is_doubted() -> None:
    body = "a line of text\n" * 2000
    script = understand(f"cat > x <<'E'\n{body}E\nrm y")
    assert not script.doubts
    assert [command.words[0].text for command in script.commands] == ["cat", "rm"]
    assert understand(f"cat > x <<'E'\n{body * 10}E\n").doubts
    assert understand("ls " + "a " * limits.COMMAND_COMPARED).doubts


@pytest.mark.parametrize("text", ["ls \u202e", "ls \0", "ls \ud800", "\ufeffls", "ls a\u200bb"])
def test_characters_that_cannot_be_seen_are_a_doubt(text: str) -> None:
    assert understand(text).doubts


@pytest.mark.parametrize(
    "text",
    [
        "echo $((x))", "i=1; echo $((i+1))", "for i in 1 2; do echo $((i)); done", "i=$((i+1)); echo $((i))",
        "i=0; while [ $i -lt 3 ]; do i=$((i+1)); done", "n=$#; echo $((n))",
    ],
)  # fmt: skip
def test_arithmetic_with_nothing_but_numbers_is_certain(text: str) -> None:
    assert not understand(text).doubts


@pytest.mark.parametrize(
    "text",
    [
        "x=$(a); echo $((x))", "read x; echo $((x))", "x='a[$(b)]'; echo $((x))", "echo $(($1))", "echo $(($(a)))",
        "for x in a; do echo $((x)); done", "export x=1; echo $((x))", "eval x=y; echo $((x))", ". ./f; echo $((x))",
        "x=1; x=$y; echo $((x))", "trap 'x=y' EXIT; echo $((x))", "echo $((${x:-a}))",
    ],
)  # fmt: skip
def test_arithmetic_with_what_may_hold_a_formula_is_a_doubt(text: str) -> None:
    assert understand(text).doubts


def test_a_shell_that_another_command_starts_may_inherit_a_formula() -> None:
    assert understand("echo $((x))", nested=True).doubts
    assert not understand("echo $((1))", nested=True).doubts


def test_only_the_variable_that_is_a_number_counts_as_one() -> None:
    words = understand("i=1; ls $i $j '' a").commands[-1].words
    assert [word.counts for word in words] == [False, True, False, False, False]
    assert all(word.splits for word in words[1:3])
    assert [word.text for word in words[1:3]] == [UNKNOWN, UNKNOWN]
