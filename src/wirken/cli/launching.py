"""How the supervisor is started: its arguments, its plan on an inherited pipe, its environment."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Final

from wirken.confine import delegate
from wirken.domain import limits
from wirken.domain.errors import UsageError
from wirken.supervisor.launch import ENVIRONMENT
from wirken.supervisor.plan import Plan, encode

_PIPE: Final = 60_000  # bytes; what a pipe holds before anybody reads it is 64 KiB on Linux (pipe(7))
_MANAGER: Final = ("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")


class PlanTooLong(UsageError):
    """The configuration names more folders than a plan can carry."""

    hint = "Give the agents fewer folders."


def handed_over(plan: Plan) -> int:
    """Return an inheritable descriptor from which the plan can be read. Raises `PlanTooLong`."""
    raw = encode(plan)
    if len(raw) > _PIPE:
        raise PlanTooLong("The configuration names too many folders.")
    read, write = os.pipe()
    os.write(write, raw)
    os.close(write)
    os.set_inheritable(read, True)
    return read


def supervisor_line(plan: int, ready: int) -> list[str]:
    """Return the argument list, in a cgroup of its own where systemd gives one. `ready`: -1 for nobody."""
    line = [sys.executable, "-I", "-m", "wirken.supervisor", "--plan-fd", str(plan)]
    return [*_scope(), *line, *(["--ready-fd", str(ready)] if ready != -1 else [])]


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the supervisor's environment: what systemd-run needs to find the user's manager, no more."""
    return {**ENVIRONMENT, **{name: environ[name] for name in _MANAGER if name in environ}}


def _scope() -> list[str]:
    """Return the words that have systemd make a cgroup for us; none where it would not, which is tried."""
    prefix = delegate.scope_prefix(os.getpid(), os.getuid(), os.environ.get("XDG_RUNTIME_DIR", ""))
    if not prefix:
        return []
    trial = delegate.scope_prefix(-os.getpid(), os.getuid(), os.environ.get("XDG_RUNTIME_DIR", ""))
    try:
        done = subprocess.run(
            [*trial, "/usr/bin/true"],
            env=environment(os.environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=limits.SANDBOX_PROBE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return prefix if done.returncode == 0 else []
