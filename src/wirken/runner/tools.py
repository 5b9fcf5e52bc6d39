"""Answer the gateway: run the call that a permit names, here for files and in a sandbox for commands."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple, assert_never

import msgspec

from wirken.domain.actions import CanonicalCall, Module, Place
from wirken.domain.errors import Refused, SandboxUnavailable
from wirken.domain.events import Outcome
from wirken.ipc import permitted
from wirken.ipc.calls.runner import Keep, KeptIt, Ran, Run, SandboxReport, WirePermit
from wirken.ipc.files import Files
from wirken.runner import files, inbox, outside, sending
from wirken.runner.arguments import (
    Arguments,
    BadArguments,
    ExecArguments,
    ListArguments,
    ReadArguments,
    SendArguments,
    WriteArguments,
    parsed,
)
from wirken.runner.files import Answer
from wirken.runner.locate import FileFailure, Located, locate
from wirken.runner.sandbox import Bounds, Command, EndedBy, Finished, Sandbox
from wirken.runner.uninterrupted import uninterrupted
from wirken.runner.wasm import Skills, checked

HERE: Final = "runner"


class Ground(NamedTuple):
    """The folders this runner was started for. A call that names another is refused."""

    workspaces: frozenset[str]
    read_only: frozenset[str]
    outside: Mapping[str, str] = MappingProxyType({})
    """Single paths, of the one call that this runner was started for, and how each was given (`outside.given`)."""
    tools: str = ""
    """The folder whose programs commands get; empty for the machine's own, or an image's."""


class Tools:
    """The runner's answers. One instance per process."""

    def __init__(
        self,
        ground: Ground,
        sandbox: Sandbox,
        skills: Skills,
        bounds: Bounds,
        probe: Callable[[], Awaitable[SandboxReport]],
        token: Callable[[], str],
    ) -> None:
        """`probe` tries the sandbox; `bounds` are what it holds; `token` makes names for files being written."""
        self._ground = ground
        self._sandbox = sandbox
        self._skills = skills
        self._bounds = bounds
        self._probe = probe
        self._token = token
        self._used = permitted.Used()
        self._report: SandboxReport | None = None

    async def status(self) -> SandboxReport:
        """Return whether commands can be run; tried again for as long as they could not."""
        if self._report is None or self._report.kind == "none":
            report = await self._probe()
            self._report = msgspec.structs.replace(report, bounds=self._bounds.lowered)
        return self._report

    def stop(self) -> None:
        """End every command with `stopped`; none starts from now on."""
        self._sandbox.stop()
        self._skills.stop()

    async def close(self) -> None:
        """Remove what is kept between commands."""
        await self._sandbox.close()

    async def run(self, question: Run, gives: Files) -> Ran:
        """Run a permitted call once; `gives` gets the file that goes with the result, where the call is for one.

        Cancelling kills its processes before the cancellation goes on.

        Raises `Refused` where call and permit do not match, the permit was used, or a folder is not ours.
        """
        call = self._checked(question)
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            if call.place.module is not None:
                ran = await self._skill(call.place.module, call.arguments)
            else:
                ran = await self._dispatched(call, question.permit, parsed(call.tool, call.arguments), gives)
        except BadArguments as error:
            ran = Ran(outcome="invalid", output=str(error), place=HERE)
        except FileFailure as error:
            ran = Ran(outcome=error.outcome, output=str(error), place=HERE)
        return msgspec.structs.replace(ran, duration_ms=int((loop.time() - started) * 1000))

    async def keep(self, question: Keep, handle: int) -> KeptIt:
        """Write a file that came with a message. Raises `Refused`, `NotKept`, `FileFailure`."""
        keeping = inbox.checked(question, self._ground.workspaces)
        # The descriptor is there until this returns, so it returns when the thread is done with it.
        await uninterrupted(asyncio.to_thread(inbox.keep, keeping, handle, self._token()))
        return KeptIt()

    def _checked(self, question: Run) -> CanonicalCall:
        call = permitted.checked(question.permit, question.call)
        self._on_our_ground(call)
        self._used.use(question.permit)
        return call

    def _on_our_ground(self, call: CanonicalCall) -> None:
        place, ground = call.place, self._ground
        if place.module is not None:
            checked(call, place.module)
            return
        known = ground.read_only.issuperset(place.read_only)
        known = known and all(outside.is_given(one, ground.outside) for one in place.outside)
        if place.tools != ground.tools:
            raise Refused("The call was decided for other programs than those that this runner shows.")
        if place.workspace not in ground.workspaces or not known:
            raise Refused("The call names a folder that this runner was not started for.")

    async def _dispatched(self, call: CanonicalCall, permit: WirePermit, arguments: Arguments, gives: Files) -> Ran:
        place = call.place
        match arguments:
            case ExecArguments():
                return await self._exec(call, permit, arguments)
            case ReadArguments(path=path, offset=offset, limit=limit):
                where = _where(path, place)
                return _said(await asyncio.to_thread(files.read_file, where, offset, limit))
            case WriteArguments(path=path, content=content):
                if (there := outside.located(path, place.outside)) is not None:
                    return _said(await asyncio.to_thread(outside.write, there, content))
                where = locate(path, place.workspace, place.read_only)
                return _said(
                    await asyncio.to_thread(files.write_file, where, content, self._token, steering=place.steering)
                )
            case ListArguments(path=path):
                where = _where(path, place)
                return _said(await asyncio.to_thread(files.list_files, where))
            case SendArguments(path=path):
                return _said(await sending.given(_where(path, place), gives))
            case _:
                assert_never(arguments)

    async def _skill(self, module: Module, arguments: str) -> Ran:
        try:
            return await self._skills.run(module, arguments)
        except SandboxUnavailable as error:
            return _no_sandbox(str(error), error.advice)

    async def _exec(self, call: CanonicalCall, permit: WirePermit, arguments: ExecArguments) -> Ran:
        words = arguments.words()
        place = call.place
        if place.sandbox == "none":
            return _no_sandbox("The configuration switched the sandbox off.", "Set sandbox.mode to 'auto'.")
        if place.sandbox != self._sandbox.kind:
            return _no_sandbox("The call was decided for another sandbox than this one.", "Ask for it again.")
        report = await self.status()
        if report.kind == "none":
            return _no_sandbox(report.reason, report.fix)
        shown = outside.bound(place.outside, self._ground.outside)
        command = Command(
            argv=words,
            workspace=place.workspace,
            read_only=place.read_only,
            timeout=min(arguments.timeout, self._bounds.seconds),
            network=None if place.network == "none" else permit,
            outside=shown.mounts,
            opened=shown.opened,
            session=call.session,
            steering=place.steering,
        )
        try:
            return self._ran(await self._sandbox.run(command), outside.denied(shown))
        except SandboxUnavailable as error:
            return _no_sandbox(str(error), error.advice)

    def _ran(self, finished: Finished, denied: str) -> Ran:
        """Return what the gateway gets. `denied` is said where the command was refused a write."""
        outcome: Outcome = "ok" if finished.exit_code == 0 else "failed"
        if finished.ended_by:
            outcome = "stopped" if finished.ended_by == "stopped" else "failed"
        text = finished.output.text
        why = denied if outcome == "failed" and _READ_ONLY in text else ""
        ending = "\n".join(filter(None, (_ending(finished.ended_by, self._bounds), why, finished.told)))
        return Ran(
            outcome=outcome,
            output="\n".join(part for part in (text.removesuffix("\n"), ending) if part) if ending else text,
            exit_code=finished.exit_code,
            ended_by=finished.ended_by,
            truncated_bytes=finished.output.cut,
            place=self._sandbox.kind,
        )


_READ_ONLY: Final = os.strerror(errno.EROFS)
"""What a program says that may not write, in the language of the sandbox (LANG=C.UTF-8)."""


def _where(path: str, place: Place) -> Located:
    return outside.located(path, place.outside) or locate(path, place.workspace, place.read_only)


def _ending(ended_by: EndedBy, bounds: Bounds) -> str:
    """Return what the model reads of a command that did not end by itself."""
    match ended_by:
        case "":
            return ""
        case "time":
            return "[ended: its time was used up, and all its processes were killed]"
        case "memory":
            return f"[ended: it used more than {bounds.memory // 2**20} MiB of memory and was killed]"
        case "processes":
            return f"[ended: it needed more than {bounds.processes} processes]"
        case "stopped":
            return "[ended: it was stopped, and all its processes were killed]"


def _said(answer: Answer) -> Ran:
    return Ran(outcome="ok", output=answer.text, truncated_bytes=answer.cut, place=HERE)


def _no_sandbox(reason: str, fix: str) -> Ran:
    """Refuse a command: it never runs on the machine itself."""
    return Ran(outcome="denied", output=f"The command was not run: no sandbox. {reason} {fix}".strip(), place=HERE)
