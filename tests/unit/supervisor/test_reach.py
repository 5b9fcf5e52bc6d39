"""Which single paths a call may be given, whatever the gateway says."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from wirken.domain.errors import WirkenError
from wirken.supervisor import reach, workspaces


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A person's home with something to read, something hidden, and links that lead astray."""
    place = tmp_path / "me"
    (place / "docs").mkdir(parents=True)
    (place / "docs" / "a.txt").write_text("a")
    (place / ".ssh").mkdir()
    (place / ".ssh" / "key").write_text("secret")
    (place / "out").symlink_to("/etc/passwd")
    (place / "docs2").symlink_to("docs")
    (place / "data" / "vault").mkdir(parents=True)
    (place / "data" / "vault" / "vault.db").write_text("secret")
    os.mkfifo(place / "pipe")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(place / "s"))
    return place


def land(home: Path) -> workspaces.Land:
    return workspaces.land(str(home / "data"), str(home / "data" / "sockets"), (), str(home), -1)


def given(home: Path, name: str, *, write: bool = False, roots: tuple[str, ...] | None = None) -> str:
    held = reach.checked(str(home / name), land(home), (str(home),) if roots is None else roots, write=write)
    os.close(held.descriptor)
    return held.path


def refused(home: Path, name: str, *, write: bool = False, roots: tuple[str, ...] | None = None) -> str:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(WirkenError) as caught:
        given(home, name, write=write, roots=roots)
    assert len(os.listdir("/proc/self/fd")) == before
    return str(caught.value)


def test_files_and_folders_below_a_root_are_given(home: Path) -> None:
    assert given(home, "docs/a.txt") == str(home / "docs/a.txt")
    assert given(home, "docs/a.txt", write=True) == str(home / "docs/a.txt")
    assert given(home, "docs") == str(home / "docs")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (".ssh/key", "hidden"),
        (".ssh", "hidden"),
        ("data/vault/vault.db", "own data"),
        ("data", "own data"),
        (".", "no plain"),
        ("docs/../docs/a.txt", "no plain"),
        ("out", "behind a link"),
        ("docs2/a.txt", "behind a link"),
        ("pipe", "neither a file nor a folder"),
        ("s", "neither a file nor a folder"),
        ("none", "No such file"),
        ("docs/a.txt/b", "Not a directory"),
    ],
)
def test_what_steers_or_leads_astray_is_refused(home: Path, name: str, why: str) -> None:
    path = f"{home}/{name}"
    with pytest.raises(WirkenError, match=why):
        os.close(reach.checked(path, land(home), (str(home),), write=False).descriptor)


def test_a_home_is_not_given_as_a_whole(home: Path) -> None:
    here = workspaces.land(str(home.parent / "elsewhere"), "/run/x", (), str(home), -1)
    with pytest.raises(WirkenError, match="home directory"):
        reach.checked(str(home), here, (str(home.parent),), write=False)


def test_only_what_lies_below_a_root_is_given(home: Path) -> None:
    assert "outside of what the operator opened" in refused(home, "docs/a.txt", roots=())
    assert "outside of what the operator opened" in refused(home, "docs/a.txt", roots=(str(home / "doc"),))
    assert given(home, "docs/a.txt", roots=(str(home / "docs"),))
    assert "system" in refused(Path("/etc"), "hostname", roots=("/",))


def test_a_missing_file_is_made_only_to_be_written(home: Path) -> None:
    assert "No such file" in refused(home, "docs/new.txt")
    assert given(home, "docs/new.txt", write=True)
    made = (home / "docs/new.txt").stat()
    assert (made.st_size, made.st_mode & 0o777) == (0, 0o600)
    assert "No such file" in refused(home, "docs/none/new.txt", write=True)
    assert "hidden" in refused(home, "docs/.envrc", write=True)
    assert not (home / "docs/.envrc").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="another uid is tried as root only; an ordinary user has no other")
