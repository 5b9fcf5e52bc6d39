"""The whole of Wirken as a person starts it: `wirken run` on a data directory of the test's, seen from outside."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.supervised import descendants, free_port, until_gone

from wirken.cli.daemon import Control
from wirken.config.paths import Paths
from wirken.domain.events import Fact
from wirken.record.canonical import decode
from wirken.record.reader import NoRecord, RecordReader

WIRKEN = [sys.executable, "-m", "wirken.cli.main"]
ROLES = ("vault", "gateway", "runner", "outbound", "web")
PATIENCE = 45.0
"""Seconds for what must happen on a machine that is busy."""


def environment(data: Path) -> dict[str, str]:
    """Return a person's environment, with something in it that no child may inherit."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(data.parent),
        "WIRKEN_DATA_DIR": str(data),
        "NO_COLOR": "1",
        "CANARY": "must-not-be-inherited",
        "OPENAI_API_KEY": "sk-canary-must-not-be-inherited",
    }


def wirken(data: Path, *words: str, text: str | None = None, timeout: float = 40.0) -> subprocess.CompletedProcess[str]:
    """Run one command to its end. `text` is its standard input, which is closed without it."""
    given = {"stdin": subprocess.DEVNULL} if text is None else {"input": text}
    return subprocess.run(
        [*WIRKEN, *words],
        env=environment(data),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        **given,
    )


class Spine:
    """`wirken run`. Its words go to the files `out` and `err` beside the data directory."""

    def __init__(self, folder: Path, config: str = "") -> None:
        self.folder = folder
        self.data = folder / "data"
        self.paths = Paths(self.data)
        self.port = free_port()
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self.paths.config_file.exists():
            self.paths.config_file.write_text(config)
        with open(folder / "out", "wb") as out, open(folder / "err", "ab") as err:
            self.process = subprocess.Popen(
                [*WIRKEN, "run", "--port", str(self.port)],
                env=environment(self.data),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

    @property
    def out(self) -> str:
        return (self.folder / "out").read_text()

    @property
    def err(self) -> str:
        return (self.folder / "err").read_text()

    @property
    def workspace(self) -> Path:
        return self.paths.workspace("default")

    def ready(self) -> Spine:
        until(lambda: "Wirken running" in self.out or self.process.poll() is not None, lambda: self.err)
        assert self.process.poll() is None, self.err
        return self

    def outer(self) -> dict[str, int]:
        """Return the pid of each role's outermost process, the supervisor's child."""
        with Control(self.paths) as control:
            rows = control.ask({"ask": "status"})["children"]
        assert isinstance(rows, list)
        return {row["role"]: row["pid"] for row in rows}

    def pid(self, role: str) -> int:
        """Return the pid of a role's own program."""
        found = [pid for pid in descendants(self.outer()[role]) if f"wirken.{role}" in argv(pid)[:4]]
        assert len(found) == 1 or argv(found[-1])[0].endswith("python"), (role, found)
        return found[-1]

    def kill(self, role: str) -> None:
        """SIGKILL, as the kernel's memory killer would. `supervisor` takes all with it."""
        if role == "supervisor":
            below = descendants(self.process.pid)
            self.process.kill()
            self.process.wait()
            assert until_gone(below, 5.0) == []
        else:
            pid = self.pid(role)
            os.kill(pid, signal.SIGKILL)
            assert until_gone([pid], 5.0) == []

    def stop(self, number: int = signal.SIGTERM) -> float:
        """Send a signal, wait for the end, and return the seconds it took."""
        started = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(10)
        return time.monotonic() - started

    def facts(self, session: str) -> list[Fact]:
        """Return the session's rows that are on disk now."""
        try:
            reader = RecordReader(self.paths.audit_db)
        except NoRecord:
            return []
        try:
            return [decode(row.payload).fact for row in reader.rows(session)]
        finally:
            reader.close()

    def kinds(self, session: str) -> list[str]:
        return [str(type(fact).__struct_config__.tag) for fact in self.facts(session)]

    def at_rest(self, session: str) -> bool:
        """Is every message's turn over and attested?"""
        kinds = self.kinds(session)
        done = kinds.count("user_message") == kinds.count("turn_ended")
        return not kinds or (done and kinds[-1] == "attestation")

    def until_at_rest(self, session: str) -> None:
        until(lambda: self.at_rest(session), lambda: f"{self.kinds(session)} {self.err}")

    def clean_up(self) -> None:
        below = descendants(self.process.pid)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        until_gone(below, 5.0)
        if self.paths.sockets_dir.parent == Path("/tmp"):
            shutil.rmtree(self.paths.sockets_dir, ignore_errors=True)


def argv(pid: int) -> list[str]:
    """Return a process's argument list; empty once it is gone."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1]
    return []


def until(happened, said=lambda: "", seconds: float = PATIENCE) -> None:  # type: ignore[no-untyped-def]  # lambdas
    """Wait until `happened()`; fail with `said()`."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, said()
        time.sleep(0.01)


@contextlib.contextmanager
def spine(folder: Path, config: str = "") -> Iterator[Spine]:
    """Start `wirken run`, ready, and make sure that nothing of it is left afterwards."""
    one = Spine(folder, config)
    try:
        yield one.ready()
    finally:
        one.clean_up()


@asynccontextmanager
async def aspine(folder: Path, config: str = "") -> AsyncIterator[Spine]:
    """The same for a coroutine."""
    with spine(folder, config) as one:
        yield one


def openai_config(url: str, more: Sequence[str] = ()) -> str:
    """Return a configuration whose model is an OpenAI-compatible server at `url`."""
    return "\n".join(
        [
            "[agents.default]",
            'model = "fake/gpt-test"',
            "[providers.fake]",
            'kind = "openai"',
            f'base_url = "{url}"',
            *more,
        ]
    )
