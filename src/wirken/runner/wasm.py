"""Run a skill's module: in a process of its own (`runner.wasm_guest`), and that in a sandbox of its own.

The module's bytes are those whose hash stands in the permitted call, or nothing runs.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from wirken.confine.pyenv import program_paths
from wirken.domain import limits
from wirken.domain.actions import CanonicalCall, Module, Outside, Place
from wirken.domain.errors import Refused
from wirken.domain.events import Outcome
from wirken.ipc.calls.runner import Ran
from wirken.runner import wasm_guest
from wirken.runner.commands import Commands
from wirken.runner.output import NOTHING, Kept
from wirken.runner.sandbox import Command, Finished
from wirken.skills.loader import module_bytes
from wirken.skills.manifest import TOOL_PREFIX, BadSkill

PLACE: Final = "wasm"

_ENDED_BY: Final = {wasm_guest.FUEL: "fuel", wasm_guest.TIME: "time", wasm_guest.MEMORY: "memory"}
_WASI_LAST: Final = 125  # the highest exit code a module can choose (WASI preview 1, proc_exit)


def checked(call: CanonicalCall, module: Module) -> None:
    """Raises `Refused` unless the call names a module, its tool, nothing else that it could reach, and known limits."""
    place = Place(workspace="", sandbox="wasm", module=module)
    if call.place != place or call.tool != f"{TOOL_PREFIX}{module.skill}":
        raise Refused("The call of a skill names another place or tool than the skill's own.")
    within = (
        0 < module.fuel <= limits.SKILL_FUEL_MOST
        and 0 < module.memory <= limits.SKILL_MEMORY_MOST
        and 0 < module.seconds <= limits.SKILL_TIME_MOST
    )
    if not within:
        raise Refused("The call of a skill names limits that no skill has.")


class Skills:
    """Runs modules of one folder, in bubblewrap whatever the sandbox for commands is."""

    def __init__(self, folder: str, sandbox: Callable[[], Commands]) -> None:
        """`folder` is where the skills lie; empty where there are none. `sandbox` makes bubblewrap's, when needed."""
        self._folder = Path(folder) if folder else None
        self._sandbox = functools.cache(sandbox)
        self._stopped = False

    def stop(self) -> None:
        """End every skill with `stopped`; none starts from now on."""
        self._stopped = True
        if self._sandbox.cache_info().currsize:
            self._sandbox().stop()

    async def run(self, module: Module, arguments: str) -> Ran:
        """Run a module with `arguments` on its standard input. Raises `SandboxUnavailable`, then nothing ran."""
        if self._stopped:
            return _ran(Finished(None, "stopped", NOTHING, 0.0), module)
        try:
            order = await asyncio.to_thread(self._order, module, arguments.encode())
        except BadSkill as error:
            return Ran(outcome="denied", output=f"The skill was not run. {error}", place=PLACE)
        try:
            return _ran(await self._sandbox().run(_command(order, module)), module)
        finally:
            os.close(order)

    def _order(self, module: Module, arguments: bytes) -> int:
        """Return a descriptor of all that `wasm_guest` is told. Raises `BadSkill`."""
        if self._folder is None:
            raise BadSkill("This runner was started without a folder of skills.")
        raw = module_bytes(self._folder, module.skill)
        if hashlib.sha256(raw).hexdigest() != module.sha256:
            raise BadSkill(f"The module of {module.skill!r} is not the one that was decided about; it was changed.")
        order = wasm_guest.Order(module.fuel, module.memory, module.seconds, len(arguments))
        handle = os.memfd_create("skill", os.MFD_CLOEXEC)
        with open(handle, "wb", closefd=False) as written:
            written.write(msgspec.json.encode(order) + b"\n" + arguments + raw)
        os.lseek(handle, 0, os.SEEK_SET)
        return handle


def _command(order: int, module: Module) -> Command:
    """Return the guest's command: the program's own files, read-only, and no workspace."""
    return Command(
        argv=(sys.executable, "-I", "-m", "wirken.runner.wasm_guest"),
        workspace="",
        timeout=limits.SKILL_COMPILE + module.seconds + limits.EXEC_SETUP,
        outside=tuple(Outside(path) for path in program_paths()),
        stdin=order,
    )


def _ran(finished: Finished, module: Module) -> Ran:
    code, text = finished.exit_code, finished.output.text
    ended_by = finished.ended_by or ("" if code is None else _ENDED_BY.get(code, ""))
    note = _ending(ended_by, module) if ended_by else _complaint(finished.output) if code == 0 else ""
    outcome: Outcome = "ok" if code == 0 and not note else "stopped" if ended_by == "stopped" else "failed"
    return Ran(
        outcome=outcome,
        output="\n".join(part for part in (text.removesuffix("\n"), note) if part) if note else text,
        exit_code=code if code is not None and code <= _WASI_LAST else None,
        ended_by=ended_by,
        truncated_bytes=finished.output.cut,
        place=PLACE,
    )


def _complaint(output: Kept) -> str:
    """Return what is wrong with a skill's answer: it is one JSON value, and whole."""
    if output.cut:
        return "[the skill's answer is longer than what is kept of it]"
    try:
        msgspec.json.decode(output.text.encode())
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return "[the skill's answer is no JSON]"
    return ""


def _ending(ended_by: str, module: Module) -> str:
    match ended_by:
        case "fuel":
            return f"[ended: the skill used up its {module.fuel} units of fuel]"
        case "memory":
            return f"[ended: the skill reached its {module.memory // 2**20} MiB of memory]"
        case "time":
            return f"[ended: the skill used up its {module.seconds} seconds]"
        case _:
            return "[ended: the skill was stopped]"
