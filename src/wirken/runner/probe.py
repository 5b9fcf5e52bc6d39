"""Can commands be run here? Answered by running one, with everything a real one gets."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from wirken.confine.usable import obstacle
from wirken.domain.errors import SandboxUnavailable
from wirken.ipc.calls.runner import SandboxReport
from wirken.runner.commands import Commands
from wirken.runner.sandbox import Command

_TRUE: Final = ("/usr/bin/true",)


async def probe(commands: Commands, scratch: Path, root: Path) -> SandboxReport:
    """Run `true` in a sandbox whose workspace is an empty folder below `scratch`.

    Where that fails, the reason and the fix are read off the machine at `root` (`confine.usable`).
    """
    workspace = scratch / "empty"
    workspace.mkdir(exist_ok=True)
    try:
        finished = await commands.run(Command(_TRUE, str(workspace)))
    except SandboxUnavailable as error:
        return unavailable(str(error), root)
    if finished.exit_code != 0:
        return unavailable(finished.output.text, root)
    return SandboxReport(kind=commands.kind, limits=commands.limits_held_by)


def unavailable(said: str, root: Path) -> SandboxReport:
    """Return the report that no command can be run, for bubblewrap's own words."""
    found = obstacle(root, said)
    return SandboxReport(kind="none", limits="", reason=found.reason, fix=found.fix)
