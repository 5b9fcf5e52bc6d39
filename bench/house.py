"""A real `wirken run` on a throw-away data directory: start it, find its processes, stop it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.errors import NotMeasured

ROLES: Final = ("supervisor", "vault", "gateway", "runner", "outbound", "web")
READY: Final = "Wirken running."
_STOP: Final = 10.0  # seconds before a house that does not stop is killed


@dataclass(frozen=True, slots=True)
class House:
    """A data directory, and the commands that work on it."""

    data: Path
    home: Path

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "XDG_RUNTIME_DIR") if name in os.environ}
        return {**kept, "HOME": str(self.home), "LANG": "C.UTF-8", "WIRKEN_DATA_DIR": str(self.data)}

    def wirken(self, *words: str) -> str:
        """Run a command and return its output. Raises `NotMeasured`."""
        done = subprocess.run([program(), *words], env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NotMeasured(f"`wirken {' '.join(words)}` failed: {done.stderr.strip()[-300:]}")
        return done.stdout

    def configure(self, text: str) -> None:
        """Write config.toml."""
        path = self.data / "config.toml"
        path.touch(mode=0o600)
        path.write_text(text)


@dataclass(frozen=True, slots=True)
class Running:
    """A house that is up. `seconds` is how long it took from the start of the command to its ready line."""

    house: House
    port: int
    pid: int
    seconds: float

    def processes(self) -> dict[str, int]:
        """Return the pid of each role. Raises `NotMeasured` where one is missing."""
        found = {"supervisor": self.pid}
        for pid in descendants(self.pid):
            words = _words(pid)
            role = next((word.removeprefix("wirken.") for word in words if word.startswith("wirken.")), "")
            if role in ROLES and "bwrap" not in words[0] and "setpriv" not in words[0]:
                found[role] = pid
        if set(found) != set(ROLES):
            raise NotMeasured(f"not all processes run: {sorted(found)}")
        return found

    def monitors(self) -> list[int]:
        """Return the pids of the processes that are bubblewrap's, not ours."""
        ours = set(self.processes().values())
        return [pid for pid in descendants(self.pid) if pid not in ours]


@contextlib.contextmanager
def house(disk: Path) -> Iterator[House]:
    """Have an empty data directory on `disk`."""
    with tempfile.TemporaryDirectory(prefix="wirken-bench-", dir=disk) as folder:
        data, home = Path(folder) / "data", Path(folder) / "home"
        for made in (data, home):
            made.mkdir(mode=0o700)
        Path(folder).chmod(0o755)
        yield House(data, home)


@contextlib.contextmanager
def running(one: House) -> Iterator[Running]:
    """Have `wirken run` up; stop it in the end and wait until it is gone. Raises `NotMeasured`."""
    port = free_port()
    log = one.home / "stderr"
    with open(log, "ab") as errors:
        started = time.perf_counter()
        process = subprocess.Popen(
            [program(), "run", "--port", str(port)],
            env=one.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
    try:
        assert process.stdout is not None
        if not any(line.decode().startswith(READY) for line in process.stdout):
            raise NotMeasured(f"`wirken run` did not come up: {log.read_text()[-300:]}")
        yield Running(one, port, process.pid, time.perf_counter() - started)
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def program() -> str:
    """Return the `wirken` of the environment that measures."""
    return str(Path(sys.executable).with_name("wirken"))


def free_port() -> int:
    """Return a port of 127.0.0.1 that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def descendants(pid: int) -> list[int]:
    """Return all processes below `pid`, itself not included."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            found += [int(child), *descendants(int(child))]
    return found


def _words(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode().rstrip("\0").split("\0")
    except OSError:
        return [""]
