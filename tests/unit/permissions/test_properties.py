"""No wording lowers a tier: properties over random commands, contexts and spellings."""

from __future__ import annotations

import shlex
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.programs import SomePrograms
from tests.support.shell_scripts import Scripts

from wirken.domain.actions import Place, Tier
from wirken.permissions.profiles import Profile, judge_argv, judge_text

PLACE = Place("/work", "bubblewrap")
ANY = settings(max_examples=300, deadline=None)

seeds = st.integers(0, 10**9)
profiles: st.SearchStrategy[Profile] = st.sampled_from(["standard", "strict"])

VERBS = st.sampled_from(
    "ls cat rm curl git python3 awk env find sh mv touch chmod echo sudo make ./x /usr/bin/wc timeout xargs cd".split()
)
ARGUMENTS = st.sampled_from(
    "a notes.txt .env AGENTS.md .git/config x=.ssh/id_rsa -o.env ../x /etc/passwd --f=.envrc -R -delete -c 5 rm "
    "-exec ; {} -i x.pem".split()
)
COMMANDS = st.builds(lambda verb, rest: [verb, *rest], VERBS, st.lists(ARGUMENTS, max_size=4))

CONTEXTS = [
    "{}", " {} ", "{};", "{}\n", "\n\n{}", "({})", "( {} )", "{{ {}; }}", "! {}", "{} &", "true; {}", "{}; true",
    "true && {}", "false || {}", "true | {}", "{} | cat", "{} # rm", "x=1; {}", "if {}; then :; fi",
    "if true; then {}; fi", "if :; then :; else {}; fi", "if :; then :; elif {}; then :; fi", "while {}; do :; done",
    "while :; do {}; done", "until :; do {}; done", "for i in a; do {}; done", "case a in a) {};; esac",
    "case a in\n(a|b)\n{}\n;;\nesac", "f() {{ {}; }}; f", "f() ({}); f", "echo $({})", 'echo "a $({}) b"', "x=$({})",
    "echo ${{x:-$({})}}", "cat <<E\n$({})\nE\n", "cat <<'E'\nx\nE\n{}", "{} > out", "{} < in", "{} 2>&1 | cat",
    "[ -n \"$({})\" ]", "echo $((1 + $({})))", "cat <({})", "cat <<< \"$({})\"", "coproc {}", "[[ -n $({}) ]]",
    "function f {{ {}; }}", "time {}", "{{ {}; }} 2>&1 | {{ cat; }}", "(true; (true; ({})))", "$(:; {})",
    "true &&\n\n{}",
]  # fmt: skip
PREFIXES = [
    "env", "env -i A=1", "nohup", "nice -n 5", "ionice -c 3", "timeout 5", "time", "setsid", "stdbuf -o0", "xargs",
    "xargs -n 1", "command", "sudo", "doas", "chroot .", "unshare -r", "nsenter -t 1", "busybox", "toybox",
    "flock lock", "exec", "builtin", "watch -x", "chrt 10", "taskset 1", "setpriv --no-new-privs",
]  # fmt: skip
TEXTS = [
    "sh -c",
    "bash -lc",
    "bash --norc -c",
    "dash -ec",
    "zsh -c",
    "ksh -o pipefail -c",
    "eval",
    "su -c",
    "watch",
    "flock lock -c",
    "script -c",
    "parallel :::",
]


def tier(text: str, profile: Profile = "standard") -> Tier:
    return judge_text(text, profile, PLACE, SomePrograms()).tier


def keys(text: str) -> set[str]:
    return set(judge_text(text, "standard", PLACE, SomePrograms()).classified().keys)


@given(COMMANDS, st.sampled_from(CONTEXTS), profiles)
@ANY
def test_no_context_lowers_the_tier_of_a_command(words: list[str], context: str, profile: Profile) -> None:
    plain = shlex.join(words)
    assert tier(context.format(plain), profile).rank >= tier(plain, profile).rank


@given(seeds, st.sampled_from(CONTEXTS), profiles)
@ANY
def test_no_context_lowers_the_tier_of_a_whole_text(seed: int, context: str, profile: Profile) -> None:
    text = Scripts(seed).text()
    if text.endswith("\\\n"):
        text += "\n"  # a line that goes on is no text by itself: it would go on in what the context has next
    lower = tier(context.format(text), profile).rank < tier(text, profile).rank
    assert not (lower and _is_whole(text))


