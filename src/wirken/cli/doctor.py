"""`wirken doctor`: look, say what was seen, why it matters and what to do; with `--fix`, do the safe part."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from typing import Final

import click

from wirken.cli import daemon, vaults
from wirken.cli import status as running
from wirken.cli.checks.finding import Check, Finding, Severity, red
from wirken.cli.checks.installation import Installation
from wirken.cli.checks.registry import CHECKS
from wirken.cli.output import Line, Output, Style, Styled
from wirken.cli.records import plan_without_page
from wirken.config.paths import Paths, data_dir
from wirken.confine import roles
from wirken.domain.errors import UsageError, WirkenError

_STYLES: Final[dict[Severity, Style]] = {
    Severity.OK: "green",
    Severity.INFO: "cyan",
    Severity.YELLOW: "yellow",
    Severity.RED: "red",
}
_WIDTH: Final = 16  # columns of the longest id


@click.command("doctor")
@click.option("--deep", is_flag=True, help="Where Wirken does not run, start its processes for the time of the look.")
@click.option("--fix", is_flag=True, help="Do what can be done safely: compile modules, close the data directory.")
@click.option("--check", "chosen", multiple=True, metavar="ID", help="Make only this check; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(deep: bool, fix: bool, chosen: tuple[str, ...], as_json: bool) -> int:
    """Look for what is missing, unsafe or about to go wrong. Exit code 1 if anything is red, else 0.

    Nothing is started or changed, but for --deep and --fix. docs/doctor.md lists the checks.
    """
    paths, out = Paths(data_dir(os.environ)), Output(as_json, sys.stdout, sys.stderr, os.environ)
    checks = _chosen(chosen)
    found: list[tuple[str, Finding]] = []
    with _processes(paths, out) if deep else contextlib.nullcontext("") as trouble:
        now = time.time_ns() // 1_000_000
        home = Installation(paths, os.environ, os.getuid(), now, running.status(paths), trouble)
        for check in checks:
            for finding in _mended(check, home, out) if fix else looked(check, home):
                found.append((check.id, finding))
                if not as_json:
                    for line in described(check.id, finding):
                        out.line(line)
    worst = max((finding.severity for _, finding in found), key=lambda one: one.weight, default=Severity.OK)
    if as_json:
        rows = [
            {"id": name, "severity": one.severity, "seen": one.seen, "why": one.why, "fix": one.fix}
            for name, one in found
        ]
        out.value({"worst": worst, "findings": rows})
    else:
        out.line(_summary([finding.severity for _, finding in found]))
    return 1 if worst is Severity.RED else 0


def looked(check: Check, home: Installation) -> list[Finding]:
    """Return what a check sees; one that fails is a finding itself."""
    try:
        return list(check.look(home))
    except (WirkenError, OSError) as error:
        advice = error.advice if isinstance(error, WirkenError) else ""
        return [red("this could not be looked at", str(error), advice)]


def described(name: str, finding: Finding) -> Iterator[Line]:
    """Yield a finding as lines; why and fix only where there is something to do or to know."""
    style = _STYLES[finding.severity]
    yield (Styled(f"{finding.severity:<7}", style), f"{name:<{_WIDTH}}", finding.seen)
    indent = " " * (7 + _WIDTH)
    if finding.why:
        yield (indent, Styled(finding.why, "dim"))
    if finding.fix:
        yield (indent, Styled("fix: ", "bold"), finding.fix)


def _mended(check: Check, home: Installation, out: Output) -> list[Finding]:
    """Look; where something is wrong and can be mended, mend it and look again."""
    findings = looked(check, home)
    if check.mend is None or all(finding.severity.weight < Severity.YELLOW.weight for finding in findings):
        return findings
    try:
        check.mend(home)
    except (WirkenError, OSError) as error:
        out.note(f"{check.id} could not be mended: {error}")
        return findings
    again = looked(check, home)
    if again != findings:
        out.note(f"{check.id}: mended.")
    return again


@contextlib.contextmanager
def _processes(paths: Paths, out: Output) -> Iterator[str]:
    """Have processes to look at; the vault alone where it would ask for a passphrase. Gives what went wrong."""
    trouble = ""
    with contextlib.ExitStack() as stack:
        try:
            if vaults.kept_by(paths) in ("passphrase", "keychain"):
                stack.enter_context(daemon.present(paths, lambda: vaults.plan(paths, out), needs=roles.VAULT))
            else:
                stack.enter_context(daemon.present(paths, lambda: plan_without_page(paths, out)))
        except WirkenError as error:
            trouble = str(error)
        yield trouble


def _chosen(names: tuple[str, ...]) -> tuple[Check, ...]:
    unknown = set(names) - {check.id for check in CHECKS}
    if unknown:
        raise UsageError("There is no such check.", hint=f"Checks: {', '.join(check.id for check in CHECKS)}.")
    return tuple(check for check in CHECKS if not names or check.id in names)


def _summary(seen: list[Severity]) -> Line:
    counts = [(severity, seen.count(severity)) for severity in (Severity.RED, Severity.YELLOW)]
    parts = [Styled(f"{count} {severity}", _STYLES[severity]) for severity, count in counts if count]
    if not parts:
        return Styled("Nothing is wrong.", "green")
    return (parts[0], ", ", parts[1]) if len(parts) > 1 else parts[0]
