from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirken.permissions import rules
from wirken.permissions.programs import wrappers
from wirken.permissions.programs.opening import Opened
from wirken.permissions.programs.verbs import verb
from wirken.permissions.shell import grammar
from wirken.permissions.shell.words import SOMETHING, UNKNOWN, Word, Words, literal

word_texts = st.sampled_from(
    ["a", "-a", "-c", "--", "-", "-x", "5", "A=1", "{}", ";", "+", "-exec", ":::", "", "x y", "-I{}"]
)
some_words = st.lists(word_texts.map(Word) | st.just(SOMETHING) | st.just(Word(UNKNOWN)), max_size=6)


def words_of(text: str) -> Words:
    reading, problem = grammar.read(text)
    assert not problem
    return reading.commands[-1].words


def opened(text: str) -> Opened:
    words = words_of(text)
    found = wrappers.open_up(verb(words[0].text), words)
    assert found is not None
    return found


def inner(text: str) -> list[str]:
    """What runs inside, unknown stretches as §, texts of shells in brackets."""
    found = opened(text)
    assert not found.doubts, found.doubts
    commands = [" ".join(word.text.replace(UNKNOWN, "§") for word in words) for words in found.commands]
    return commands + [f"[{script}]" for script in found.scripts]


@given(st.sampled_from(sorted(wrappers.OPENED)), some_words)
def test_any_words_are_opened_or_doubted(name: str, rest: list[Word]) -> None:
    found = wrappers.open_up(name, (Word(name), *rest))
    assert found is not None
    assert all(words for words in found.commands)


def test_what_is_no_wrapper_is_not_opened() -> None:
    assert wrappers.open_up("ls", literal(("ls", "rm"))) is None


def test_no_wrapper_stands_in_another_table_than_that_of_the_sixteen() -> None:
    others = rules.DESTRUCTIVE | rules.OPAQUE | rules.INTERPRETERS
    assert not wrappers.OPENED & others


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("env", []),
        ("env -i A=1 'B C'=2 ls x", ["ls x"]),
        ("env -u A - ls", ["ls"]),
        ("env -S 'A=1 ls -l' x", ["ls -l x"]),
        ("env -S ls -- x", ["ls -- x"]),
        ("env -iS '-u A ls' x", ["ls x"]),
        ("nice -n 5 ls", ["ls"]),
        ("nice -5 ls", ["ls"]),
        ("timeout -k 1 5s ls", ["ls"]),
        ("timeout --foreground 5 ls -x", ["ls -x"]),
        ("stdbuf -oL -e0 ls", ["ls"]),
        ("ionice -c2 -n 7 ls", ["ls"]),
        ("chrt -f 10 ls", ["ls"]),
        ("taskset -c 0 ls", ["ls"]),
        ("setsid -w ls", ["ls"]),
        ("nohup -- ls", ["ls"]),
        ("time -p ls", ["ls"]),
        ("sudo -u root -- A=1 ls", ["ls"]),
        ("doas -u root ls", ["ls"]),
        ("setpriv --no-new-privs --reuid 5 ls", ["ls"]),
        ("exec ls x", ["ls x"]),
        ("exec", []),
        ("builtin eval x", ["eval x"]),
        ("command ls", ["ls"]),
        ("command -v ls", []),
        ("eval 'a b' c", ["[a b c]"]),
        ("trap 'a b' EXIT", ["[a b]"]),
        ("trap - EXIT", []),
        ("trap '' INT", []),
        ("trap", []),
        ("set -euo pipefail", []),
        ("set -- a b", []),
        ("sh -c 'a b' x", ["[a b]"]),
        ("sh -ec a", ["[a]"]),
        ("bash --norc -o pipefail -c a", ["[a]"]),
        ("bash -eo pipefail -c a", ["[a]"]),
        ("bash -c -x -- a", ["[a]"]),
        ("su -lc 'a b' root", ["[a b]"]),
        ("su root --command=a", ["[a]"]),
        ("script -qc 'a b' x", ["[a b]"]),
        ("watch -n 1 a b", ["[a b]"]),
        ("watch -x a b", ["a b"]),
        ("flock -w 5 x a b", ["a b"]),
        ("flock x -c 'a b'", ["[a b]"]),
        ("flock 9", []),
        ("busybox a b", ["a b"]),
        ("busybox", []),
        ("xargs", ["echo §"]),
        ("xargs -0 -n1 a b", ["a b §"]),
        ("xargs -I{} a {}b c", ["a §b c"]),
        ("xargs -i a {}", ["a §"]),
        ("find . -name x -exec a {} b \\; -ok c \\;", ["a § b", "c"]),
        ("find . -exec a b {} +", ["a b §"]),
        ("find . -exec a + \\;", ["a +"]),
        ("parallel a ::: b c", ['[a "$1"]']),
        ("parallel a '{.}' x ::: b", ['[a "$1" x]']),
        ("parallel ::: a 'b c'", ["[a]", "[b c]"]),
    ],
)
def test_what_a_wrapper_runs_is_found_behind_its_options(text: str, runs: list[str]) -> None:
    assert inner(text) == runs


@pytest.mark.parametrize(
    "text",
    [
        "env -z ls", "env $x ls", "env -C / ls", "env -S 'a\\_b'", "env -S '-S x y'", "timeout $x ls", "timeout * ls",
        "nice --x ls", "chroot / ls", "chroot /", "unshare ls", "nsenter ls", "sudo -i", "sudo -e x", "doas -s",
        "exec -a x ls", "exec $x", "eval $x", 'eval "$x"', "eval *", "eval -- a", 'trap "$x" EXIT', "set -k", "set $x",
        "sh", "sh -s", "sh x", "sh -c", 'sh -c "$x"', "sh -i -c a", "sh $x -c a", "bash -O extglob -c a",
        "bash --rcfile x -c a", "su", "su root", "script", "script x", "watch $x", "watch -z a", "flock $x ls",
        "source x", ". x", "xargs -z a", 'xargs -I "$x" a', "find $x", 'find "$x"', "find . -exec a", "find . -zzz",
        "find . -name $x", "find *", "parallel", "parallel -z a", "parallel :::: x", "parallel 'a \"{}\"' ::: b",
        "parallel $x ::: a", "coproc a",
    ],
)  # fmt: skip
def test_what_cannot_be_known_is_a_doubt(text: str) -> None:
    assert opened(text).doubts


@pytest.mark.parametrize(
    "text", ["bash -ic 'a b'", "bash --rcfile x -c 'a b'", "bash -O extglob -c 'a b'", "zsh -Zc -- 'a b'"]
)
def test_what_a_shell_with_odd_options_most_likely_runs_is_named_beside_the_doubt(text: str) -> None:
    assert opened(text).doubts and opened(text).scripts == ("a b",)


def test_a_wrapper_tells_which_variables_it_sets() -> None:
    assert [one.name for one in opened("env A=1 B=2 ls").assigned] == ["A", "B"]
    assert [one.name for one in opened("sudo A=1 ls").assigned] == ["A"]
    assert [one.name for one in opened("xargs --process-slot-var=A ls").assigned] == ["A"]


def test_what_is_found_before_a_plus_may_be_any_number_of_words() -> None:
    assert opened("find . -exec a {} +").commands[0][-1] == SOMETHING
    assert not opened("find . -exec a {} \\;").commands[0][-1].splits
