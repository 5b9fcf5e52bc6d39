"""Tell a running Wirken of channels that came, changed or went, and wait until their processes are there."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Final

from wirken.cli import daemon, plans
from wirken.config.channels import role_of
from wirken.config.load import Loaded
from wirken.config.paths import Paths
from wirken.domain import limits
from wirken.domain.errors import Unavailable
from wirken.supervisor.plan import encode

_LOOK: Final = 0.05
"""Seconds between two looks at the processes."""


class NotReady(Unavailable):
    """A process did not come up after the change."""

    hint = "`wirken status` and what `wirken run` prints say why."


def reload(paths: Paths, loaded: Loaded, environ: Mapping[str, str]) -> None:
    """Have the running Wirken go on with the channels of this configuration; return once everybody is ready.

    Gateway and outbound are started anew, so a turn that runs is stopped. Raises `daemon.Declined` where more has
    changed than channels, `daemon.NotRunning`, `NotReady`, and what `plans.make` raises.
    """
    plan = plans.make(paths, loaded, environ, port=loaded.config.web.port, without=frozenset())
    with daemon.Control(paths) as control:
        control.ask({"ask": "reload", "plan": json.loads(encode(plan))})
        _wait(control, set(plan.programs))


def renew(paths: Paths, channel: str) -> None:
    """Have the adapter of this channel started anew, with the secrets that are stored now.

    Raises as `reload` does.
    """
    role = role_of(channel)
    with daemon.Control(paths) as control:
        control.ask({"ask": "renew", "role": role})
        _wait(control, {role})


def _wait(control: daemon.Control, roles: set[str]) -> None:
    until = time.monotonic() + limits.STOP_TIME + limits.READY_TIME
    while True:
        children = control.ask({"ask": "status"})["children"]
        assert isinstance(children, list)
        ready = {row["role"] for row in children if row["state"] == "ready"}
        if roles <= ready:
            return
        if time.monotonic() > until:
            raise NotReady(f"Not ready after the change: {', '.join(sorted(roles - ready))}.")
        time.sleep(_LOOK)
