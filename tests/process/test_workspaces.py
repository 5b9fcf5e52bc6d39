"""A real supervisor and folders that somebody wants to pass off as workspaces."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.supervised import Supervised, descendants, supervised
from tests.support.walled import owned

from wirken.supervisor import workspaces

pytestmark = pytest.mark.slow


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Supervised]:
    with supervised(tmp_path) as one:
        one.wait_ready()
        yield one


def asked(house: Supervised, path: Path | str, *read_only: Path) -> dict[str, object]:
    """Ask for a workspace and return the answer; a runner that was started goes again."""
    return house.ask({"ask": "workspace", "path": str(path), "read_only": [str(place) for place in read_only]})


def test_no_workspace_lies_inside_another_or_around_it(house: Supervised, tmp_path: Path) -> None:
    default = house.paths.workspace("default")
    for path in (owned(default / "sub"), default.parent):
        assert "own data" in str(asked(house, path)["error"])
    outer = owned(tmp_path / "outer")
    inner, other = owned(outer / "inner"), owned(tmp_path / "other")
    with house.connect() as peer:
        assert house.ask({"ask": "workspace", "path": str(outer), "read_only": []}, peer)["ok"]
        assert "inside one another" in str(asked(house, inner)["error"])
        assert "inside one another" in str(asked(house, other, inner)["error"])
        assert asked(house, outer)["ok"] and asked(house, other)["ok"]
    assert "inside one another" in str(asked(house, outer, inner)["error"])
    assert "inside one another" in str(asked(house, inner, outer)["error"])


def test_a_workspace_that_became_a_link_is_not_started_again(house: Supervised, tmp_path: Path) -> None:
    place = owned(tmp_path / "race" / "sub")
    with house.connect() as peer:
        answer = house.ask({"ask": "workspace", "path": str(place), "read_only": []}, peer)
        role = str(answer["role"])
        place.rename(tmp_path / "old")
        place.symlink_to(house.paths.vault_dir)
        pid = house.children()[role]["pid"]
        assert isinstance(pid, int)
        os.kill(pid, signal.SIGKILL)
        house.until(role, state="waiting", pid=0)
        deadline = time.monotonic() + 5
        while "was replaced" not in house.err and time.monotonic() < deadline:
            time.sleep(0.05)
        assert f"{role} cannot be started: The folder {place} was replaced" in house.err
        assert house.children()[role]["state"] == "waiting"


def test_a_folder_that_keeps_changing_places_never_gets_into_a_view(house: Supervised, tmp_path: Path) -> None:
    """Whoever wins the race between the look and the mount is found in the finished view."""
    place = owned(tmp_path / "race" / "sub")
    (tmp_path / "race" / "evil").symlink_to(house.paths.vault_dir)
    flip = (
        "import ctypes, sys, time\nlibc = ctypes.CDLL(None)\na, b = sys.argv[1].encode(), sys.argv[2].encode()\n"
        "while True:\n    libc.renameat2(-100, a, -100, b, 2)\n    time.sleep(0.001)\n"
    )
    right = place.stat().st_ino
    flipper = subprocess.Popen([sys.executable, "-I", "-c", flip, str(place), str(place.with_name("evil"))])
    errors = []
    try:
        for _ in range(40):
            with house.connect() as peer:
                answer = house.ask({"ask": "workspace", "path": str(place), "read_only": []}, peer)
                if answer["ok"]:
                    outer = house.children()[str(answer["role"])]["pid"]
                    assert isinstance(outer, int)
                    assert Path(f"/proc/{descendants(outer)[0]}/root{place}").stat().st_ino == right
                else:
                    errors.append(str(answer["error"]))
    finally:
        flipper.kill()
        flipper.wait()
    assert errors
    assert house.process.poll() is None


def test_a_view_that_shows_another_folder_than_the_checked_one_is_told(house: Supervised, tmp_path: Path) -> None:
    place = house.paths.workspace("default")
    outer = house.children()["runner"]["pid"]
    assert isinstance(outer, int)
    right, wrong = (workspaces.Folder(str(place), os.open(path, os.O_PATH)) for path in (place, tmp_path))
    workspaces.shown_to(outer, (right,))
    with pytest.raises(workspaces.Moved, match="replaced"):
        workspaces.shown_to(outer, (right, wrong))
    with pytest.raises(workspaces.Moved, match="not in the view"):
        workspaces.shown_to(outer, (right._replace(path=str(tmp_path / "none")),))
    for folder in (right, wrong):
        os.close(folder.descriptor)


def test_paths_that_no_kernel_takes_do_not_end_the_supervisor(house: Supervised) -> None:
    for path in (b"/\\u0000", b"/\\udc80", b"/" + b"x" * 2000):
        with house.connect() as peer:
            peer.sendall(b'{"ask": "workspace", "path": "' + path + b'", "read_only": []}\n')
            assert b'"ok": false' in peer.recv(4096)
    assert house.process.poll() is None and house.children()["runner"]["state"] == "ready"


@pytest.mark.parametrize("place", ["inside", "around", "equal"])
def test_a_read_only_folder_in_a_workspace_of_the_configuration_is_refused(tmp_path: Path, place: str) -> None:
    work = owned(tmp_path / "around" / "work")
    folder = {"inside": owned(work / "a" / "docs"), "around": work.parent, "equal": work}[place]
    with supervised(tmp_path, None, workspaces=(str(work),), read_only=(str(folder),)) as one:
        assert one.process.wait(10) != 0
        assert "inside one another" in one.err and "link" in one.err
