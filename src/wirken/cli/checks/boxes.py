"""The sandbox that commands get: which one, why, and what it is made of."""

from __future__ import annotations

from collections.abc import Iterator

from wirken.cli.checks.finding import Finding, info, ok, red, yellow
from wirken.cli.checks.installation import Installation


def chosen(home: Installation) -> Iterator[Finding]:
    """Which sandbox is it, and why? What runs says what it found; else what the next start would choose."""
    box = home.box
    report = home.running.gateway if home.running is not None else None
    if box.kind == "none":
        yield info(f"none, {box.why}; no command is run")
        return
    if report is None:
        if box.trouble:
            yield red(f"{box.kind}, {box.why}", box.trouble, "Mend it, or choose another with mode in [sandbox].")
        else:
            yield ok(f"{box.kind}, {box.why}")
    elif report.sandbox == "none":
        yield red(f"{box.kind}, {box.why}: no command can be run", report.sandbox_reason, report.sandbox_fix)
    elif report.sandbox != box.kind:
        yield yellow(f"{report.sandbox} runs, the next start takes {box.kind}, {box.why}", "", "Restart Wirken.")
    else:
        yield ok("; ".join((f"{box.kind}, {box.why}", *report.sandbox_notes)))


def engine(home: Installation) -> Iterator[Finding]:
    """Is a container engine in use? Its socket is as good as root."""
    if "--engine" in home.box.options:
        socket = home.box.options[home.box.options.index("--engine") + 1]
        yield info(
            f"commands run in containers of the engine at {socket}",
            "Who can speak to a rootful engine is root on this machine. Of Wirken's processes only the runner can, and "
            "no command sees the socket; but a runner that was taken over could.",
            "Prefer bubblewrap where it works, or a rootless engine.",
        )
