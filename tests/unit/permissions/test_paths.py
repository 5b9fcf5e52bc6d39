from __future__ import annotations

import os
import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirken.permissions.paths import (
    Where,
    in_workspace,
    is_plain_outside,
    names_credential,
    names_steering,
    opens_network,
    outside,
    pieces,
    reached,
    reads_memory,
    relative,
    where,
)
from wirken.permissions.shell.words import UNKNOWN

anything = st.text(st.characters())
path_text = (
    st.lists(st.sampled_from(["a", "b.txt", "..", ".", "", "workspace", ".env", "AGENTS.md", ".git"])).map("/".join)
    | anything
)


@given(path_text)
def test_any_text_is_some_place(path: str) -> None:
    assert where(path) in Where


@given(path_text)
def test_what_is_inside_stays_inside_however_it_is_joined(path: str) -> None:
    inside = relative(path)
    if inside is None:
        return
    joined = posixpath.normpath(posixpath.join("/workspace", inside))
    assert joined == "/workspace" or joined.startswith("/workspace/")
    assert not inside.startswith("/")
    assert ".." not in inside.split("/")
    assert joined == posixpath.normpath(posixpath.join("/workspace", path))


@given(path_text)
def test_only_what_leaves_the_workspace_or_holds_a_nul_is_outside(path: str) -> None:
    joined = os.path.normpath(os.path.join("/workspace", path))
    leaves = joined != "/workspace" and not joined.startswith("/workspace/")
    climbs = os.path.normpath(path).startswith("..")  # also back into a folder that happens to be called workspace
    assert (where(path) is Where.OUTSIDE) == (leaves or climbs or "\0" in path)


@given(path_text, st.sampled_from(["./{}", "x/../{}", "{}/.", ".//{}", "/workspace/{}", "a/./../{}"]))
def test_no_detour_changes_what_a_path_is_judged_to_be(path: str, detour: str) -> None:
    if not path or path.startswith("/") or os.path.normpath(path).startswith(".."):
        return  # `../workspace` is outside by its text, though the workspace happens to be called so
    again = where(detour.format(path))
    assert again is where(path)


@given(path_text)
def test_no_capitals_change_what_a_path_is_judged_to_be(path: str) -> None:
    if path.isascii() and "workspace" not in path:
        assert where(path.upper()) is where(path.lower()) is where(path)


@pytest.mark.parametrize(
    "path",
    [
        "AGENTS.md SOUL.md USER.md sub/AGENTS.md skills/x/SKILL.md skills .git/hooks/pre-commit .git .envrc",
        "a/.vscode/tasks.json .idea/x .github/workflows/x.yml Makefile GNUmakefile .bashrc .gitconfig .gitattributes",
    ],
)
def test_what_steers_the_agent_or_the_persons_tools_is_known(path: str) -> None:
    for one in path.split():
        assert where(one) is Where.STEERING, one


def test_what_commonly_holds_a_credential_is_known() -> None:
    paths = (
        ".env .env.local a/.env .ssh/config .ssh .aws/credentials id_rsa .netrc x.pem X.KEY .git-credentials .pgpass "
        ".gnupg/a .kube/config .docker/config.json vault.age store.jks credentials prod.env .wirken/x .mozilla/x "
        "key4.db .config/google-chrome/x wallet.dat"
    )
    for one in paths.split():
        assert where(one) is Where.CREDENTIAL, one


@pytest.mark.parametrize(
    "path", ["environment", "xAGENTS.md", "AGENTS.md.bak", "keys", "pem", "git", "process.env", "skill"]
)
def test_what_only_looks_alike_is_ordinary(path: str) -> None:
    assert where(path) is Where.INSIDE


@pytest.mark.parametrize("path", ["/root/.ssh/id_rsa", "../../.env", "/home/me/.aws/credentials"])
def test_a_credential_is_one_wherever_it_lies(path: str) -> None:
    assert where(path) is Where.OUTSIDE
    assert names_credential(path)


def test_what_steers_does_so_wherever_it_lies() -> None:
    assert names_steering("/home/me/.bashrc")
    assert names_steering("../AGENTS.md")
    assert names_steering("sub/HEAD"), "with it, a folder is a repository whose config git obeys"
    assert not names_steering("/home/me/notes")


# --- paths among a command's arguments --------------------------------------------------------------------


