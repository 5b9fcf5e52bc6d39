"""The profiles for macOS as text: nothing here has run on a Mac."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirken.confine.roles import ROLES
from wirken.confine.seatbelt import Unquotable, profile
from wirken.confine.views import Scene

SCENE = Scene(
    data="/Users/me/.wirken",
    sockets="/Users/me/.wirken/sockets",
    program=("/opt/python", "/Users/me/env"),
    workspaces=("/Users/me/project",),
    read_only=("/Users/me/reference",),
)


def strings(text: str) -> list[str]:
    return [each.replace('\\"', '"').replace("\\\\", "\\") for each in re.findall(r'"((?:[^"\\]|\\.)*)"', text)]


def depth_is_sound(text: str) -> bool:
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', "", text)
    return all(line.count("(") == line.count(")") and line.startswith("(") for line in bare.strip().splitlines())


@pytest.mark.parametrize("name", list(ROLES))
def test_everything_is_refused_that_the_row_does_not_name(name: str) -> None:
    role, text = ROLES[name], profile(ROLES[name], SCENE)
    assert text.startswith("(version 1)\n(deny default)\n")
    assert depth_is_sound(text)
    assert "(allow default)" not in text
    named = set(strings(text))
    below = {path for path in named if path.startswith(SCENE.data)}
    assert below == {
        *(f"{SCENE.data}/{part}" for part in (*role.writable, *role.readable)),
        *(f"{SCENE.sockets}/{part}" for part in role.sockets),
    }
    assert (("/Users/me/project" in named), ("/Users/me/reference" in named)) == (role.workspaces, role.workspaces)


@pytest.mark.parametrize("name", list(ROLES))
def test_only_who_has_a_network_connects_and_only_the_runner_starts_programs(name: str) -> None:
    role, text = ROLES[name], profile(ROLES[name], SCENE)
    assert ("(remote ip)" in text) == role.network
    assert ("process-exec" in text, "process-fork" in text) == (role.starts_programs, role.starts_programs)
    assert "network-bind" not in text and "network-inbound" not in text


def test_the_program_is_never_written() -> None:
    for role in ROLES.values():
        for line in profile(role, SCENE).splitlines():
            if "file-write*" in line:
                assert not {"/opt/python", "/Users/me/env", "/usr"} & set(strings(line))


@given(st.text(alphabet=st.characters(exclude_categories=("C", "Z")), min_size=1))
def test_no_path_ends_its_quotation(name: str) -> None:
    text = profile(ROLES["runner"], SCENE._replace(workspaces=(f"/Users/{name}",)))
    assert depth_is_sound(text)
    assert f"/Users/{name}" in strings(text)


@pytest.mark.parametrize("path", ["relative", "/line\nbreak", "/zero\0", ""])
def test_a_path_that_cannot_be_quoted_is_refused(path: str) -> None:
    with pytest.raises(Unquotable):
        profile(ROLES["runner"], SCENE._replace(workspaces=(path,)))
