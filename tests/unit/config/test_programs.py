from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirken.config.programs import Installed, Looked, Unpacked


@pytest.fixture
def machine(tmp_path: Path) -> Installed:
    folder = tmp_path / "usr/bin"
    folder.mkdir(parents=True)
    (tmp_path / "usr/local/bin").mkdir(parents=True)
    (tmp_path / "bin").symlink_to("usr/bin")
    for name in ("curl", "ls", "dash"):
        (folder / name).touch()
    (folder / "fetch").symlink_to("curl")
    (folder / "sh").symlink_to("dash")
    (folder / "lost").symlink_to("nowhere")
    (folder / "folder").mkdir()
    (tmp_path / "usr/local/bin/ls").symlink_to("../../bin/dash")
    (tmp_path / "x").touch()
    return Installed(str(tmp_path))


def test_a_name_is_looked_up_in_the_sandboxs_order_and_followed(machine: Installed) -> None:
    assert machine.real("curl") == "/usr/bin/curl"
    assert machine.real("fetch") == "/usr/bin/curl"
    assert machine.real("ls") == "/usr/bin/dash"


def test_a_path_counts_below_the_machines_folders_only(machine: Installed) -> None:
    assert machine.real("/usr/bin/fetch") == "/usr/bin/curl"
    assert machine.real("/bin/sh") == "/usr/bin/dash"
    for path in ("./curl", "/x", "/usr/bin/../../x", "a/curl", "/usr/bin/", "../curl"):
        assert machine.real(path) is None


def test_what_is_no_file_is_no_program(machine: Installed) -> None:
    for name in ("nobody", "lost", "folder", "", ".", ".."):
        assert machine.real(name) is None


@given(st.text(st.characters()))
def test_any_word_has_an_answer_on_this_machine(word: str) -> None:
    Installed().real(word)


def test_this_machine_has_a_shell() -> None:
    assert Installed().real("sh") is not None


def test_within_one_run_a_program_is_looked_up_once(machine: Installed, tmp_path: Path) -> None:
    looked = Looked(machine)
    assert [looked.real(name) for name in ("fetch", "nobody")] == ["/usr/bin/curl", None]
    (tmp_path / "usr/bin/fetch").unlink()
    (tmp_path / "usr/bin/nobody").touch()
    assert [looked.real(name) for name in ("fetch", "nobody")] == ["/usr/bin/curl", None]
    assert [machine.real(name) for name in ("fetch", "nobody")] == [None, "/usr/bin/nobody"]


def test_links_of_a_tool_root_lead_nowhere_but_into_it(tmp_path: Path) -> None:
    """As a command will see them: absolute links too, and none to a place that the sandbox does not show."""
    for folder in ("usr/bin", "opt", "etc/alternatives"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "bin").symlink_to("/usr/bin")
    for file in ("usr/bin/python3", "opt/hidden"):
        (tmp_path / file).touch()
    for name, target in {
        "ls": "/etc/alternatives/ls",
        "up": "../../../../../../../bin/python3",
        "hidden": "/opt/hidden",
        "host": "/usr/bin/env",
        "round": "round",
    }.items():
        (tmp_path / "usr/bin" / name).symlink_to(target)
    (tmp_path / "etc/alternatives/ls").symlink_to("/bin/python3")
    root = Unpacked(str(tmp_path))
    assert root.real("ls") == root.real("/bin/up") == "/usr/bin/python3"
    assert Installed().real("env") is not None
    for name in ("env", "host", "hidden", "round", "cat"):
        assert root.real(name) is None, name


def test_as_many_links_are_followed_as_the_kernel_follows(tmp_path: Path) -> None:
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/0").touch()
    for number in range(1, 42):
        (tmp_path / f"usr/bin/{number}").symlink_to(str(number - 1))
    assert Unpacked(str(tmp_path)).real("40") == "/usr/bin/0"
    assert (tmp_path / "usr/bin/40").is_file()
    assert Unpacked(str(tmp_path)).real("41") is None
