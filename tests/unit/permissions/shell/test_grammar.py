from __future__ import annotations

import shlex
import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wirken.domain import limits
from wirken.permissions.shell import grammar
from wirken.permissions.shell.words import UNKNOWN, Command

anything = st.text(st.characters())
shell_text = st.text(st.sampled_from(list("ab/.-=:,@+_ \t'\"'\" \\$`;|&<>(){}[]*?!#~^%\n\r012")), max_size=40)
plain_text = st.text(st.sampled_from(list("ab/.-=:,@+_ \t'\"'\"'\"\\%^")), max_size=30)


def read(text: str) -> list[Command]:
    reading, problem = grammar.read(text)
    assert not problem, problem
    return reading.commands


def problem(text: str) -> str:
    return grammar.read(text)[1]


def verbs(text: str) -> list[str]:
    return [
        " ".join(word.text.replace(UNKNOWN, "§") for word in command.words) for command in read(text) if command.words
    ]


@given(anything | shell_text)
@settings(max_examples=500, deadline=None)
def test_any_text_is_read_or_given_up_with_a_reason(text: str) -> None:
    reading, why = grammar.read(text)
    assert len(reading.commands) <= limits.COMMANDS
    assert why or reading.at == len(text)


@given(plain_text)
@example("a'b'\"c\"")
@example("'' ''")
@example('a\t "b c"')
@example('a"\\x"')
@settings(max_examples=500, deadline=None)
def test_the_words_of_a_simple_command_are_those_that_shlex_sees(text: str) -> None:
    """Python's shlex, made by others, as the oracle; real shells are asked in test_differential.py."""
    reading, why = grammar.read("ls " + text)
    if not why:
        assert [word.text for word in reading.commands[-1].words] == ["ls", *shlex.split(text)]


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(plain_text)
def test_the_words_of_a_simple_command_are_those_that_sh_passes_on(text: str) -> None:
    reading, why = grammar.read("ls " + text)
    if why or len(reading.commands) != 1:
        return
    ran = subprocess.run(["/bin/sh", "-c", "printf '%s\\0' ls " + text], capture_output=True, check=True)
    assert ran.stdout.decode().split("\0")[:-1] == [word.text for word in reading.commands[0].words]


