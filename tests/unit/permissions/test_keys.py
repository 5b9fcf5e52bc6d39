from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirken.permissions import rules
from wirken.permissions.keys import is_possible, may_be_remembered, of_program


@pytest.mark.parametrize(
    "key",
    ["shell:ls", "shell:python", "shell:./build.sh", "shell:/opt/x/ls", "shell::", "shell:sh", "file:/etc/passwd"],
)
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
        "shell:*",
        "shell:a b",
        "shell:l\u200bs",
        "shell:../x",
        "shell:./",
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


@pytest.mark.parametrize(
    ("name", "word", "key"),
    [
        ("ls", "ls", "shell:ls"),
        ("ls", "/usr/bin/ls", "shell:ls"),
        ("ls", "./ls", "shell:./ls"),
        ("ls", "bin/../ls", "shell:./ls"),
        ("ls", "/opt/x/ls", "shell:/opt/x/ls"),
        ("rm", "./rm", "shell:rm"),
    ],
)
def test_a_file_has_its_path_for_a_key_so_that_no_grant_for_an_installed_program_serves_it(
    name: str, word: str, key: str
) -> None:
    assert of_program(name, word) == key


@pytest.mark.parametrize("key", ["shell:*", "shell:l?", "shell:a b", "shell:\x1b[2J", "shell:l\u200bs", "shell:./../x"])
def test_a_pattern_or_what_no_program_is_called_is_no_calls_key(key: str) -> None:
    assert not is_possible(key)


def test_an_installed_program_that_runs_others_has_another_key_and_a_file_has_its_path_all_the_same() -> None:
    assert of_program("tar", "tar", any_code=True) == "shell:tar+code"
    assert of_program("tar", "./tar", any_code=True) == "shell:./tar"
    assert may_be_remembered("shell:tar+code")