@given(path_text)
def test_a_path_is_outside_for_a_command_where_it_leaves_its_own_folders(path: str) -> None:
    joined = posixpath.normpath(posixpath.join("/workspace", path))
    own = ("/workspace", "/tmp", "/dev/shm")
    if "\0" not in path and not joined.startswith("/dev/") and not joined.startswith("//"):
        assert (outside(path) is None) == any(joined == one or joined.startswith(one + "/") for one in own)


@pytest.mark.parametrize(
    "path", "a ./a a/../b /workspace/a /tmp/a /dev/null /dev/stderr /dev/fd/3 /proc/self/fd/1 /dev/shm/a".split()
)
def test_the_sandboxs_own_places_are_inside(path: str) -> None:
    assert outside(path) is None


@pytest.mark.parametrize(
    ("path", "leads"),
    [
        ("/etc/passwd", "/etc/passwd"),
        ("/etc/../etc/x", "/etc/x"),
        ("../x", "/x"),
        ("a/../../x", "/x"),
        ("//etc/x", "/etc/x"),
        ("/workspacex", "/workspacex"),
        ("/dev/sda", "/dev/sda"),
        (f"/etc/{UNKNOWN}", f"/etc/{UNKNOWN}"),
        (f"{UNKNOWN}/../x", f"{UNKNOWN}/../x"),
    ],
)
def test_a_path_outside_is_told_without_its_dots(path: str, leads: str) -> None:
    assert outside(path) == leads


def test_of_a_path_whose_beginning_is_not_known_nothing_is_said_unless_it_climbs() -> None:
    assert outside(f"{UNKNOWN}/x") is None
    assert outside(f"a/{UNKNOWN}") is None


@pytest.mark.parametrize(
    ("word", "leads"),
    [
        ("/etc/x", ("/etc/x",)),
        ("--file=/etc/x", ("/etc/x",)),
        ("-I/usr/x", ("/usr/x",)),
        ("if=/dev/sda", ("/dev/sda",)),
        ("a:/etc/x,/usr/y", ("/etc/x", "/usr/y")),
        ("../x", ("/x",)),
        ("https://example.com/x", ()),
        ("s/a/b/", ()),
        ("a/b", ()),
        ("a..b", ()),
        ("-x", ()),
        ("", ()),
    ],
)
def test_paths_that_leave_are_found_in_an_argument(word: str, leads: tuple[str, ...]) -> None:
    assert reached(word) == leads


@pytest.mark.parametrize(
    "word", [".env", "-f.env", "--f=.env", "a:.env", "@.env", "open('.env')", "x .env y", "{.env,a}", "./a/.env/b"]
)
def test_a_credentials_name_is_found_anywhere_in_an_argument(word: str) -> None:
    assert any(map(names_credential, pieces(word)))


@pytest.mark.parametrize(
    "path", [f".e{UNKNOWN}", f"{UNKNOWN}.pem", f".ssh/{UNKNOWN}", f"{UNKNOWN}/.ssh/x", f".{UNKNOWN}", f"id_{UNKNOWN}"]
)
def test_a_pattern_that_can_come_out_as_a_credential_is_one(path: str) -> None:
    assert names_credential(path)


@pytest.mark.parametrize("path", [UNKNOWN, f"{UNKNOWN}.txt", f"a{UNKNOWN}", f"src/{UNKNOWN}.c", f"{UNKNOWN}c"])
def test_a_pattern_that_cannot_or_tells_too_little_is_none(path: str) -> None:
    assert not names_credential(path)
    assert not names_steering(path)


def test_patterns_can_come_out_as_what_steers() -> None:
    assert names_steering(f".g{UNKNOWN}/x")
    assert names_steering(f"AG{UNKNOWN}.md")


def test_names_that_connect_or_show_memory_are_known() -> None:
    assert opens_network("/dev/tcp/host/80")
    assert opens_network("/dev/./udp/host/80")
    assert not opens_network("/dev/tcpx")
    assert reads_memory("/proc/self/environ")
    assert reads_memory("/proc/1/task/1/mem")
    assert not reads_memory("/proc/version")


def test_only_a_path_in_the_workspace_for_certain_is_in_it() -> None:
    assert in_workspace("a/b")
    assert in_workspace("/workspace/a")
    assert not in_workspace("/tmp/a")
    assert not in_workspace("../a")
    assert not in_workspace(f"a{UNKNOWN}")


@given(anything)
def test_a_plain_path_outside_is_told_as_it_is(path: str) -> None:
    assert not is_plain_outside(path) or outside(path) == path
