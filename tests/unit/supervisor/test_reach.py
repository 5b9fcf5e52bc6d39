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
