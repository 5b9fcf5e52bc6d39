"""A Docker engine of our own for tests, with a small image of our own: fixture `engine`, once per session.

It needs root. `WIRKEN_TEST_ENGINE=<path of a socket>` names an engine to use instead, with the image's name left to
us. `WIRKEN_TEST_WITHOUT_ENGINE=1` says by name that container sandboxes stay untested; else their tests fail.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import socket
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.support.walled import service_ids

GIVEN = "WIRKEN_TEST_ENGINE"
WITHOUT = "WIRKEN_TEST_WITHOUT_ENGINE"
IMAGE = "wirken-test:latest"
BUSYBOX = Path("/bin/busybox")
PROGRAMS = ("dockerd", "docker", "containerd", "runc", "runsc")
PATIENCE = 30.0

_FILES = {
    "etc/passwd": "root:x:0:0:root:/:/bin/sh\nagent:x:1000:1000:agent:/tmp:/bin/sh\n",
    "etc/group": "root:x:0:\nagent:x:1000:\n",
}


class Engine(NamedTuple):
    """A running engine. Its runtimes are `runc` (the default), `runsc`, and `runsc-online` for a granted network."""

    socket: Path
    image: str
    rootfs: Path
    """The image unpacked: a folder that can serve as a root."""

    def docker(self, *words: str, patience: float = PATIENCE) -> str:
        """Return what the `docker` command line says."""
        done = subprocess.run(
            ["docker", *words], env=self.environment, capture_output=True, text=True, timeout=patience, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DOCKER_HOST": f"unix://{self.socket}"}


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """A Docker engine with IMAGE; it ends with the test session."""
    if os.environ.get(WITHOUT) == "1":
        pytest.skip(f"{WITHOUT}=1: docker and gvisor sandboxes are NOT tested")
    given = os.environ.get(GIVEN)
    if not given and os.geteuid() != 0:
        pytest.fail(
            "docker and gvisor sandboxes cannot be tested: starting an engine takes root. Run the tests as root, name "
            f"an engine with {GIVEN}=/var/run/docker.sock, or leave them untested with {WITHOUT}=1."
        )
    missing = [name for name in PROGRAMS if shutil.which(name) is None] + ([] if BUSYBOX.exists() else ["busybox"])
    if missing:
        pytest.fail(
            f"docker and gvisor sandboxes cannot be tested: {missing} missing; `make setup-test` installs them."
        )
    with prepared(given or "") as one:
        yield one


@contextmanager
def prepared(given: str) -> Iterator[Engine]:
    """Give the engine at the socket `given`, or one of our own where that is empty, with our image in it."""
    home = Path(tempfile.mkdtemp(prefix="wirken-engine-"))
    home.chmod(0o755)
    try:
        rootfs = busybox_root(home / "rootfs")
        if given:
            yield _with_image(Engine(Path(given), IMAGE, rootfs))
        else:
            with started(home) as path:
                yield _with_image(Engine(path, IMAGE, rootfs))
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def started(home: Path) -> Iterator[Path]:
    """Start an engine that keeps all that is its own below `home`, and end it again."""
    path, log = home / "docker.sock", home / "log"
    # Without its own loopback-only network this old runsc refuses the namespace that docker makes. The second one is
    # for commands with a network, which take their hatch's.
    wanted = {"runsc": "--network=none", "runsc-online": "--network=host"}
    runtimes = {name: {"path": shutil.which("runsc"), "runtimeArgs": [word]} for name, word in wanted.items()}
    (home / "daemon.json").write_text(json.dumps({"runtimes": runtimes}))
    options = {"data-root": "data", "exec-root": "run", "pidfile": "pid", "config-file": "daemon.json"}
    line = ["setpriv", "--pdeathsig", "KILL", "dockerd", f"--host=unix://{path}", "--bridge=none"]
    line += ["--iptables=false", "--ip6tables=false", "--ip-forward=false"]
    line += [f"--{name}={home / value}" for name, value in options.items()]
    with log.open("wb") as said, subprocess.Popen(line, stdout=said, stderr=said, start_new_session=True) as process:
        try:
            _await(path, process, log)
            os.chown(path, 0, service_ids()[1])
            yield path
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()


def _await(path: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket(socket.AF_UNIX) as asking:
            try:
                asking.connect(str(path))
                asking.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
                if asking.recv(64).startswith(b"HTTP/1.0 200"):
                    return
            except OSError:
                pass
        time.sleep(0.05)
    pytest.fail(f"the engine did not start:\n{log.read_text()[-3000:]}")


def busybox_root(place: Path) -> Path:
    """Make a root of busybox alone, with the folders that a sandbox mounts over."""
    for name in ("bin", "usr/bin", "etc", "proc", "sys", "dev", "tmp", "workspace", "readonly"):
        (place / name).mkdir(parents=True)
        (place / name).chmod(0o755)
    place.chmod(0o755)
    (place / "tmp").chmod(0o1777)
    shutil.copy(BUSYBOX, place / "bin/busybox")
    names = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split()
    for name in names:
        if name != "busybox":
            (place / "bin" / name).symlink_to("busybox")
            (place / "usr/bin" / name).symlink_to("/bin/busybox")
    for name, text in _FILES.items():
        (place / name).write_text(text)
    return place


def _with_image(engine: Engine) -> Engine:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(engine.rootfs, arcname=".")
    done = subprocess.run(
        ["docker", "import", "-", IMAGE],
        env=engine.environment,
        input=packed.getvalue(),
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return engine
