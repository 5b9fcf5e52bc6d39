"""The `wirken` command as people and scripts call it, and a Wirken that runs."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

WIRKEN = (sys.executable, "-I", "-m", "wirken.cli.main")


def environment(folder: Path) -> dict[str, str]:
    """An environment of its own: data directory, home, and no session bus."""
    return {"WIRKEN_DATA_DIR": str(folder / "d"), "HOME": str(folder), "PATH": os.environ["PATH"]}


def wirken(environ: Mapping[str, str], *words: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end. It has no terminal to ask on."""
    return subprocess.run(
        [*WIRKEN, *words],
        env=dict(environ),
        input=given,
        stdin=subprocess.DEVNULL if given is None else None,
        capture_output=True,
        text=True,
        timeout=60,
        start_new_session=True,
    )


@contextlib.contextmanager
def running(environ: Mapping[str, str], folder: Path, port: int, *, until: str = "Wirken running") -> Iterator[int]:
    """`wirken run`, from the moment it has said `until`; gives its pid. What it says goes to `<folder>/run.log`."""
    with open(folder / "run.log", "wb") as log:
        process = subprocess.Popen(
            [*WIRKEN, "run", "--port", str(port)],
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert process.stdout is not None
        for line in process.stdout:
            log.write(line)
            log.flush()
            if until.encode() in line:
                break
        try:
            yield process.pid
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            log.write(process.stdout.read())
            process.stdout.close()
