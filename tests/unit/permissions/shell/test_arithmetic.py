from __future__ import annotations

import pytest

from wirken.permissions.shell import understand


def changed(text: str) -> set[str]:
    script = understand(text)
    assert script.doubts == ()
    return {one.name for command in script.commands for one in command.assigned}


@pytest.mark.parametrize(
    "formula",
    [
        *("x=5", "x = 5", "x+=1", "x -= 1", "x<<=1", "x>>=1", "x|=1", "x^=1", "x%=2", "x/=2", "x*=2", "x&=1"),
        *("x++", "x --", "++x", "-- x", "1+(x=5)", "y?x=5:1", "0||x++", "5-++x", "$((x=5))"),
    ],
)
def test_a_variable_that_a_formula_changes_is_assigned(formula: str) -> None:
    assert changed(f"echo $(({formula}))") == {"x"}
    assert changed(f'echo "$(({formula}))"') == {"x"}


@pytest.mark.parametrize("formula", ["x", "x==5", "x<=5", "x!=5", "x+ +y", "1+x", "x<<1", "-x", "x*-y", "(x)"])
def test_one_that_it_only_reads_is_not(formula: str) -> None:
    assert changed(f"echo $(({formula}))") == set()


def test_what_a_formula_gives_is_a_number_and_no_doubt_to_those_that_count_on() -> None:
    assert changed("echo $((x=5)); echo $((x+1))") == {"x"}


@pytest.mark.parametrize("text", ['echo "$$(ls)"', 'echo "$${x}"', "echo $$[1]", "echo {PATH}>x", "ls 1 {a}<x"])
def test_what_one_shell_takes_for_more_than_a_word_is_a_doubt(text: str) -> None:
    assert understand(text).doubts


@pytest.mark.parametrize("text", ['echo "$$"', "echo $$ >x", "echo {a} >x", "echo $$-x"])
def test_the_number_of_the_process_and_a_word_in_braces_are_none(text: str) -> None:
    assert not understand(text).doubts
