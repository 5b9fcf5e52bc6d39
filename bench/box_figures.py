"""How long an empty command takes in each kind of sandbox, beside the plain tool's own start."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.support.engine import PROGRAMS, Engine, prepared
from tests.support.runner_client import Boxed, Client, runner
from tests.support.walled import service_ids

from bench.errors import NotMeasured
from bench.figure import Figure, Reference, Target
from bench.options import Options
from bench.stats import samples

_ADDED: Final = 15.0  # ms that bubblewrap may take over a bare subprocess
_SHARE: Final = 1.15  # of the plain tool's start
_PAUSE: Final = 0.1  # seconds between two commands: in a burst the kernel moves processes between cgroups for nothing
_ROUNDS: Final = 5  # ours and theirs alternate so often, so that a machine that slows down slows both


def measure(options: Options) -> list[Figure]:
    """Return what a cold `exec true` takes in every sandbox. Raises `NotMeasured` where no engine can be had."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if os.geteuid() != 0 or missing:
        raise NotMeasured(f"an engine of our own needs root and {', '.join(PROGRAMS)}")
    with prepared("") as engine, tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        place = Path(folder)
        place.chmod(0o755)
        return [
            _bubblewrap(place, options.times(20, 4)),
            *(_engine(place, engine, kind, options.times(6, 2)) for kind in ("docker", "gvisor")),
            _direct(place, options.times(6, 2)),
        ]


def _bubblewrap(place: Path, each: int) -> Figure:
    with runner(place / "bubblewrap", "cgroup") as client:
        ours, plain = _alternately(client, ["/usr/bin/true"], {}, each)
    bare = samples(plain)
    return Figure(
        "`exec true` with bubblewrap, added",
        "ms",
        samples(value - bare.median for value in ours),
        Target("at most", _ADDED),
        Reference("a bare subprocess", bare),
        note=f"limits held by {client.held_by}",
    )


def _engine(place: Path, engine: Engine, kind: str, each: int) -> Figure:
    boxed = Boxed(engine, "gvisor" if kind == "gvisor" else "docker")
    runtime = ["--runtime=runsc"] if kind == "gvisor" else []
    line = ["docker", "run", "--rm", "--init", "--network=none", *runtime, engine.image, "true"]
    with runner(place / kind, "watchdog", boxed=boxed) as client:
        ours, plain = _alternately(client, line, engine.environment, each)
    return Figure(
        f"`exec true` with {kind}",
        "ms",
        samples(ours),
        Target("at most", _SHARE, of="ratio"),
        Reference(f"docker run --rm {' '.join(runtime)}".strip(), samples(plain)),
    )


def _direct(place: Path, each: int) -> Figure:
    """gVisor without an engine, beside `runsc run` of the same program by the same uid and nothing around it."""
    bundle, state = place / "bundle", place / "state"
    bundle.mkdir()
    state.mkdir()
    os.chown(state, *service_ids())
    told = {
        "ociVersion": "1.0.2",
        "process": {"user": {"uid": 0, "gid": 0}, "args": ["true"], "env": ["PATH=/usr/bin"], "cwd": "/"},
        "root": {"path": "/", "readonly": True},
        "linux": {"namespaces": [{"type": name} for name in ("pid", "mount", "network", "ipc", "uts")]},
    }
    (bundle / "config.json").write_text(json.dumps(told))
    uid, gid = service_ids()
    options = f"--rootless --network=none --ignore-cgroups --root {state}"
    # Each by a name of its own: gVisor's control socket is of the network namespace, which they share here.
    start = f"exec runsc {options} run --bundle {bundle} plain-$$"
    line = ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "sh", "-c", start]
    with runner(place / "direct", "cgroup", boxed=Boxed(None, "gvisor")) as client:
        ours, plain = _alternately(client, line, {"PATH": "/usr/bin:/bin"}, each)
    return Figure(
        "`exec true` with gvisor, no engine",
        "ms",
        samples(ours),
        Target("at most", _SHARE, of="ratio"),
        Reference("runsc --rootless run", samples(plain)),
    )


def _alternately(
    client: Client, line: Sequence[str], environment: dict[str, str], each: int
) -> tuple[list[float], list[float]]:
    """Return the times of an empty command through a runner, and of a plain program, in ms."""
    if client.status().kind == "none":
        raise NotMeasured(client.status().reason)
    ours: list[float] = []
    plain: list[float] = []
    for _ in range(_ROUNDS):
        told = client.answer(client.send(do="time", count=each, pause=_PAUSE))["took"]
        assert isinstance(told, list)
        ours += told
        plain += [_timed(line, environment) for _ in range(each)]
    return ours, plain


def _timed(line: Sequence[str], environment: dict[str, str]) -> float:
    started = time.perf_counter()
    done = subprocess.run(line, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    took = (time.perf_counter() - started) * 1e3
    if done.returncode != 0:
        raise NotMeasured(f"{line[0]}: {done.stderr.decode(errors='replace')[-300:]}")
    return took
