"""Every kind of sandbox behind the runner's port, and a small world outside of it that hostile programs may aim at."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, Literal, NamedTuple

import pytest
from tests.support.engine import Engine
from tests.support.runner_client import Boxed, Client, runner
from tests.support.walled import owned, service_ids

Kind = Literal["bubblewrap", "watchdog", "docker", "gvisor"]
KINDS: Final[tuple[Kind, ...]] = ("bubblewrap", "watchdog", "docker", "gvisor")
"""`watchdog` is bubblewrap where no cgroup can be had."""

PROGRAM: Final = "hostile-probe"
SOURCES: Final = Path(__file__).parents[1] / "hostile/sandbox/probes"
PATIENCE: Final = 15.0


class World(NamedTuple):
    """What lies outside the sandbox, for a probe's arguments."""

    folder: Path
    workspace: Path
    names: dict[str, str]
    canary: subprocess.Popen[bytes]

    def filled(self, words: list[str]) -> list[str]:
        return [word.format(**self.names) for word in words]

    def was_hit(self) -> bool:
        """Has something signalled the process outside since the last look?"""
        assert self.canary.stdout is not None
        os.set_blocking(self.canary.stdout.fileno(), False)
        return bool(self.canary.stdout.read())


def compiled(folder: Path) -> Path:
    """Compile the probes into one static program below `folder`."""
    program = folder / PROGRAM
    sources = sorted(map(str, SOURCES.glob("*.c")))
    flags = ["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-static", "-pthread"]
    subprocess.run(["gcc", *flags, "-o", str(program), *sources], check=True)
    return program


@contextmanager
def open_folder() -> Iterator[Path]:
    """Make a folder that every user of the machine can reach, which pytest's are not."""
    folder = Path(tempfile.mkdtemp(prefix="wirken-probes-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def world(folder: Path, program: Path) -> Iterator[World]:
    """Make the workspace `folder`/workspace, and beside it all that a probe may aim at."""
    workspace = owned(folder / "workspace")
    folder.chmod(0o755)
    (folder / "secret").write_text("secret")
    bird = folder / "bird"  # another name, so that it is not taken for a process that was left behind
    shutil.copy(program, bird)
    with ExitStack() as stack:
        names = {
            "folder": str(folder),
            "workspace": str(workspace),
            "start": str(workspace)[:6],
            "rest": str(workspace)[6:],
            "secret": str(folder / "secret"),
            "uid": str(service_ids()[0]),
            "hostname": socket.gethostname(),
            "abstract": folder.name,
            "address": _address(),
            **_listening(stack, folder, workspace),
        }
        canary = stack.enter_context(
            subprocess.Popen([*as_user(), str(bird), "canary"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        )
        assert canary.stdout is not None and canary.stdout.readline() == b"ready\n"
        yield World(folder, workspace, names | {"pid": str(canary.pid)}, canary)


def fresh(workspace: Path, program: Path) -> None:
    """Put into a workspace what a probe finds there: the program, files that steer, and what only root can make."""
    for entry in workspace.iterdir():
        if entry.name not in (PROGRAM, "inside.sock"):
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    if not (workspace / PROGRAM).exists():
        shutil.copy(program, workspace / PROGRAM)
    for name in (".git/hooks/pre-commit", ".git/config", "AGENTS.md", "sub/.envrc", "ordinary", "other/file"):
        (workspace / name).parent.mkdir(parents=True, exist_ok=True)
        (workspace / name).write_text("old\n")
    for entry in workspace.rglob("*"):
        if entry.name != "inside.sock":
            os.chown(entry, *service_ids())
    if os.geteuid() == 0:
        os.mknod(workspace / "device", 0o20666, os.makedev(1, 11))  # /dev/kmsg
        (workspace / "device").chmod(0o666)
        for name in ("of-root", "of-root-able"):
            shutil.copy(program, workspace / name)
        (workspace / "of-root").chmod(0o4755)
        # VFS_CAP_REVISION_2, effective, CAP_SETUID permitted (linux/capability.h)
        os.setxattr(
            workspace / "of-root-able", "security.capability", bytes.fromhex("01000002" + "80000000" + "00000000" * 3)
        )


def as_user() -> list[str]:
    """Return the words that start a program as the user that sandboxes belong to."""
    uid, gid = service_ids()
    return ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--"] if os.geteuid() == 0 else []


@contextmanager
def sandbox(kind: Kind, folder: Path, engine: Engine | None) -> Iterator[Client]:
    """Start a runner of this kind; its workspace is `folder`/workspace."""
    boxed = Boxed(engine, kind) if engine is not None and kind in ("docker", "gvisor") else None
    with runner(folder, "cgroup" if kind == "bubblewrap" else "watchdog", boxed=boxed) as client:
        if kind == "bubblewrap" and client.held_by == "watchdog":
            pytest.skip("no cgroup can be written here: what holds the limits is the watchdog alone")
        yield client


def left_behind() -> list[int]:
    """Return the probe's processes on this machine, whoever started them; some moments are given to end."""
    until = time.monotonic() + 0.5
    while (found := _running()) and time.monotonic() < until:
        time.sleep(0.02)
    return found


def _running() -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                name = (entry / "stat").read_text()
            except OSError:
                continue
            if f"({PROGRAM})" in name and ") Z " not in name:
                found.append(int(entry.name))
    return found


def _listening(stack: ExitStack, folder: Path, workspace: Path) -> dict[str, str]:
    tcp = stack.enter_context(socket.create_server(("", 0), backlog=64))
    six = stack.enter_context(socket.create_server(("::1", 0), family=socket.AF_INET6, backlog=64))
    udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    udp.bind(("127.0.0.1", 0))
    threading.Thread(target=_echo, args=(udp,), daemon=True).start()
    for place in (folder / "outside.sock", workspace / "inside.sock"):
        local = stack.enter_context(socket.socket(socket.AF_UNIX))
        here = Path.cwd()
        os.chdir(place.parent)  # a socket's address is short
        local.bind(place.name)
        os.chdir(here)
        place.chmod(0o777)
        local.listen(64)
    abstract = stack.enter_context(socket.socket(socket.AF_UNIX))
    abstract.bind(f"\0{folder.name}")
    abstract.listen(64)
    ports = {"port": tcp, "port6": six, "udp": udp}
    return {name: str(one.getsockname()[1]) for name, one in ports.items()}


def _echo(udp: socket.socket) -> None:
    while True:
        try:
            data, peer = udp.recvfrom(512)
            udp.sendto(data, peer)
        except OSError:
            return


def _address() -> str:
    """Return an address of this machine that is not its loopback, where it has one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"
