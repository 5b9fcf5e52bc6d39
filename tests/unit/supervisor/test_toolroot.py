"""Which folder may be the root of the programs that commands get."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from wirken.domain import limits
from wirken.domain.errors import WirkenError
from wirken.supervisor import toolroot, workspaces


@pytest.fixture
def image(tmp_path: Path) -> Path:
    for name in ("image/usr/bin", "image/etc/alternatives", "data/agents/default/workspace", "env/lib"):
        (tmp_path / name).mkdir(parents=True)
    for place in (tmp_path, *tmp_path.rglob("*")):
        place.chmod(0o755)
    (tmp_path / "image/bin").symlink_to("usr/bin")
    return tmp_path / "image"


def land(folder: Path, uid: int = -1, home: str = "") -> workspaces.Land:
    return workspaces.land(str(folder / "data"), str(folder / "run"), (str(folder / "env"),), home, uid)


def refused(path: Path | str, here: workspaces.Land) -> str:
    open_before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(WirkenError) as caught:
        toolroot.checked(str(path), here, (0, os.getuid()))
    assert caught.value.advice
    assert len(os.listdir("/proc/self/fd")) == open_before
    return str(caught.value)


def test_an_unpacked_image_is_held_open(image: Path) -> None:
    folder = toolroot.checked(str(image), land(image.parent), (0, os.getuid()))
    workspaces.unmoved((folder,))
    image.rename(image.parent / "old")
    with pytest.raises(workspaces.Moved, match="gone"):
        workspaces.unmoved((folder,))
    os.close(folder.descriptor)


def test_it_is_a_plain_absolute_path_to_a_directory_without_a_link_on_the_way(image: Path) -> None:
    here = land(image.parent)
    (image.parent / "link").symlink_to("image")
    (image.parent / "above").symlink_to(image.parent)
    (image.parent / "file").touch()
    assert "a link" in refused(image.parent / "link", here)
    assert "a link" in refused(image.parent / "above/image", here)
    assert "not a directory" in refused(image.parent / "file", here)
    assert "not a directory" in refused(image.parent / "none", here)
    assert "plain absolute" in refused("image", here)
    assert "plain absolute" in refused(f"{image}/../image", here)


def test_it_is_not_the_machines_nor_wirkens_nor_a_home(image: Path) -> None:
    here = land(image.parent, home=str(image.parent / "home/me"))
    (image.parent / "home/me").mkdir(parents=True)
    for path in ("/", "/usr", "/etc", "/proc/self/task", "/dev"):
        assert "own" in refused(os.path.realpath(path), here), path
    assert "own data" in refused(image.parent, here)
    assert "own data" in refused(image.parent / "data/agents", here)
    assert "own program" in refused(image.parent / "env/lib", here)
    assert "home directory" in refused(image.parent / "home", here)


@pytest.mark.parametrize("name", ["", "usr", "usr/bin", "etc/alternatives"])
def test_nobody_else_may_write_what_it_shows(image: Path, name: str) -> None:
    (image / name).chmod(0o775)
    assert "written by others" in refused(image, land(image.parent))
    (image / name).chmod(0o757)
    assert "written by others" in refused(image, land(image.parent))


def test_it_holds_programs_and_a_usr_of_its_own(image: Path) -> None:
    (image / "bin").unlink()
    (image / "usr/bin").rmdir()
    assert "neither usr/bin nor bin" in refused(image, land(image.parent))
    (image / "usr").rmdir()
    (image / "usr").symlink_to("/usr")
    assert "usr is a link" in refused(image, land(image.parent))
    (image / "usr").unlink()
    (image / "bin").mkdir(mode=0o755)
    os.close(toolroot.checked(str(image), land(image.parent), (0, os.getuid())).descriptor)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda image: os.chown(image / "usr", 12345, 0), "belongs to uid 12345"),
        (lambda image: os.chown(image / "usr", limits.SERVICE_UID, 0), f"belongs to uid {limits.SERVICE_UID}"),
        (lambda image: image.chmod(0o700), "cannot be read"),
    ],
)
def test_it_belongs_to_root_or_the_operator_and_the_children_may_read_it(
    image: Path, spoil: Callable[[Path], None], said: str
) -> None:
    here = land(image.parent, limits.SERVICE_UID)
    os.close(toolroot.checked(str(image), here, (0,)).descriptor)
    spoil(image)
    assert said in refused(image, here)


def test_no_agent_and_no_call_is_given_a_part_of_it_nor_a_folder_around_it(image: Path) -> None:
    here = land(image.parent)._replace(tools=str(image), data="/none/data", sockets="/none/run", program=())
    for path in (image, image / "usr", image.parent):
        for write in (True, False):
            with pytest.raises(workspaces.BadWorkspace, match="tool root"):
                workspaces.judge(str(path), here, "It", write=write)
    workspaces.judge(str(image.parent / "env"), here, "It", write=True)
