from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirken.permissions.programs.conditions import DESTROYS, has_option, runs_others
from wirken.permissions.programs.shell_verbs import BUILTINS, assigning, changes_lookup
from wirken.permissions.rules import EXEC_OPTIONS
from wirken.permissions.shell import grammar
from wirken.permissions.shell.words import Words


def words_of(text: str) -> Words:
    reading, problem = grammar.read(text)
    assert not problem
    return reading.commands[-1].words


@pytest.mark.parametrize(
    "text",
    [
        "chmod -R a b", "chmod a b -R", "chmod -vR a", "chmod --recursive a", "chmod --recu a", "chmod $x a",
        'chmod "$x" a', "chmod * a", "chown --rec a b", "chgrp -R a b", "find . -delete", "find . -fprint x",
        "mv a /tmp/b", "mv a /dev/null", "mv ../a b", "mv $x b", 'mv "$x" b', "mv -t /tmp a", "tee /etc/x", "tee $x",
        "tee -a ../x", "cp a /etc/x", "cp a $x", "cp a *", "ln -s a /usr/x", "sed -i p /etc/x",
        "sed --in-place=.b p ../x", "tar cf x --remove-files y", "rsync --delete a b", "rsync --del a b",
    ],
)  # fmt: skip
def test_these_arguments_destroy(text: str) -> None:
    words = words_of(text)
    assert DESTROYS[words[0].text](words)


@pytest.mark.parametrize(
    "text",
    [
        "chmod +x a", "chmod -v 644 a", "chmod -- a", "chown a b", "find . -name delete", "mv a b", "mv *.txt b",
        "mv -f a b/", "tee a /tmp/b", "tee -a x", "tee", "cp a b", "cp /etc/x b", "cp -r a b", "ln -s ../a b",
        "sed p /etc/x", "sed -i p x", "tar cf a b", "rsync -a b c",
    ],
)  # fmt: skip
def test_these_do_not(text: str) -> None:
    words = words_of(text)
    assert not DESTROYS[words[0].text](words)


@pytest.mark.parametrize(
    "text",
    [
        "read $x", 'read "$x"', "read PATH", "read -r a IFS", "export PATH=x", 'export "$x"', "export A PATH",
        "readonly LD_PRELOAD", "local PATH=1", "local -n a", "declare -i a", "typeset +x a", "unset 'a[$(b)]'",
        "unset PATH", "getopts a PATH", "getopts a 'x[1]'", "let 'a[$(b)]'", 'let "$x"', "let PATH=1", "printf -v a b",
        'printf "$x"', "printf $x", "test -v a", "[ -v a ]", "[ $x ]", "[ * = a ]", '[ "$x" "$y" ]', "test -R a",
        "cd /", "cd ..", "cd $x", 'cd "$x"', "cd a/../..", "pushd /etc", "chdir /etc", "cd -- /etc", "cd *",
    ],
)  # fmt: skip
def test_these_verbs_of_the_shell_may_run_or_find_something_else(text: str) -> None:
    words = words_of(text)
    assert BUILTINS[words[0].text](words)


@pytest.mark.parametrize(
    "text",
    [
        "read x", "read -r a b", "read -p 'name? ' x", "export A=1", 'export A="$x"', "readonly a", "local a=1",
        "unset a b", "unset -f a", "getopts ab: o", "let a=b+1", "printf '%s' $x", "printf -- -v", "test -f a",
        '[ "$x" = "$y" ]', '[ -n "$x" -a -z "$y" ]', "[ $# -gt 1 ]", "[ $? = 0 ]", '[ ! "$x" ]', "cd", "cd -",
        "cd a/b", "cd /tmp", "cd /workspace", "cd -P a", "pushd a", "cd a/..",
    ],
)  # fmt: skip
def test_these_may_not(text: str) -> None:
    words = words_of(text)
    assert not BUILTINS[words[0].text](words)


@pytest.mark.parametrize(
    "name", "PATH path LD_PRELOAD ld_x BASH_ENV ENV IFS PYTHONPATH NODE_OPTIONS GIT_SSH GIT_x HOME PS4 CDPATH".split()
)
def test_variables_that_change_lookup_are_known_in_any_case(name: str) -> None:
    assert changes_lookup(name)
    assert assigning(name)


@pytest.mark.parametrize("name", ["A", "FOO", "x", "PATHS", "MYPATH", "i", "", "LDX", "RESULT"])
def test_others_are_not(name: str) -> None:
    assert not changes_lookup(name)
    assert not assigning(name)


@given(st.sampled_from(sorted(EXEC_OPTIONS)))
def test_every_option_that_runs_others_is_found_long_and_short(name: str) -> None:
    letters, long = EXEC_OPTIONS[name]
    for option in [
        *(f"-{letter}" for letter in letters),
        *(f"--{option}=x" for option in long),
        *(f"--{option}" for option in long),
    ]:
        assert runs_others(name, words_of(f"{name} a {option}")), option
    assert runs_others(name, words_of(f"{name} $x"))
    assert not runs_others(name, words_of(f"{name} a b"))


def test_tar_takes_its_options_without_a_dash() -> None:
    assert runs_others("tar", words_of("tar cIf x y"))
    assert not runs_others("tar", words_of("tar czf x y"))
    assert not runs_others("ls", words_of("ls -I"))


def test_a_shortened_long_option_is_found_and_another_is_not() -> None:
    assert has_option(words_of("a --rec"), "", ("recursive",))
    assert not has_option(words_of("a --red"), "", ("recursive",))
    assert not has_option(words_of("a --"), "", ("recursive",))
