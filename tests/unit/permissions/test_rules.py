from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirken.permissions import path_names, rules, wrappers
from wirken.permissions.names import verb
from wirken.permissions.rules import may_be_remembered

TABLES = {
    name: table
    for name, table in {**vars(rules), **vars(path_names)}.items()
    if isinstance(table, frozenset | tuple) and name.isupper() and not name.startswith("LOOKUP")
}


def test_the_sixteen_are_the_sixteen_of_the_design() -> None:
    sixteen = "curl wget ssh scp sftp sudo su doas kubectl helm docker podman nc ncat socat git"
    assert frozenset(sixteen.split()) == rules.HIGH_RISK
    assert len(rules.HIGH_RISK) == 16


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_tables_hold_folded_words_without_blanks_or_remains_of_a_broken_line(table: frozenset[str]) -> None:
    for word in table:
        assert word == word.casefold().strip()
        assert word
        assert not word.endswith("-")


def test_no_verb_stands_in_two_tables() -> None:
    opened = wrappers.OPENED - {"sudo", "su", "doas"}  # these are of the sixteen, and opened to show what they run
    tables = [rules.HIGH_RISK, rules.DESTRUCTIVE, rules.OPAQUE, rules.INTERPRETERS, opened]
    assert sum(map(len, tables)) == len(frozenset[str]().union(*tables))


@pytest.mark.parametrize("table", [rules.HIGH_RISK, rules.DESTRUCTIVE, rules.OPAQUE, wrappers.OPENED])
def test_every_verb_of_a_table_is_what_its_own_name_is_judged_by(table: frozenset[str]) -> None:
    """Otherwise the entry could never match."""
    for word in table:
        assert verb(word) == word


def test_every_interpreter_is_judged_as_one() -> None:
    for word in rules.INTERPRETERS:
        assert verb(word) in rules.INTERPRETERS
    assert rules.READS_CODE <= rules.INTERPRETERS
    assert not rules.EXEC_OPTIONS.keys() & rules.INTERPRETERS


def test_variables_of_the_lookup_table_are_in_capitals() -> None:
    assert all(name == name.upper() for name in (*rules.LOOKUP, *rules.LOOKUP_PREFIXES))


@pytest.mark.parametrize("key", ["shell:ls", "shell:python", "shell:./build.sh", "shell:sh", "file:/etc/passwd"])
def test_a_tier_2_action_may_be_remembered(key: str) -> None:
    assert may_be_remembered(key)


@pytest.mark.parametrize(
    "key",
    [
        *(f"shell:{verb}" for verb in sorted(rules.HIGH_RISK | rules.DESTRUCTIVE | rules.OPAQUE)),
        "shell:CURL",
        "shell:/usr/bin/curl",
        "shell:./curl",
        "shell:netcat",
        "shell:git-lfs",
        "shell::dynamic:",
        "shell:",
        "shell",
        "",
        "shell::pipeline:",
        "shell::nothing:",
        "file:notes.txt",
        "file:/etc/*",
        "file:/etc/../etc/passwd",
        "file:/workspace/x",
        "file:/tmp/x",
        "file:/etc/shadow",
        "file:/home/x/.ssh/id_rsa",
        "file:*/../x",
        "file:",
        "network:example.com",
        "mcp:a/b",
        "tool:x",
        "Shell:ls",
        " shell:ls",
    ],
)
def test_anything_that_can_be_tier_3_is_never_remembered(key: str) -> None:
    assert not may_be_remembered(key)


@given(st.text(st.characters()))
def test_any_text_is_a_key_that_may_be_remembered_or_not(key: str) -> None:
    assert not may_be_remembered(key) or key.startswith(("shell:", "file:/"))
