"""Which folders an agent may be given."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirken.domain.nesting import clash, lies_in
from wirken.supervisor import workspaces


def land(data: Path, program: tuple[str, ...] = (), home: str = "", sockets: str = "") -> workspaces.Land:
    return workspaces.land(str(data), sockets or f"{data}/sockets", program, home, -1)


def accepted(path: Path | str, here: workspaces.Land, *, write: bool = True) -> str:
    folder = workspaces.checked(str(path), here, write=write)
    os.close(folder.descriptor)
    return folder.path


def refused(path: Path | str, here: workspaces.Land, *, write: bool = True) -> str:
    open_before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(workspaces.BadWorkspace) as caught:
        workspaces.checked(str(path), here, write=write)
    assert caught.value.advice or "absolute" in str(caught.value)
    assert len(os.listdir("/proc/self/fd")) == open_before
    return str(caught.value)


def made(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path


def test_wirkens_data_the_system_and_the_program_are_no_workspaces(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for name in ("data/vault", "data/agents/default/workspace", "env", "work"):
        made(tmp_path / name)
    here = land(data, (str(tmp_path / "env"),))
    for path in (data, data / "vault", data / "agents", data / "agents" / "default", tmp_path):
        assert "own data" in refused(path, here)
    (tmp_path / "link").symlink_to(data / "vault")
    assert "own data" in refused(tmp_path / "link", here)
    assert "own program" in refused(tmp_path / "env", here)
    for place in ("/", "/etc", "/usr/share", "/proc/self", "/tmp", "/dev/shm", "/var/spool"):
        assert "system" in refused(place, here)
    assert "absolute" in refused("relative", here)
    assert "not a directory" in refused(tmp_path / "none", here)
    (tmp_path / "name").symlink_to("work")
    assert accepted(tmp_path / "name", here) == str(tmp_path / "work")


def test_of_the_data_directory_only_the_default_places_are_workspaces(tmp_path: Path) -> None:
    data = tmp_path / ".data"
    inside = made(data / "agents" / "default" / "workspace")
    here = land(data, home=str(tmp_path))
    assert accepted(inside, here) == str(inside)
    for path in (made(inside / "sub"), made(data / "agents" / "default" / "other"), made(inside / "a" / "workspace")):
        assert "own data" in refused(path, here)
    assert "own data" in refused(inside, here, write=False)


@pytest.mark.parametrize("write", [True, False])
def test_homes_and_what_lies_around_them_are_refused(tmp_path: Path, write: bool) -> None:
    home = made(tmp_path / "people" / "me")
    project = made(home / "project")
    here = land(tmp_path / "data", home=str(home))
    for path in (home, tmp_path / "people"):
        assert "home directory" in refused(path, here, write=write)
    (tmp_path / "alias").symlink_to(home)
    assert "home directory" in refused(tmp_path / "alias", here, write=write)
    assert accepted(project, here, write=write) == str(project)


def test_homes_of_the_user_database_are_known_without_the_environment(tmp_path: Path) -> None:
    homes = land(tmp_path).homes
    assert os.path.realpath(pwd.getpwnam("root").pw_dir) in homes
    assert "/" not in homes


@pytest.mark.parametrize("write", [True, False])
@pytest.mark.parametrize("name", [".ssh", "project/.git", ".config/autostart/x", ".local/share"])
def test_hidden_folders_are_refused(tmp_path: Path, name: str, write: bool) -> None:
    here = land(tmp_path / "data")
    assert "hidden folder ." in refused(made(tmp_path / name), here, write=write)


@pytest.mark.parametrize("write", [True, False])
def test_the_sockets_of_a_long_data_directory_are_refused(tmp_path: Path, write: bool) -> None:
    short = made(tmp_path / "short" / "sockets")
    here = land(tmp_path / "data", sockets=str(short))
    for path in (short, tmp_path / "short", made(short / "below")):
        assert "sockets" in refused(path, here, write=write)
    other = Path(f"/tmp/wirken-{os.getuid()}-{'0' * 16}")  # where config/paths.py puts another installation's
    other.mkdir(mode=0o700)
    try:
        assert "sockets" in refused(other, here, write=write)
    finally:
        other.rmdir()


def test_a_program_that_could_be_renamed_from_inside_is_refused(tmp_path: Path) -> None:
    work = tmp_path / "work"
    made(work / "deep" / "env")
    assert "own program" in refused(work, land(tmp_path / "data", (str(work / "deep" / "env"),)))
    assert accepted(work, land(tmp_path / "data", (str(work / "env"),))) == str(work)


def test_a_folder_that_was_replaced_is_noticed(tmp_path: Path) -> None:
    sub, other = made(tmp_path / "race" / "sub"), made(tmp_path / "other")
    folder = workspaces.checked(str(sub), land(tmp_path / "data"), write=True)
    workspaces.unmoved((folder,))
    sub.rename(tmp_path / "old")
    with pytest.raises(workspaces.Moved, match="gone"):
        workspaces.unmoved((folder,))
    sub.symlink_to(other)
    with pytest.raises(workspaces.Moved, match="replaced"):
        workspaces.unmoved((folder,))
    sub.unlink()
    sub.symlink_to(tmp_path / "old")
    with pytest.raises(workspaces.Moved, match="replaced"):
        workspaces.unmoved((folder,))
    sub.unlink()
    sub.mkdir()
    with pytest.raises(workspaces.Moved, match="replaced"):
        workspaces.unmoved((folder,))
    sub.rmdir()
    (tmp_path / "old").rename(sub)
    workspaces.unmoved((folder,))
    (tmp_path / "race").rename(tmp_path / "moved")
    (tmp_path / "race").symlink_to("moved")
    with pytest.raises(workspaces.Moved, match="replaced"):
        workspaces.unmoved((folder,))
    os.close(folder.descriptor)


def test_folders_inside_one_another_are_refused() -> None:
    workspaces.apart(("/a", "/b", "/a"), ("/c", "/ab", "/c/d"))
    for writable, read_only in (
        (("/a", "/a/b"), ()),
        (("/a/b", "/a"), ()),
        (("/a",), ("/a/b",)),
        (("/a",), ("/a",)),
        (("/a/b",), ("/a",)),
    ):
        with pytest.raises(workspaces.BadWorkspace, match="inside one another"):
            workspaces.apart(writable, read_only)


PATHS = st.lists(st.sampled_from(("a", "b", "ab")), min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts))


@given(st.lists(PATHS, max_size=4), st.lists(PATHS, max_size=4))
def test_folders_clash_exactly_when_one_lies_below_a_workspace_or_around_it(one: list[str], two: list[str]) -> None:
    pairs = [(a, b) for a in one for b in one if a != b] + [(a, b) for a in two for b in one]
    assert (clash(one, two) is None) is not any(lies_in(a, b) or lies_in(b, a) for a, b in pairs)
