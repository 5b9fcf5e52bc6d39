"""Single paths outside the workspace, for the file tools."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from wirken.domain import limits
from wirken.domain.actions import Outside
from wirken.runner import files, outside
from wirken.runner.locate import FileFailure, Located
from wirken.runner.sandbox import Opened


def at(path: Path, *, writable: bool = False) -> Located:
    found = outside.located(str(path), (Outside(str(path), writable),))
    assert found is not None
    return found


def test_only_the_very_path_is_found(tmp_path: Path) -> None:
    one = (Outside("/home/me/a"),)
    assert outside.located("/home/me/a", one) == Located("/home/me", b"a", "/home/me/a", False)
    for other in ("/home/me/a/", "/home/me/./a", "/home/me", "a", "/home/me/a/b", "/home/me/b"):
        assert outside.located(other, one) is None


def test_a_file_is_read_and_a_folder_listed(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("text\n")
    assert files.read_file(at(tmp_path / "a")).text == "text\n"
    assert files.list_files(at(tmp_path)).text == "a  5"


def test_a_file_is_overwritten_where_it_lies(tmp_path: Path) -> None:
    one = tmp_path / "a"
    one.write_text("a longer text than the new one")
    one.chmod(0o640)
    before = one.stat()
    outside.write(at(one, writable=True), "new")
    after = one.stat()
    assert (one.read_text(), after.st_ino, after.st_mode) == ("new", before.st_ino, before.st_mode)


def test_what_was_allowed_for_reading_is_not_written(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with pytest.raises(FileFailure, match="not allowed for writing"):
        outside.write(at(tmp_path / "a"), "new")
    assert (tmp_path / "a").read_text() == "old"


def test_links_folders_and_pipes_are_not_written(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("old")
    (tmp_path / "link").symlink_to("secret")
    (tmp_path / "out").symlink_to("/etc/hostname")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "out", "folder", "pipe", "none"):
        with pytest.raises(FileFailure):
            outside.write(at(tmp_path / name, writable=True), "new")
    assert (tmp_path / "secret").read_text() == "old"
    assert not (tmp_path / "none").exists()


def test_content_has_the_limit_of_every_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    where = at(tmp_path / "a", writable=True)
    outside.write(where, "x" * limits.FILE_WRITE)
    with pytest.raises(FileFailure, match="larger"):
        outside.write(where, "x" * (limits.FILE_WRITE + 1))
    assert (tmp_path / "a").stat().st_size == limits.FILE_WRITE


def test_options_say_what_was_given() -> None:
    assert outside.given(("bind:/a", "ro-bind:/b:c")) == {"/a": "bind", "/b:c": "ro-bind"}
    for wrong in ("/a", "bind:a", "rw:/a", "bind:", "entry:a"):
        with pytest.raises(outside.BadOutside):
            outside.given((wrong,))


GROUND = {"/x/read": "ro-bind", "/x/file": "bind", "/x/name": "entry", "/y": "ro-bind"}


@pytest.mark.parametrize(
    ("one", "given"),
    [
        (Outside("/x/read"), True),
        (Outside("/x/file"), False),
        (Outside("/x/name"), False),
        (Outside("/x/none"), False),
        (Outside("/x/read", True), False),
        (Outside("/x/file", True), True),
        (Outside("/x/file", True, "there"), True),
        (Outside("/x/file", True, "into"), True),
        (Outside("/x/file", True, "named"), False),
        (Outside("/x/name", True, "named"), True),
        (Outside("/x/name", True, "into"), True),
        (Outside("/x/name", True), False),
        (Outside("/x/name", True, "there"), False),
    ],
)
def test_a_path_is_used_only_as_it_was_given(one: Outside, given: bool) -> None:
    assert outside.is_given(one, GROUND) is given


def test_names_are_written_in_the_folder_around_them_and_the_rest_is_hidden_unless_it_may_be_read() -> None:
    named = Outside("/x/name", True, "named")
    shown = outside.bound((Outside("/x/file", True), named, Outside("/x/read")), GROUND)
    assert shown.mounts == (Outside("/x", True), Outside("/x/file", True), Outside("/x/read"))
    assert shown.opened == (Opened("/x", frozenset({"name"}), shown=False),)
    shown = outside.bound((named, Outside("/x")), {**GROUND, "/x": "ro-bind"})
    assert shown.mounts == (Outside("/x", True),)
    assert shown.opened == (Opened("/x", frozenset({"name"}), shown=True),)
    below = outside.bound((Outside("/y"), Outside("/y/z/a", True, "named")), {**GROUND, "/y/z/a": "entry"})
    assert below.mounts == (Outside("/y"), Outside("/y/z", True))
    assert below.opened[0].shown


def test_only_paths_for_reading_are_told_as_such() -> None:
    assert outside.denied(outside.bound((Outside("/x/name", True, "named"),), GROUND)) == ""
    assert "[given for reading only: /y. " in outside.denied(outside.bound((Outside("/y"),), GROUND))
