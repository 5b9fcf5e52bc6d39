"""The sandbox that commands get: which one, why, and what it is made of."""

from __future__ import annotations

import os
from collections.abc import Iterator

from wirken.cli import plans
from wirken.cli.checks.finding import Finding, info, ok, red, yellow
from wirken.cli.checks.installation import Installation
from wirken.domain.errors import WirkenError
from wirken.supervisor import toolroot


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


def tools(home: Installation) -> Iterator[Finding]:
    """Do commands get other programs than this machine's? Then whoever may change those says what runs."""
    if not home.config.sandbox.tools or home.box.kind == "none":
        return
    try:
        root = plans.tool_root(home.config, home.environ)
        if not home.box.rooted:
            why = "Containers have the programs of their image; a tool root is for bubblewrap."
            yield yellow(f"{root} is not used", why, "Remove `tools` from [sandbox], or set mode to 'bubblewrap'.")
            return
        held = toolroot.checked(root, home.land, home.owners | {0})
    except WirkenError as error:
        yield red("the tool root cannot be used", str(error), error.advice)
        return
    os.close(held.descriptor)
    trouble = plans.without_shell(root)
    if trouble:
        yield yellow(f"commands get the programs of {root}", f"But {trouble}.", "Unpack an image with a shell.")
    else:
        yield ok(f"commands get the programs of {root}, not this machine's")


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
