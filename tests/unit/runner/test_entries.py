"""What lies beside the names that a command may write: hidden or kept, and looked at again."""

from __future__ import annotations

from pathlib import Path

import pytest

from wirken.domain import limits, outside_limits
from wirken.domain.actions import Outside
from wirken.runner import entries
from wirken.runner.sandbox import Command, Opened
from wirken.runner.steering import Unguarded


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("free", "file"):
        (tmp_path / name).write_text("x")
    (tmp_path / "sub" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to("file")
    return tmp_path


def opened(folder: Path, *, shown: bool = False) -> Opened:
    return Opened(str(folder), frozenset({"free", "new"}), shown)


def command(folder: Path, *paths: str) -> Command:
    mounts = (Outside(str(folder), writable=True), *(Outside(f"{folder}/{path}") for path in paths))
    return Command(("true",), "/w", outside=mounts)


def test_all_but_the_names_and_links_is_hidden(folder: Path) -> None:
    found = entries.neighbours(opened(folder), command(folder))
    assert {(Path(one.path).name, one.folder, one.leads) for one in found.hidden} == {
        ("file", False, False),
        ("sub", True, False),
    }
    assert not found.kept


def test_what_is_shown_itself_is_not_hidden_and_what_leads_there_is_a_way(folder: Path) -> None:
    found = entries.neighbours(opened(folder), command(folder, "file", "sub/deep"))
    assert [(Path(one.path).name, one.leads) for one in found.hidden] == [("sub", True)]


def test_what_may_be_read_is_kept_instead(folder: Path) -> None:
    found = entries.neighbours(opened(folder, shown=True), command(folder))
    assert set(found.kept) == {"file", "sub"} and not found.hidden


def test_whatever_is_new_or_another_beside_the_names_is_told(folder: Path) -> None:
    before = entries.neighbours(opened(folder), command(folder))
    (folder / "free").unlink()
    (folder / "new").write_text("allowed")
    assert entries.told(before) == ""
    (folder / "link").unlink()
    (folder / "file").write_text("longer")
    (folder / "\x1b[2J").write_text("")
    assert entries.told(before) == (f"[also made, changed or removed in {folder} while it ran: \\x1b[2J, file, link]")
    for number in range(limits.STEERING_TOLD):
        (folder / f"n{number}").write_text("")
    assert "and 3 more]" in entries.told(before)


def test_a_folder_that_is_gone_afterwards_is_told(folder: Path) -> None:
    before = entries.neighbours(opened(folder / "sub"), command(folder / "sub"))
    (folder / "sub").rename(folder / "other")
    assert "is not known" in entries.told(before)


def test_as_many_neighbours_as_the_limit_are_hidden_and_no_more(tmp_path: Path) -> None:
    for number in range(outside_limits.NEIGHBOURS):
        (tmp_path / str(number)).touch()
    (tmp_path / "free").touch()
    assert len(entries.neighbours(opened(tmp_path), command(tmp_path)).hidden) == outside_limits.NEIGHBOURS
    (tmp_path / "one").touch()
    with pytest.raises(Unguarded, match="More than"):
        entries.neighbours(opened(tmp_path), command(tmp_path))


def test_what_is_hidden_counts_as_covered_only_by_something_else_that_is_read_only(folder: Path) -> None:
    hidden = entries.neighbours(opened(folder), command(folder)).hidden
    assert not entries.covered("", hidden), "the files themselves"
    assert not entries.covered(str(folder / "none"), hidden), "nothing there"
    elsewhere = tuple(one._replace(path="/file", inode=0) for one in hidden)
    assert not entries.covered(str(folder), elsewhere), "another file that could be written"
    assert entries.covered("", ())
