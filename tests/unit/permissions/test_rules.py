from __future__ import annotations

import pytest

from wirken.domain import steering
from wirken.permissions import paths, rules
from wirken.permissions.programs import wrappers
from wirken.permissions.programs.verbs import verb

TABLES = {
    name: table
    for name, table in {**vars(rules), **vars(paths), **vars(steering)}.items()
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


def test_no_verb_is_tame_and_something_worse() -> None:
    worse = rules.HIGH_RISK | rules.DESTRUCTIVE | rules.OPAQUE | rules.INTERPRETERS | rules.SHELLS
    assert not rules.TAME & (worse | wrappers.OPENED)


@pytest.mark.parametrize("table", [rules.HIGH_RISK, rules.DESTRUCTIVE, rules.OPAQUE, rules.TAME, wrappers.OPENED])
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
