"""Commands with the programs of an unpacked image: a real root of busybox, through a real runner in its view."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.engine import BUSYBOX, WITHOUT, busybox_root
from tests.support.runner_client import Boxed, Client, runner

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    assert BUSYBOX.exists(), "busybox is missing; `make setup-test` installs it"
    place = busybox_root(tmp_path_factory.mktemp("images") / "busybox")
    for name in ("etc/alternatives", "lib"):
        (place / name).mkdir()
    for name, target in {"echo-of-the-image": "/etc/alternatives/echo", "escape": "../../../../../etc/shadow"}.items():
        (place / "usr/bin" / name).symlink_to(target)
    (place / "etc/alternatives/echo").write_text("#!/bin/sh\necho of the image\n")
    (place / "etc/alternatives/echo").chmod(0o755)
    return place


@pytest.fixture(scope="module", params=["bubblewrap", "gvisor"])
def box(request: pytest.FixtureRequest, image: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    boxed = None
    if request.param == "gvisor":
        if shutil.which("runsc") is None:
            if os.environ.get(WITHOUT) == "1":
                pytest.skip(f"{WITHOUT}=1: gvisor is NOT tested")
            pytest.fail("gvisor cannot be tested: runsc is missing; `make setup-test` installs it for root.")
        boxed = Boxed(None, "gvisor")
    with runner(tmp_path_factory.mktemp("rooted"), "watchdog", boxed=boxed, tools=image) as client:
        assert client.status().kind == request.param, client.status()
        yield client


def test_commands_get_the_images_programs_and_none_of_the_machines(box: Client, image: Path) -> None:
    ran = box.sh("readlink -f $(which ls); ls /usr/bin | sort")
    resolved, *names = ran.output.split()
    assert resolved == "/bin/busybox"
    assert set(names) == {path.name for path in (image / "usr/bin").iterdir()}
    assert "python3" not in names and Path("/usr/bin/python3").exists()
    assert box.run("exec", argv=["echo-of-the-image"]).output == "of the image\n"
    assert box.run("exec", argv=["bwrap", "--version"]).exit_code == 127
    assert box.sh("python3 --version").exit_code == 127


def test_the_machines_libraries_and_its_etc_are_not_there(box: Client, image: Path) -> None:
    assert box.sh("ls /lib /usr/lib /lib64 2>/dev/null").output.split() in ([], ["/lib:"])
    assert box.sh("cat /usr/bin/escape").exit_code == 1
    assert "agent:x:1000" in box.sh("cat /etc/passwd").output, "ours, not the image's"
    assert box.sh("ls -A /etc/ld.so.cache").exit_code != 0, "the machine's would name libraries that are not there"
    assert str(image) not in box.sh("cat /proc/self/cmdline").output


def test_the_tool_root_cannot_be_written(box: Client, image: Path) -> None:
    before = sorted(path.name for path in image.rglob("*"))
    for place in ("/usr/bin/new", "/bin/new", "/usr/bin/ls", "/etc/alternatives/echo", "/lib/new", "/bin/busybox"):
        ran = box.sh(f"echo x > {place}; echo $?")
        assert ran.output.split()[-1] != "0" and "an't create" in ran.output, (place, ran.output)
    assert box.sh("rm -rf /usr /bin").exit_code != 0
    assert sorted(path.name for path in image.rglob("*")) == before


def test_a_call_that_was_decided_for_other_programs_is_refused(box: Client) -> None:
    kind = box.status().kind
    place = {"workspace": str(box.workspace), "sandbox": kind, "tools": ""}
    answer = box.answer(box.send(do="run", tool="exec", arguments='{"command":"true"}', place=place))
    assert (answer["raised"], "other programs" in str(answer["said"])) == ("Refused", True)


def test_a_root_without_true_still_makes_a_sandbox_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "image/bin").mkdir(parents=True)
    for place in (tmp_path, tmp_path / "image", tmp_path / "image/bin"):
        place.chmod(0o755)
    shutil.copy(BUSYBOX, tmp_path / "image/bin/busybox")
    with runner(tmp_path / "r", "watchdog", tools=tmp_path / "image") as client:
        report = client.status()
        assert (report.kind, report.notes) == ("bubblewrap", (f"no `true` starts in {tmp_path}/image",))
        assert client.run("exec", argv=["busybox", "echo", "here"]).output == "here\n"
        assert client.sh("echo here").exit_code == 127
