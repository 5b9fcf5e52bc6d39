"""A real supervisor over children that only look around (tests/support/child.py), driven from outside."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from wirken.config.paths import Paths
from wirken.confine import pyenv
from wirken.domain import limits
from wirken.supervisor.plan import Plan, encode

ROLES = ("vault", "gateway", "runner", "outbound", "web")
CHILD = Path(__file__).with_name("child.py")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def descendants(pid: int) -> list[int]:
    """Return all processes below `pid`, itself not included."""
    found: list[int] = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in os.listdir(f"/proc/{pid}/task"):
            for child in Path(f"/proc/{pid}/task/{task}/children").read_text().split():
                found += [int(child), *descendants(int(child))]
    return found


def alive(pids: list[int]) -> list[int]:
    """Return those that still run; a zombie does not."""
    running = []
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX":
                running.append(pid)
    return running


def until_gone(pids: list[int], seconds: float) -> list[int]:
    """Wait until none of `pids` runs; return those that still do."""
    deadline = time.monotonic() + seconds
    while alive(pids) and time.monotonic() < deadline:
        time.sleep(0.01)
    return alive(pids)


class Supervised:
    """One supervisor process. Its standard output and error go to files."""

    def __init__(self, folder: Path, behave: Mapping[str, str], **changes: object) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.paths = Paths(self.data)
        self.data.mkdir(mode=0o700, exist_ok=True)
        self.paths.config_file.touch(mode=0o600)
        self.port = free_port()
        self._ready, theirs = socket.socketpair()
        plan = self.plan(behave)._replace(**changes)  # type: ignore[arg-type]  # fields by name, from tests
        read, write = os.pipe()
        os.write(write, encode(plan))
        os.close(write)
        with open(folder / "out", "ab") as out, open(folder / "err", "ab") as err, theirs:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-m", "wirken.supervisor"),
                    *("--plan-fd", str(read), "--ready-fd", str(theirs.fileno())),
                ],
                pass_fds=(read, theirs.fileno()),
                env={"CANARY": "must not reach a child"},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
        os.close(read)

    def plan(self, behave: Mapping[str, str]) -> Plan:
        return Plan(
            version="9.9",
            banner=("banner",),
            ready_line="ready",
            data=str(self.data),
            sockets=str(self.paths.sockets_dir),
            program=(*pyenv.program_paths(), str(CHILD.parent)),
            programs={
                role: (sys.executable, "-I", str(CHILD), role, behave.get(role, "well"))
                for role in (*ROLES, *(role for role in behave if role not in ROLES))
            },
            workspaces=(str(self.paths.workspace("default")),),
            port=self.port,
            bwrap=shutil.which("bwrap") or "",
            setpriv=shutil.which("setpriv") or "",
            service_uid=limits.SERVICE_UID if os.getuid() == 0 else -1,
        )

    @property
    def out(self) -> str:
        return (self.folder / "out").read_text()

    @property
    def err(self) -> str:
        return (self.folder / "err").read_text()

    def wait_ready(self, seconds: float = 15.0) -> None:
        assert select.select([self._ready], [], [], seconds)[0], self.err
        assert self._ready.recv(1) == b"r", self.err

    def release(self) -> None:
        """Say that the parent is done."""
        self._ready.shutdown(socket.SHUT_WR)

    def heard(self) -> bytes:
        """Return what the supervisor says next on the readiness descriptor."""
        assert select.select([self._ready], [], [], 5)[0]
        return self._ready.recv(1)

    def connect(self) -> socket.socket:
        peer = socket.socket(socket.AF_UNIX)
        peer.settimeout(15)
        peer.connect(str(self.paths.supervisor_socket))
        return peer

    def ask(self, question: dict[str, object], peer: socket.socket | None = None) -> dict[str, object]:
        with contextlib.ExitStack() as stack:
            if peer is None:
                peer = stack.enter_context(self.connect())
            peer.sendall(json.dumps(question).encode() + b"\n")
            answer: dict[str, object] = json.loads(peer.makefile().readline())
            return answer

    def children(self) -> dict[str, dict[str, object]]:
        rows = self.ask({"ask": "status"})["children"]
        assert isinstance(rows, list)
        return {row["role"]: row for row in rows}

    def until(self, role: str, **wanted: object) -> dict[str, object]:
        """Wait until the status of `role` shows these values, and return it."""
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            row = self.children().get(role, {})
            if all(row.get(name) == value for name, value in wanted.items()):
                return row
            time.sleep(0.02)
        raise AssertionError(f"{role} never showed {wanted}: {self.children()} {self.err}")

    def seen(self, role: str) -> dict[str, object]:
        """Return what the latest child of `role` reported about itself."""
        for line in reversed(self.err.splitlines()):
            if line.startswith("SEEN "):
                sight: dict[str, object] = json.loads(line[5:])
                if sight["role"] == role:
                    return sight
        reports = sorted(self.data.rglob(f"seen-{role}-*.json"))
        latest: dict[str, object] = json.loads(reports[-1].read_text())
        return latest

    def inner(self, role: str) -> int:
        """Return the pid of the role's own program, below its two bubblewrap processes."""
        pid = self.children()[role]["pid"]
        assert isinstance(pid, int)
        return descendants(pid)[-1]

    def stop(self, number: int = signal.SIGTERM) -> float:
        """Send a signal, wait for the end and return the seconds it took."""
        start = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(10)
        return time.monotonic() - start


@contextlib.contextmanager
def supervised(folder: Path, behave: Mapping[str, str] | None = None, **changes: object) -> Iterator[Supervised]:
    """Start a supervisor and make sure that it is gone afterwards."""
    one = Supervised(folder, behave or {}, **changes)
    try:
        yield one
    finally:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()
        one._ready.close()
        if one.paths.sockets_dir.parent == Path("/tmp"):
            shutil.rmtree(one.paths.sockets_dir, ignore_errors=True)
