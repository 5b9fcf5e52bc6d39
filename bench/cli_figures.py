"""How long commands take to say something: `--version`, and those that need no daemon."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Final

from bench.errors import NotMeasured
from bench.figure import Figure, Reference, Target
from bench.house import House, house, program
from bench.options import Options
from bench.stats import samples

_BARE: Final = (sys.executable, "-I", "-c", "pass")
_COMMANDS: Final = (
    ("--help",),
    ("sessions", "list"),
    ("sessions", "show", "default/terminal/bench"),
    ("sessions", "verify", "default/terminal/bench"),
    ("audit", "log"),
    ("audit", "verify"),
)


def measure(options: Options) -> list[Figure]:
    """Return the figures of the command line."""
    with house(options.disk) as one:
        one.wirken("ask", "--session", "bench", "-m", "say: hello")
        count = options.times(25, 5)
        return [_version(one, count), *(_first_output(one, words, count) for words in _COMMANDS)]


def _version(one: House, count: int) -> Figure:
    bare, version = _interleaved((_BARE, (program(), "--version")), one.environment, count, whole=True)
    return Figure(
        name="wirken --version",
        unit="ms",
        samples=samples(version),
        target=Target("at most", 60, assumes=10),
        reference=Reference("bare interpreter", samples(bare)),
    )


def _first_output(one: House, words: tuple[str, ...], count: int) -> Figure:
    name = f"first output of `wirken {' '.join(words[:2])}`"
    bare, first = _interleaved((_BARE, (program(), *words)), one.environment, count, whole=False)
    reference = Reference("bare interpreter", samples(bare))
    return Figure(name, "ms", samples(first), Target("at most", 250), reference)


def _interleaved(
    lines: Sequence[Sequence[str]], environment: Mapping[str, str], count: int, *, whole: bool
) -> list[list[float]]:
    """Return the ms that each line took, each time one after the other, so that noise meets all alike.

    To its end where `whole`, else to its first output (a line without output: to its end).
    """
    found: list[list[float]] = [[] for _ in lines]
    for index in range(count + 1):
        for line, times in zip(lines, found, strict=True):
            took = _took(line, environment, whole=whole)
            if index:  # the first round only warms the disk's cache
                times.append(took * 1000)
    return found


def _took(line: Sequence[str], environment: Mapping[str, str], *, whole: bool) -> float:
    started = time.perf_counter()
    process = subprocess.Popen(line, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert process.stdout is not None
    os.read(process.stdout.fileno(), 1)
    seconds = time.perf_counter() - started
    process.stdout.read()
    process.stdout.close()
    if process.wait():
        raise NotMeasured(f"`{' '.join(line)}` failed")
    return time.perf_counter() - started if whole else seconds
