"""The plain reference for start-up and memory: six processes in the same views that only import and wait."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from bench.errors import NotMeasured
from bench.house import House, descendants
from wirken.cli import plans
from wirken.config.load import load
from wirken.config.paths import Paths
from wirken.confine import roles, views
from wirken.supervisor.launch import ENVIRONMENT, Tools, dropped, viewing

LINKED: Final = "asyncio, capnp, msgspec, nacl.bindings"
IMPORTS: Final = {
    "supervisor": "json, selectors, signal, socket",
    roles.VAULT: "apsw, ctypes, msgspec, nacl.bindings, socket",
    roles.GATEWAY: f"{LINKED}, argparse, apsw, jsonschema_rs, logging, tomllib",
    roles.RUNNER: f"{LINKED}, argparse, logging, tempfile",
    roles.OUTBOUND: f"{LINKED}, argparse, logging, tomllib",
    roles.WEB: f"{LINKED}, starlette.requests, starlette.routing, uvicorn.config, uvicorn.server, "
    "uvicorn.protocols.http.h11_impl",
}
"""What each process loads from elsewhere before its first work; nothing of Wirken's own."""
_WAIT: Final = "import sys; sys.stdout.write('r'); sys.stdout.flush(); sys.stdin.read()"
_PATIENCE: Final = 20.0  # seconds for all of them to import


@dataclass(frozen=True, slots=True)
class Bare:
    """The six, each ready. `seconds` from the first start to the last one's word."""

    pids: tuple[int, ...]
    seconds: float


@contextlib.contextmanager
def running(house: House) -> Iterator[Bare]:
    """Have the six up in views on the house's directory, which must have been started once. Raises `NotMeasured`."""
    paths = Paths(house.data)
    plan = plans.make(paths, load(paths.config_file), house.environment, port=1, without=frozenset())
    if not plan.walls:
        raise NotMeasured("there are no views on this machine")
    shown = [paths.sockets_dir / name for name in {name for role in IMPORTS for name in _sockets(role)}]
    for path in shown:
        path.touch()  # the views show them; here nobody listens on them
    tools = Tools(plan.bwrap, plan.setpriv, plan.service_uid)
    scene = plan.scene(views.top_level(), ())
    lines = [_line(role, tools, scene) for role in IMPORTS]
    started = time.perf_counter()
    processes = [_start(line) for line in lines]
    try:
        for process in processes:
            _await_word(process)
        seconds = time.perf_counter() - started
        yield Bare(tuple(_innermost(process.pid) for process in processes), seconds)
    finally:
        for process in processes:
            process.communicate()
        for path in shown:
            path.unlink()


def _sockets(role: str) -> tuple[str, ...]:
    return roles.ROLES[role].sockets if role in roles.ROLES else ()


def _line(role: str, tools: Tools, scene: views.Scene) -> tuple[str, ...]:
    program = (sys.executable, "-I", "-c", f"import {IMPORTS[role]}; {_WAIT}")
    if role not in roles.ROLES:
        return program
    return (*viewing(tools), *views.arguments(roles.ROLES[role], scene), "--", *dropped(tools), *program)


def _start(line: tuple[str, ...]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(line, env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def _await_word(process: subprocess.Popen[bytes]) -> None:
    assert process.stdout is not None
    if not select.select([process.stdout], [], [], _PATIENCE)[0] or os.read(process.stdout.fileno(), 1) != b"r":
        raise NotMeasured("a process with bare imports did not start in its view")


def _innermost(pid: int) -> int:
    return [pid, *descendants(pid)][-1]
