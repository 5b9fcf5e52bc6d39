from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.programs import SomePrograms

from wirken.permissions import rules
from wirken.permissions.programs import wrappers
from wirken.permissions.programs.verbs import NOTHING_KNOWN, behind, is_installed, is_ordinary, verb


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("ls", "ls"),
        ("LS", "ls"),
        ("/usr/bin/Ls", "ls"),
        ("./a/b/rm", "rm"),
        ("python3.11", "python"),
        ("mkfs.ext4", "mkfs"),
        ("git-upload-pack", "git"),
        ("netcat", "nc"),
        ("vim.basic", "vim"),
        ("ld-linux-x86-64.so.2", "ld.so"),
        ("gitx", "gitx"),
        ("zsh5", "zsh"),
        ("zsh-5.9", "zsh"),
        ("tclsh8.6", "tclsh"),
        ("bash-static", "bash"),
        ("socat1", "socat"),
        ("pip3.11", "pip3"),
        ("g++-13", "g++"),
        ("grm", "rm"),
        ("gnurm", "rm"),
        ("gxargs", "xargs"),
        ("start-stop-daemon", "start-stop-daemon"),
        ("systemd-inhibit", "systemd"),
        ("md5sum", "md5sum"),
        ("b2sum", "b2sum"),
        ("ls2", "ls2"),
        ("gls", "gls"),
        ("rm" + "2" * 253, "rm"),
        ("rm" + "2" * 254, "rm" + "2" * 254),
        ("", ""),
        ("/", ""),
    ],
)
def test_a_program_is_judged_by_the_folded_end_of_its_path(word: str, name: str) -> None:
    assert verb(word) == name


@given(st.text("grmsudohl-.0123456789", max_size=12))
def test_a_name_is_shortened_only_to_one_that_raises_what_is_asked(word: str) -> None:
    assert verb(word) in (word, "nc", *rules.WARY, *wrappers.OPENED, "sort", "tee", "cp", "mv", "ln", "chmod")


@given(st.text(st.characters()))
def test_any_word_has_a_name_that_does_not_depend_on_capitals_or_folders(word: str) -> None:
    assert verb(f"/usr/bin/{word}") == verb(word)
    if word.isascii():
        assert verb(word.upper()) == verb(word.lower())


def test_a_link_counts_as_what_it_leads_to_and_one_to_many_programs_as_itself() -> None:
    programs = SomePrograms()
    assert behind("fetch", programs) == "curl"
    assert behind("/usr/bin/fetch", programs) == "curl"
    assert behind("./fetch", programs) == "fetch"
    assert behind("applet", programs) == "applet"
    assert behind("nobody", programs) == "nobody"
    assert behind("fetch", NOTHING_KNOWN) == "fetch"


@pytest.mark.parametrize("word", ["ls", "/bin/ls", "/usr/bin/ls", "/usr/local/bin/x", "/sbin/x"])
def test_the_machines_own_programs_are_installed(word: str) -> None:
    assert is_installed(word)


@pytest.mark.parametrize(
    "word", ["./ls", "a/ls", "/tmp/ls", "/usr/bin/", "/usr/bin/../../tmp/ls", "/workspace/ls", "/opt/x"]
)
def test_a_file_that_somebody_may_have_written_is_not(word: str) -> None:
    assert not is_installed(word)


@pytest.mark.parametrize("name", ["ls", "g++", "a.b_c-d", "[", ":", ".", "7z"])
def test_names_of_programs_are_ordinary(name: str) -> None:
    assert is_ordinary(name)


@pytest.mark.parametrize("name", ["", "-x", "a b", "a=b", "a;b", "ä", "$x", "a\nb", "[[", "a/b", "{", "!"])
def test_what_no_program_is_called_is_not(name: str) -> None:
    assert not is_ordinary(name)
