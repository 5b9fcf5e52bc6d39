"""The kinds of sandbox whose commands can be granted a network, for tests that run over each of them."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Final, Literal

import pytest
from tests.support.engine import PATIENCE, WITHOUT, Engine
from tests.support.runner_client import Boxed

Way = Literal["bubblewrap", "direct", "docker", "gvisor"]
WAYS: Final[tuple[Way, ...]] = ("bubblewrap", "direct", "docker", "gvisor")
"""`direct` is gVisor without an engine, `gvisor` an engine's runtime."""

IMAGE: Final = "wirken-test-machine:latest"
"""An image of busybox, and of links to this machine's programs where they are shown read-only (`shown`)."""
_BARE: Final = ("etc", "proc", "sys", "dev", "tmp", "workspace", "readonly", "bin/busybox", "bin/sh", "bin/wc")
_SHOWN: Final = "/readonly/1-usr"


def boxed(way: Way, request: pytest.FixtureRequest) -> Boxed | None:
    """Return what a runner of this kind is given; fails the test where the kind cannot be had."""
    if way == "bubblewrap":
        return None
    if way != "direct":
        engine = request.getfixturevalue("engine")
        _machine(engine)
        return Boxed(engine, way, image=IMAGE)
    if shutil.which("runsc") is None:
        if os.environ.get(WITHOUT) == "1":
            pytest.skip(f"{WITHOUT}=1: gvisor is NOT tested")
        pytest.fail("gvisor cannot be tested: runsc is missing; `make setup-test` installs it for root.")
    return Boxed(None, "gvisor")


def shown(way: Way) -> tuple[str, ...]:
    """Return the read-only folders of a command that is to find this machine's programs."""
    return ("/usr",) if way in ("docker", "gvisor") else ()


def with_curl(engine: Engine) -> str:
    """Give the engine an image of busybox and this machine's curl, and return its name."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", dereference=True) as archive:
        for name in _BARE:
            archive.add(engine.rootfs / name, arcname=name)
        said = subprocess.run(["ldd", "/usr/bin/curl"], capture_output=True, text=True, check=True).stdout
        for path in sorted({"/usr/bin/curl", *(word for word in said.split() if word.startswith("/"))}):
            archive.add(path, arcname=path[1:])
    return _imported(engine, "wirken-test-curl:latest", packed.getvalue())


def _machine(engine: Engine) -> None:
    """Give the engine IMAGE."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name in _BARE:
            archive.add(engine.rootfs / name, arcname=name)
        archive.add("/etc/alternatives", arcname="etc/alternatives")
        for name in ("usr", "lib", "lib64"):
            link = tarfile.TarInfo(name)
            link.type = tarfile.SYMTYPE
            link.linkname = _SHOWN if name == "usr" else f"{_SHOWN}/{Path('/', name).resolve().name}"
            archive.addfile(link)
    _imported(engine, IMAGE, packed.getvalue())


def _imported(engine: Engine, name: str, packed: bytes) -> str:
    line = ["docker", "import", "-", name]
    done = subprocess.run(
        line, env=engine.environment, input=packed, capture_output=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr
    return name
