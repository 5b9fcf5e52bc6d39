"""Can commands be run here? Answered by running one, with everything a real one gets."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from wirken.confine.usable import obstacle
from wirken.domain.errors import SandboxUnavailable
from wirken.ipc.calls.runner import SandboxReport
from wirken.runner.commands import Commands
from wirken.runner.sandbox import NOT_FOUND, Command, Finished

TRUE: Final = ("true",)


async def probe(commands: Commands, scratch: Path, root: Path, tools: str = "") -> SandboxReport:
    """Run `true` in a sandbox whose workspace is an empty folder below `scratch`.

    Where that fails, the reason and the fix are read off the machine at `root` (`confine.usable`). `tools` is the
    folder whose programs commands get; empty for the machine's own.
    """
    workspace = scratch / "empty"
    workspace.mkdir(exist_ok=True)
    try:
        finished = await commands.run(Command(TRUE, str(workspace)))
    except SandboxUnavailable as error:
        return unavailable(str(error), root)
    lacking = lacks(tools, finished)
    if finished.exit_code != 0 and not lacking:
        return unavailable(finished.output.text, root)
    return SandboxReport(kind=commands.kind, limits=commands.limits_held_by, notes=lacking)


def lacks(tools: str, finished: Finished) -> tuple[str, ...]:
    """Return what to say of a tool root in which `true` was not found: the sandbox itself came to be."""
    return (f"no `true` starts in {tools}",) if tools and finished.exit_code == NOT_FOUND else ()


def unavailable(said: str, root: Path) -> SandboxReport:
    """Return the report that no command can be run, for bubblewrap's own words."""
    found = obstacle(root, said)
    return SandboxReport(kind="none", limits="", reason=found.reason, fix=found.fix)
