"""How much longer one process takes to start because of its walls: those it puts on itself, and its view."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Final

from bench.bare import IMPORTS, LINKED
from bench.errors import NotMeasured
from bench.figure import Figure, Reference, Target
from bench.options import Options
from bench.stats import samples
from wirken.cli import plans
from wirken.confine import roles, views
from wirken.confine.pyenv import program_paths
from wirken.supervisor.launch import ENVIRONMENT, dropped, viewing

LOADED: Final = {**IMPORTS, roles.CHANNELS: f"{LINKED}, argparse, logging"}
"""What each process loads from elsewhere; of an adapter all but its platform's library, which comes after its walls."""
_MOST: Final = 10.0  # ms that confinement may add to a process start
_ANYWAY: Final = "pathlib, wirken.domain.errors, wirken.domain.limits"
"""What every process of ours loads beside `LOADED`, walls or none."""
_PATIENCE: Final = 20.0  # seconds for one process


def start(options: Options) -> list[Figure]:
    """Return what the walls cost each role, measured alternately with the same process without them."""
    times = options.times(25, 5)
    added, plain = {}, {}
    for name in roles.START_ORDER:
        pairs = [(_timed(_bare(name)), _timed(_worn(name))) for _ in range(times)]
        plain[name] = [without for without, _ in pairs]
        added[name] = [worn - without for without, worn in pairs]
    worst = max(added, key=lambda name: samples(added[name]).median)
    each = ", ".join(f"{name} {samples(values).median:.1f}" for name, values in added.items())
    web = [(_timed(_bare(roles.WEB)), _timed(_viewed(roles.WEB))) for _ in range(times)]
    return [
        Figure(
            "walls a process puts on itself, added",
            "ms",
            samples(added[worst]),
            Target("at most", _MOST),
            Reference(f"{worst}: its imports alone", samples(plain[worst])),
            note=f"the costliest role; {each}",
        ),
        Figure(
            "these and the view, added",
            "ms",
            samples(worn - without for without, worn in web),
            reference=Reference("web: its imports alone", samples(without for without, _ in web)),
        ),
    ]


def _bare(name: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-c", f"import {LOADED[name]}, {_ANYWAY}")


def _worn(name: str) -> tuple[str, ...]:
    """The same, and then what `__main__` does first; the data directory of the rules is none."""
    entry = f"from wirken.confine import process; process.enter({name!r}, process.Ground('/nonexistent'))"
    return (*_bare(name)[:-1], f"{_bare(name)[-1]}; {entry}")


def _viewed(name: str) -> tuple[str, ...]:
    role = roles.ROLES[name]._replace(writable=(), readable=(), sockets=())
    scene = views.Scene(data="", sockets="", program=program_paths(), top=views.top_level())
    tools = plans.tools()
    return (*viewing(tools), *views.arguments(role, scene), "--", *dropped(tools), *_worn(name))


def _timed(line: tuple[str, ...]) -> float:
    """Return the ms from start to end. Raises `NotMeasured`."""
    started = time.perf_counter()
    done = subprocess.run(line, env=ENVIRONMENT, capture_output=True, timeout=_PATIENCE, check=False)
    if done.returncode != 0:
        raise NotMeasured(done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2] or "a process failed")
    return (time.perf_counter() - started) * 1000