def test_the_uid_that_wirken_works_as_must_be_able_to(home: Path, tmp_path: Path) -> None:
    here = land(home)._replace(uid=64_321)
    (home / "docs").chmod(0o755)
    (home / "docs/a.txt").chmod(0o644)
    os.close(reach.checked(str(home / "docs/a.txt"), here, (str(home),), write=False).descriptor)
    for name in ("docs/a.txt", "docs/new.txt"):
        with pytest.raises(reach.BadReach):
            reach.checked(str(home / name), here, (str(home),), write=True)
    assert not (home / "docs/new.txt").exists()
    (home / "docs").chmod(0o777)
    os.close(reach.checked(str(home / "docs/new.txt"), here, (str(home),), write=True).descriptor)
    assert (home / "docs/new.txt").stat().st_uid == 64_321


# --- names: what has to be writable around a path ----------------------------------------------------------


def entry(home: Path, name: str, how: str) -> tuple[str, str]:
    wanted = reach.Wanted(str(home / name), write=True, entry=how)
    held = reach.given(wanted, land(home), (str(home),))
    os.close(held.folder.descriptor)
    return held.kind, os.path.relpath(held.folder.path, home)


def test_a_name_is_given_by_the_folder_around_it_and_everything_else_by_itself(home: Path) -> None:
    assert entry(home, "docs/new", "named") == ("entry", "docs")
    assert entry(home, "docs/a.txt", "named") == ("entry", "docs")
    assert not (home / "docs/new").exists()
    assert entry(home, "docs/a.txt", "into") == ("entry", "docs")
    assert entry(home, "docs", "into") == ("bind", "docs"), "a folder is gone into"
    assert entry(home, "docs/a.txt", "there") == ("bind", "docs/a.txt")
    assert entry(home, "docs/new", "") == ("bind", "docs/new")
    assert (home / "docs/new").exists()


def test_what_must_be_there_is_not_made(home: Path) -> None:
    with pytest.raises(reach.BadReach, match="No such file"):
        entry(home, "docs/new", "there")
    assert not (home / "docs/new").exists()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("new", "takes writing in .*own data"),
        ("docs", "takes writing in .*own data"),
        ("docs/.envrc", "hidden"),
        (".ssh/key", "hidden"),
        ("data/x", "own data"),
        ("data", "own data"),
        ("docs/none/x", "is no folder"),
        ("docs/a.txt/x", "is no folder"),
        ("docs2/x", "behind a link"),
        ("docs2", "behind a link"),
        ("out", "behind a link"),
        ("pipe", "neither a file nor a folder"),
        ("s", "neither a file nor a folder"),
        ("../me", "no plain"),
        ("docs/../docs/x", "no plain"),
    ],
)
def test_a_name_is_not_given_where_its_folder_may_not_be_written(home: Path, name: str, why: str) -> None:
    path = f"{home}/{name}"
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(WirkenError, match=why):
        reach.given(reach.Wanted(path, write=True, entry="named"), land(home), (str(home),))
    assert len(os.listdir("/proc/self/fd")) == before


def test_nothing_is_made_or_removed_right_in_a_home(home: Path) -> None:
    here = workspaces.land("/elsewhere", "/run/x", (), str(home), -1)
    for name in ("new", "docs", ".profile"):
        with pytest.raises(WirkenError, match=r"takes writing in .*home directory|hidden"):
            reach.given(reach.Wanted(str(home / name), write=True, entry="named"), here, (str(home),))


def test_what_the_operator_opened_can_be_filled_and_not_be_removed(home: Path) -> None:
    here, root = land(home), (str(home / "docs"),)
    with pytest.raises(reach.BadReach, match="what the operator opened"):
        reach.given(reach.Wanted(str(home / "docs"), write=True, entry="named"), here, root)
    held = reach.given(reach.Wanted(str(home / "docs"), write=True, entry="into"), here, root)
    os.close(held.folder.descriptor)
    assert held.kind == "bind"