def _is_whole(text: str) -> bool:
    """Is this a text by itself? One that closes more brackets than it opens becomes another one in a context."""
    return subprocess.run(["bash", "-n", "-c", text], stderr=subprocess.DEVNULL, check=False).returncode == 0


@given(COMMANDS, st.lists(st.sampled_from(PREFIXES), min_size=1, max_size=3), profiles)
@ANY
def test_no_wrapper_lowers_the_tier_of_a_command_or_hides_it(
    words: list[str], prefixes: list[str], profile: Profile
) -> None:
    plain = shlex.join(words)
    wrapped = " ".join([*prefixes, plain])
    assert tier(wrapped, profile).rank >= tier(plain, profile).rank
    if tier(wrapped) is not Tier.THREE:
        assert keys(plain) <= keys(wrapped)


@given(COMMANDS, st.lists(st.sampled_from(TEXTS), min_size=1, max_size=3), profiles)
@ANY
def test_no_shell_around_a_command_lowers_its_tier(words: list[str], texts: list[str], profile: Profile) -> None:
    text = plain = shlex.join(words)
    for shell in texts:
        text = f"{shell} {shlex.quote(text)}"
    assert tier(text, profile).rank >= tier(plain, profile).rank


@given(COMMANDS, st.data(), profiles)
@ANY
def test_no_spelling_lowers_the_tier_of_a_command(words: list[str], data: st.DataObject, profile: Profile) -> None:
    """Quotes, backslashes, line continuations and comments, anywhere; capitals in the verb."""
    plain = shlex.join(words)
    spelled = [_spelled(word, data) for word in words]
    if data.draw(st.booleans()):
        spelled[0] = spelled[0].swapcase()
    blank = data.draw(st.sampled_from([" ", "  ", "\t", " \\\n ", "\\\n "]))
    text = blank.join(spelled) + data.draw(st.sampled_from(["", " # x", "\n", " \\\n", ";", "\n# x"]))
    assert tier(text, profile).rank >= tier(plain, profile).rank


def _spelled(word: str, data: st.DataObject) -> str:
    parts = []
    for letter in word:
        match data.draw(st.sampled_from(["plain", "plain", "single", "double", "back", "empty", "line"])):
            case "single":
                parts.append(f"'{letter}'")
            case "double":
                parts.append(f'"{letter}"')
            case "back":
                parts.append(f"\\{letter}")
            case "empty":
                parts.append(f"''{shlex.quote(letter)}\"\"")
            case "line":
                parts.append(f"\\\n{shlex.quote(letter)}")
            case _:
                parts.append(shlex.quote(letter))
    return "".join(parts)


@given(COMMANDS, profiles)
@ANY
def test_an_argv_and_the_same_words_in_a_text_are_judged_alike(words: list[str], profile: Profile) -> None:
    by_argv = judge_argv(tuple(words), "standard", PLACE, SomePrograms())
    by_text = judge_text(shlex.join(words), "standard", PLACE, SomePrograms())
    assert by_argv.classified() == by_text.classified()


@given(seeds)
@ANY
def test_a_second_text_behind_the_first_never_takes_anything_back(seed: int) -> None:
    """A reader that is led astray by one line must not lose what stood before it.

    The first is judged with a harmless line behind it, because one that breaks off (`ls |`) is no text by itself; no
    more is one with a quote that the second closes.
    """
    scripts = Scripts(seed)
    first, second = scripts.text(), scripts.text()
    lower = tier(f"{first}\n{second}").rank < tier(f"{first}\ntrue").rank
    assert not (lower and _is_whole(f"{first}\ntrue"))


@pytest.mark.parametrize(
    "text",
    [
        ">a >b ls >c",
        "2>&1 >a ls >c",
        "<a >b ls x >c",
        "0<f ls",
        "0>f ls",
        "time 0<f ls",
        "time >a >b ls >c",
        "declare 'x' $",
        "export x$",
        "[ $ ]",
        "time unset $",
        "chmod == &",
        "ls =~",
        "ls == >f",
        "[ 'a'$# ",
    ],
)
def test_what_the_other_reader_takes_for_something_else_in_some_contexts_is_a_doubt_in_all(text: str) -> None:
    for context in CONTEXTS:
        assert tier(context.format(text)) is Tier.THREE, context


def test_forms_like_the_odd_ones_stay_certain() -> None:
    for text in (">a ls >b", ">a >b ls", "ls >a 2>&1", "3<f ls", "echo $", "[ x = y ]", "time ls >a", "export x=1 y"):
        assert tier(text) is Tier.TWO, text
