"""Try the walls before anything is started: a process view, and inside it a sandbox as the runner makes them.

Loaded by the command line, not by the supervisor.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Final, get_args

from wirken.confine import landlock, process, usable, views
from wirken.confine.roles import Role
from wirken.confine.syscalls import Machine
from wirken.domain import limits
from wirken.domain.errors import SandboxUnavailable
from wirken.domain.walls import SECCOMP, covered
from wirken.supervisor.launch import ENVIRONMENT, Tools, dropped, viewing

_NOTHING: Final = Role("trial")
_SANDBOX: Final = (
    "--unshare-all",
    "--die-with-parent",
    "--ro-bind",
    "/usr",
    "/usr",
    "--proc",
    "/proc",
    "--dev",
    "/dev",
)


class NoWalls(SandboxUnavailable):
    """The processes cannot be started in their views."""


def without(allowed: Iterable[str]) -> tuple[str, ...]:
    """Return the walls that this machine cannot put on a process, and need not: `allowed` names them.

    Raises `process.WallMissing` where one is not allowed to be missing.
    """
    missing = [*process.lacking(landlock.version()), *([] if os.uname().machine in get_args(Machine) else [SECCOMP])]
    if refused := tuple(each for each in missing if each not in covered(allowed)):
        raise process.missing_error(refused)
    return tuple(missing)


def walls(tools: Tools) -> str:
    """Return why the runner cannot make sandboxes inside its view; empty where it can.

    Raises `NoWalls` where not even a view can be had, with the reason and the fix.
    """
    if not tools.bwrap or (tools.service_uid != -1 and not tools.setpriv):
        obstacle = usable.obstacle(Path("/"))
        missing = "setpriv (util-linux)" if tools.bwrap else ""
        raise NoWalls(f"{missing} is not installed." if missing else obstacle.reason, hint=obstacle.fix)
    scene = views.Scene(data="", sockets="", program=(), top=views.top_level())
    line = (*viewing(tools), *views.arguments(_NOTHING, scene), "--", *dropped(tools))
    links = [word for mount in scene.top for word in (f"--{mount.kind}", mount.source, mount.target)]
    inner = _tried((*line, tools.bwrap, *_SANDBOX, *links, "--", "/usr/bin/true"))
    if not inner:
        return ""
    outer = _tried((*line, "/usr/bin/true"))
    if outer:
        obstacle = usable.obstacle(Path("/"), outer)
        raise NoWalls(obstacle.reason, hint=obstacle.fix)
    return usable.obstacle(Path("/"), inner).reason


def _tried(line: tuple[str, ...]) -> str:
    """Run a program; return what it complained about, or an empty text where it did not."""
    try:
        done = subprocess.run(
            line,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=limits.SANDBOX_PROBE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "bwrap: it did not end"
    except OSError as error:
        return f"bwrap: {os.strerror(error.errno or 0)}"
    if done.returncode == 0:
        return ""
    return done.stderr.decode("utf-8", "replace").strip() or f"bwrap: exit code {done.returncode}"
