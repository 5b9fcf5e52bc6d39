"""Talk to `tests.support.runner_bench`, which runs as the supervisor would start the runner."""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
from tests.support.engine import Engine
from tests.support.walled import REPOSITORY, owned, service_ids, walled

from wirken.confine import delegate
from wirken.ipc.calls.runner import Ran, SandboxReport
from wirken.runner.owner import Owner
from wirken.runner.sandbox import Bounds

PATIENCE = 60.0


class Client:
    def __init__(self, process: subprocess.Popen[bytes], workspace: Path, held_by: str) -> None:
        self.workspace = workspace
        self.held_by = held_by
        self.pid = process.pid
        self.shown: tuple[str, ...] = ()
        """Read-only folders of every command, before its own."""
        self.online_prelude = ""
        """What a command with a network begins with."""
        self._process = process
        self._last = 0
        self._answers: dict[int, dict[str, object]] = {}
        self._pending = b""
        self.killed = False

    def send(self, **request: object) -> int:
        """Put a question and return its number."""
        self._last += 1
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"id": self._last, **request}).encode() + b"\n")
        self._process.stdin.flush()
        return self._last

    def control(self, **request: object) -> None:
        """Say something that has no answer of its own."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()

    def answer(self, number: int) -> dict[str, object]:
        deadline = time.monotonic() + PATIENCE
        while number not in self._answers:
            line = json.loads(self._line(deadline))
            self._answers[line.pop("id", 0)] = line
        return self._answers.pop(number)

    def start(
        self,
        tool: str,
        read_only: tuple[str, ...] = (),
        network: bool = False,
        *,
        steering: bool = False,
        **arguments: object,
    ) -> int:
        asked = {"read_only": [*self.shown, *read_only], "network": network, "steering": steering}
        return self.send(do="run", tool=tool, arguments=json.dumps(arguments), **asked)

    def run(self, tool: str, read_only: tuple[str, ...] = (), *, steering: bool = False, **arguments: object) -> Ran:
        return msgspec.convert(self.answer(self.start(tool, read_only, False, steering=steering, **arguments)), Ran)

    def sh(self, command: str, timeout: float = 30, *, steering: bool = False) -> Ran:
        return self.run("exec", steering=steering, command=command, timeout=timeout)

    def online(
        self, command: str, read_only: tuple[str, ...] = (), timeout: float = 60, *, steering: bool = False
    ) -> Ran:
        """Run a command that was granted a network."""
        number = self.start(
            "exec", read_only, True, steering=steering, command=self.online_prelude + command, timeout=timeout
        )
        return msgspec.convert(self.answer(number), Ran)

    def kill(self) -> None:
        """End the runner and its view as a crash would."""
        self.killed = True
        self._process.kill()

    def status(self) -> SandboxReport:
        return msgspec.convert(self.answer(self.send(do="status")), SandboxReport)

    def _line(self, deadline: float) -> bytes:
        assert self._process.stdout is not None
        handle = self._process.stdout.fileno()
        while b"\n" not in self._pending:
            ready, _, _ = select.select([handle], [], [], max(0.0, deadline - time.monotonic()))
            data = os.read(handle, 2**20) if ready else b""
            assert data, "the runner said nothing more"
            self._pending += data
        line, _, self._pending = self._pending.partition(b"\n")
        return line


class Boxed(NamedTuple):
    """Which sandbox a runner is given instead of bubblewrap, its limits, and whose its containers are."""

    engine: Engine | None
    """None for gVisor without an engine."""
    kind: Literal["docker", "gvisor"] = "docker"
    owner: Owner = Owner("test", "start", "runner")
    bounds: Bounds = Bounds()
    image: str = ""
    """Empty for the engine's own test image."""
    warm: bool = False
    hatches: str | None = None
    """Instead of a folder that the engine sees, too."""

    def options(self, hatches: Path) -> dict[str, object]:
        """Return the runner's; `hatches` is a folder that the engine sees, too."""
        bounds = self.bounds._asdict()
        if self.engine is None:
            return {"kind": self.kind, "engine": None, "bounds": bounds, "runsc": "/usr/bin/runsc"}
        runtime = "runsc" if self.kind == "gvisor" else ""
        given: list[object] = [str(self.engine.socket), self.image or self.engine.image, runtime, self.owner, self.warm]
        given.append(str(hatches) if self.hatches is None else self.hatches)
        return {"kind": self.kind, "engine": given, "bounds": bounds, "runsc": ""}


@contextmanager
def runner(
    folder: Path,
    limits: Literal["cgroup", "watchdog"],
    read_only: tuple[str, ...] = (),
    view: tuple[str, ...] = (),
    relay: Path | None = None,
    boxed: Boxed | None = None,
    skills: Path | None = None,
    tools: Path | None = None,
    outside: tuple[str, ...] = (),
) -> Iterator[Client]:
    """Start a runner whose workspace is `folder`/workspace; `limits` says whether it is given cgroups.

    `view` are further arguments of the view it starts in; `relay` is the socket its commands reach out through.
    `outside` are single paths as the supervisor tells them; the view has to show them. With `boxed`, commands run in
    containers. `skills` is the folder of wasm skills, `tools` the tool root.
    """
    given = delegate.delegate(os.getpid(), *service_ids()) if limits == "cgroup" else delegate.NOTHING
    try:
        folders = {"skills": skills, "tools": tools}
        with _started(folder, given, read_only, view, relay, boxed, folders, outside) as client:
            yield client
    finally:
        delegate.remove(given, os.getpid())


@contextmanager
def _started(
    folder: Path,
    given: delegate.Delegation,
    read_only: tuple[str, ...],
    view: tuple[str, ...],
    relay: Path | None,
    boxed: Boxed | None,
    folders: dict[str, Path | None],
    outside: tuple[str, ...],
) -> Iterator[Client]:
    workspace, hatches = owned(folder / "workspace"), owned(folder / "hatches")
    options = {
        "workspace": str(workspace),
        "read_only": list(read_only),
        "cgroups": [value for _, value in given.options],
        "relay": str(relay or ""),
        "outside": list(outside),
        **{name: str(place or "") for name, place in folders.items()},
        **(
            {"kind": "bubblewrap", "engine": None, "bounds": {}, "runsc": ""}
            if boxed is None
            else boxed.options(hatches)
        ),
    }
    program = [str(REPOSITORY / "tests/support/runner_bench.py"), json.dumps(options)]
    engine = [] if boxed is None or boxed.engine is None else [str(boxed.engine.socket)]
    shown = (*read_only, *(str(place) for place in (relay, *folders.values()) if place), *engine)
    line = walled(program, writable=[str(workspace), str(hatches), *given.binds], readable=shown, extra=view)
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        client = Client(process, workspace, given.kind)
        assert client.answer(0) == {"ready": True}
        yield client
        assert process.stdin is not None
        process.stdin.close()
        ended = process.wait(timeout=10)
        assert client.killed or ended == 0, "it did not end in order"
