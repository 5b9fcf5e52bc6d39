"""`python -m bench [--only NAME …] [--quick] [--json FILE] [--disk DIR]`: measure, print a table, write JSON.

Exit code 0, whatever the figures say: this is a report. 1 where something could not be measured.
"""

from __future__ import annotations

import argparse
import compileall
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from bench import (
    box_figures,
    cli_figures,
    confine_figures,
    egress_figures,
    explain_figures,
    machine,
    record_figures,
    start_figures,
    turn_figures,
)
from bench.errors import NotMeasured
from bench.figure import Figure, Shown, Verdict, missing, shown
from bench.machine import Machine
from bench.options import Options
from bench.table import table

_ROOT: Final = Path(__file__).resolve().parent.parent
MEASUREMENTS: Final[dict[str, Callable[[Options], list[Figure]]]] = {
    "cli": cli_figures.measure,
    "explain": explain_figures.measure,
    "ready": start_figures.ready,
    "confinement": confine_figures.start,
    "boxes": box_figures.measure,
    "memory": start_figures.memory,
    "turn": turn_figures.overhead,
    "clients": turn_figures.throughput,
    "long": turn_figures.long_session,
    "rows": record_figures.rows,
    "verify": record_figures.verification,
    "request": turn_figures.request,
    "relay": egress_figures.relay,
}


class _Report(msgspec.Struct, frozen=True):
    machine: Machine
    quick: bool
    figures: list[Shown]


def main(words: list[str]) -> int:
    """Measure what was asked for and report it; return the exit code."""
    asked = _parse(words)
    # A stale .pyc makes a process compile at each start, as it may not write beside the program: time and 4 MB.
    for folder in ("src", "bench", "tests/support"):
        compileall.compile_dir(str(_ROOT / folder), quiet=2)
    asked.disk.mkdir(parents=True, exist_ok=True)
    options = Options(asked.disk, asked.quick)
    seen = machine.look(options.disk)
    print(*seen.said, "", sep="\n", flush=True)
    figures = [figure for name in asked.only or MEASUREMENTS for figure in _measured(name, options)]
    print(table(figures))
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    report = _Report(seen, asked.quick, [shown(figure) for figure in figures])
    asked.json.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    return 1 if any(figure.verdict is Verdict.UNMEASURED for figure in figures) else 0


def _measured(name: str, options: Options) -> list[Figure]:
    print(f"measuring {name} …", file=sys.stderr, flush=True)
    try:
        return MEASUREMENTS[name](options)
    except NotMeasured as error:
        return [missing(name, str(error))]
    except Exception as error:
        traceback.print_exc()
        return [missing(name, f"{type(error).__name__}: {error}")]


class _Asked(argparse.Namespace):
    only: list[str]
    quick: bool
    json: Path
    disk: Path


def _parse(words: list[str]) -> _Asked:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure the figures of docs/performance.md.")
    parser.add_argument("--only", nargs="+", choices=tuple(MEASUREMENTS), metavar="NAME", default=[])
    parser.add_argument("--quick", action="store_true", help="repeat little; the figures are rough then")
    parser.add_argument("--json", type=Path, default=_ROOT / "build" / "bench.json")
    parser.add_argument("--disk", type=Path, default=_ROOT / "build", help="a folder on the disk to be measured")
    return parser.parse_args(words, namespace=_Asked())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