@pytest.mark.parametrize("text", ["cp a == >x", "[ a =~ b ] <x", "cp == \\\n2>&1"])
def test_a_comparison_before_a_redirection_is_a_doubt_in_every_context(text: str) -> None:
    for context in ("{}", "f() ({}); f", "$({})", "if true; then {}; fi"):
        assert problem(context.format(text))
    assert not problem("[ a == b ] && cp x y >z")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a; b & c", ["a", "b", "c"]),
        ("a && b || c", ["a", "b", "c"]),
        ("a |\n b", ["a", "b"]),
        ("(a; (b))", ["a", "b"]),
        ("{ a; b; } > x", ["a", "b"]),
        ("! a", ["a"]),
        ("if a; then b; elif c; then d; else e; fi", ["a", "b", "c", "d", "e"]),
        ("while a; do b; done", ["a", "b"]),
        ("until a\ndo\nb\ndone", ["a", "b"]),
        ("for i in x y; do a $i; done", ["a §"]),
        ("for i\nin x; do a; done", ["a"]),
        ("case x in (p|q) a;; r) b; esac", ["a", "b"]),
        ("case x in esac; a", ["a"]),
        ("f() { a; }; f", ["a", "f"]),
        ("f() (a)\nf", ["a", "f"]),
        ("a $(b; c) `d`", ["b", "c", "d", "a § §"]),
        ('a "x$(b "$(c)")y"', ["c", "b §", "a x§y"]),
        ("a ${x:-$(b)} ${x%.*} $((1+2)) $?", ["b", "a § § § §"]),
        ("a <<E\n$(b) `c`\nE\nd", ["a", "d", "b", "c"]),
        ("a <<'E'\n$(b)\nE\nd", ["a", "d"]),
        ("a <<-E | d\n\tx\n\tE\ne", ["a", "d", "e"]),
        ("a <<E; b <<F\n$(c)\nE\n$(d)\nF\n", ["a", "b", "d", "c"]),
        ("x=1 y=$(b) a", ["b", "a"]),
        ("> o a 2>&1 < i b", ["a b"]),
        ("a \\\n b\\\n c", ["a b c"]),
        ("a # b\nc", ["a", "c"]),
        ("a b#c", ["a b#c"]),
        ("a {} { } [ ] ! if", ["a {} { } [ ] ! if"]),
        ("a ~ ~/b c~", ["a /tmp /tmp/b c~"]),
        ("a 'b c'\"d\"\\ e", ["a b cd e"]),
        ("a *.c [xy]z ? {p,q}r", ["a §.c §z § §"]),
        ("'if' x", ["if x"]),
        ("", []),
        ("# a", []),
        ("\n\n", []),
    ],
)
def test_every_command_is_found_wherever_it_stands(text: str, found: list[str]) -> None:
    assert verbs(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "a &> b", "a |& b", "a <<< b", "a <(b)", "a >(b)", "((a))", "[[ a ]]", "function f { a; }",
        "select x in a; do b; done", "a=(b)", "a[0]=b", "a+=b", "$'a'", "$\"a\"", "${a/b/c}", "${a:1}", "${!a}",
        "${a@P}", "${a^}", "${ a; }", "$[1]", "a 22>b", "a >&b", "a 2>&1-", "for ((;;)); do a; done", "f() a", "a;;",
        "a;&", "! ! a", "~a/b", "a @(b)", "'a", "\"a", "`a", "$(a", "${a", "$((1", "(a", "{ a", "if a", "if a; then b",
        "while a; do b", "case a in b) c", "for a", "a)", "a }; }", "then", "done", "}", "fi", "a &&", "a |", "| a",
        "; a", "a ; ; b", "&", "a <<E", "a <<E\nb", "a\\", "a > ", "a >|", "r\\\nm", "$\\\n(a)", "(\\\n(a))",
        "a <<E $(b\n)\nE", "a `b \\`c\\``", "a \"`b \"c\"`\"", "a <<E\nb\\\nE\nE", "a <<$x\nb\n$x", "a () ( b ) c",
        "fi rm", "(a) b", "a (b)", "{ a; } b",
    ],
)  # fmt: skip
def test_what_shells_read_differently_or_not_at_all_is_not_plain(text: str) -> None:
    assert problem(text)


def test_reading_gives_up_before_it_nests_too_deeply_or_finds_too_much() -> None:
    assert problem("$(" * 200 + "a" + ")" * 200)
    assert problem("(" + "( " * 200 + "a" + ")" * 201)
    assert problem("a;" * (limits.COMMANDS + 1))
    assert not problem("a;" * limits.COMMANDS)


def test_what_a_pipe_feeds_is_known_in_groups_loops_substitutions_and_functions() -> None:
    def fed(text: str) -> set[str]:
        return {command.words[0].text for command in read(text) if command.words and command.piped}

    assert fed("a | b | c; d") == {"b", "c"}
    assert fed("a | { b; (c); }; d") == {"b", "c"}
    assert fed("a | while b; do c; done") == {"b", "c"}
    assert fed("a | b $(c)") == {"b", "c"}
    assert fed("f() { b; }; a | f") == {"b", "f"}
    assert fed("f() { b; }; f") == set()


def test_assignments_redirections_and_their_targets_are_noted() -> None:
    (first,) = read("x=1 y='a b' a > o 2>> 'p q' < i <&3 2>&1 >| r")
    assert [(one.name, one.value.text) for one in first.assigned] == [("x", "1"), ("y", "a b")]
    assert [(one.target.text, one.writes) for one in first.redirects] == [
        ("o", True),
        ("p q", True),
        ("i", False),
        ("r", True),
    ]
    assert [one.assigned[0].name for one in read("for v in a; do b; done") if one.assigned] == ["v"]
    assert next(one.assigned[0].name for one in read("a ${v:=b}") if one.assigned) == "v"


@pytest.mark.parametrize(
    ("text", "several"),
    [("$x", True), ('"$x"', False), ('"$@"', True), ("$#", False), ("$!", True), ("$((1))", False), ("`a`", True)],
)
def test_it_is_known_which_words_may_become_several(text: str, several: bool) -> None:
    assert read(f"a {text}")[-1].words[1].splits is several


def test_it_is_known_which_words_are_numbers() -> None:
    words = read('a 1 12 $((x)) "$((x))" $# $? 1x $x "" -1')[-1].words
    assert [word.counts for word in words] == [False, *[True] * 6, *[False] * 4]
