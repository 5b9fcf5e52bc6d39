from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirken.config.programs import Installed, Looked


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
