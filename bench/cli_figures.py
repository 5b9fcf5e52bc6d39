"""How long commands take to say something: `--version`, and those that need no daemon."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Final

from bench.errors import NotMeasured
from bench.figure import Figure, Reference, Target, missing
from bench.house import House, house, program
from bench.options import Options
from bench.stats import samples
from wirken.cli.commands import COMMANDS

_BARE: Final = (sys.executable, "-I", "-c", "pass")
_COMMANDS: Final = (
    "--help",
    "sessions list",
    "sessions show last",
    "sessions verify --offline",
    "sessions verify",
    "audit log",
    "audit verify --offline",
    "credentials list",
    "doctor",
    "status",
)
"""None of them needs `wirken run`; those that the program does not have are left out."""


def measure(options: Options) -> list[Figure]:
    """Return the figures of the command line."""
    with house(options.disk) as one:
        one.wirken("ask", "--session", "bench", "-m", "say: hello")
        count = options.times(25, 5)
        present = [words for words in _COMMANDS if words.split()[0] in COMMANDS or words.startswith("-")]
        return [_version(one, count), *(_first_output(one, words, count) for words in present)]


def _version(one: House, count: int) -> Figure:
    bare, version = _interleaved((_BARE, (program(), "--version")), one.environment, count, whole=True)
    return Figure(
        name="wirken --version",
        unit="ms",
        samples=samples(version),
        target=Target("at most", 60, assumes=10),
        reference=Reference("bare interpreter", samples(bare)),
    )


def _first_output(one: House, words: str, count: int) -> Figure:
    name = f"first output of `wirken {words}`"
    try:
        bare, first = _interleaved((_BARE, (program(), *words.split())), one.environment, count, whole=False)
    except NotMeasured as error:
        return missing(name, str(error))
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
    process = subprocess.Popen(
        line, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    said = os.read(process.stdout.fileno(), 1)
    seconds = time.perf_counter() - started
    process.stdout.read()
    process.stdout.close()
    if process.wait() and not said:  # a doctor that finds something says it, and has an exit code for it
        raise NotMeasured(f"`{' '.join(line)}` failed")
    return time.perf_counter() - started if whole else seconds
