"""bubblewrap behind the port `sandbox.Sandbox`: inside its limits, and no process is left behind."""

from __future__ import annotations

import asyncio
import errno
import functools
import resource
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Literal

from wirken.domain import limits
from wirken.domain.actions import SandboxKind
from wirken.domain.errors import SandboxUnavailable
from wirken.runner import bubblewrap, guard
from wirken.runner.bubblewrap import HostRoot
from wirken.runner.drain import Drain
from wirken.runner.egress import Egress
from wirken.runner.fences import Fence, Fences
from wirken.runner.output import NOTHING, Kept
from wirken.runner.sandbox import NOT_EXECUTABLE, NOT_FOUND, Bounds, Command, EndedBy, Finished
from wirken.runner.tree import NotStarted, Tree
from wirken.runner.uninterrupted import uninterrupted
from wirken.runner.watchdog import lower

_EACH: Final = ((resource.RLIMIT_FSIZE, limits.EXEC_FILE_SIZE), (resource.RLIMIT_CORE, 0))


class Commands:
    """A sandbox of bubblewrap's for each command."""

    kind: SandboxKind = "bubblewrap"

    def __init__(
        self,
        root: HostRoot,
        fences: Fences,
        program: bytes,
        egress: Egress,
        bounds: Bounds,
        files: int = limits.EXEC_FILES,
    ) -> None:
        """`fences` hold `bounds`; `program` is the system call filter (`confine.seccomp.command_filter`).

        `files` is how many descriptors each process may have.
        """
        self._root = root
        self._each = ((resource.RLIMIT_NOFILE, files), *_EACH)
        self._bounds = bounds
        self._fences = fences
        self._program = program
        self._egress = egress
        self._places = asyncio.Semaphore(limits.EXEC_PARALLEL)
        self._stop = asyncio.Event()
        # One thread that lives as long as we do: bubblewrap is told to end with the thread that started it (prctl(2),
        # PR_SET_PDEATHSIG).
        self._starter = ThreadPoolExecutor(1, "starter")

    @property
    def limits_held_by(self) -> str:
        """`cgroup-v2`, `cgroup-v1` or `watchdog`."""
        return self._fences.kind

    def stop(self) -> None:
        """End every command, now and from now on, with `stopped`."""
        self._stop.set()

    async def close(self) -> None:
        """Nothing is kept between commands."""

    async def run(self, command: Command) -> Finished:
        """Run a command to its end (`sandbox.Sandbox.run`)."""
        async with self._places:
            if self._stop.is_set():
                return Finished(None, "stopped", NOTHING, 0.0)
            try:
                fence = self._fences.fence()
            except OSError as error:
                raise SandboxUnavailable(f"The sandbox's limits could not be set: {error}") from error
            try:
                return await self._behind(fence, command)
            finally:
                fence.remove()

    async def _behind(self, fence: Fence, command: Command) -> Finished:
        options = functools.partial(bubblewrap.options, self._root, self._bounds, command)
        with Drain() as drain:
            try:
                tree = Tree(options, command.argv, command.stdin, drain.write_end, self._program)
            except OSError as error:
                raise _not_started(error) from error
            try:
                if not await uninterrupted(self._started(tree, fence)):
                    return Finished(NOT_EXECUTABLE, "", Kept("The command is too long to be started.", 0), 0.0)
                drain.begin()
                code, ended_by, seconds = await self._to_its_end(tree, fence, command)
            finally:
                await uninterrupted(_cleared(tree, fence))
                drain.finish()
                tree.close()
            kept = drain.kept()
        if code is None and not ended_by:
            code = exec_failure(kept.text)
        return Finished(code, ended_by, kept, seconds)

    async def _started(self, tree: Tree, fence: Fence) -> bool:
        """Start bubblewrap behind the fence; False where the command is too long for the kernel."""
        try:
            await asyncio.get_running_loop().run_in_executor(self._starter, _start, tree, fence)
        except OSError as error:
            if error.errno == errno.E2BIG:
                return False
            raise _not_started(error) from error
        return True

    async def _to_its_end(self, tree: Tree, fence: Fence, command: Command) -> tuple[int | None, EndedBy, float]:
        """See the held sandbox within its limits, and give it its way out if it has one; then let the command go."""
        try:
            first = await tree.held()
            fence.admit(first)
            for which, value in self._each:
                lower(first, which, value)
            await guard.settled(f"/proc/{first}/root", bubblewrap.WORKSPACE, command, tree.over)
        except NotStarted:
            return None, "", 0.0
        except OSError as error:
            raise SandboxUnavailable(f"The sandbox's limits could not be set: {error}") from error
        if command.network is None:
            return await self._released(tree, fence, command.timeout)
        async with self._egress.way_out(tree, command.network):
            return await self._released(tree, fence, command.timeout)

    async def _released(self, tree: Tree, fence: Fence, allowed: float) -> tuple[int | None, EndedBy, float]:
        """Let the command start, and wait for what ends it."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        tree.release()
        ended = asyncio.create_task(tree.ended())
        stopped = asyncio.create_task(self._stop.wait())
        try:
            ended_by = await _first_end(ended, stopped, fence, started + allowed)
            code = ended.result() if ended.done() else None
        finally:
            ended.cancel()
            stopped.cancel()
        if not ended_by and code != 0 and fence.starved():
            ended_by = "processes"
        return code, ended_by, loop.time() - started


async def _first_end(
    ended: asyncio.Task[int | None], stopped: asyncio.Task[Literal[True]], fence: Fence, deadline: float
) -> EndedBy:
    """Return what ended the command: itself (empty), or the limit that was reached first."""
    loop = asyncio.get_running_loop()
    while True:
        pause = max(0.0, min(fence.pause, deadline - loop.time()))
        await asyncio.wait({ended, stopped}, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
        if broken := fence.broken():
            return broken
        if ended.done():
            return ""
        if stopped.done():
            return "stopped"
        if loop.time() >= deadline:
            return "time"


def _start(tree: Tree, fence: Fence) -> None:
    with fence.around():
        tree.start()


def _not_started(error: OSError) -> SandboxUnavailable:
    return SandboxUnavailable(f"bubblewrap could not be started: {error.strerror}.")


async def _cleared(tree: Tree, fence: Fence) -> None:
    """Leave nothing of the sandbox; the fence holds bubblewrap, too, whose turn is after its child's (`Tree.clear`)."""
    tree.kill()
    await tree.clear()
    fence.kill()


def exec_failure(said: str) -> int:
    """Return the exit code a shell gives for a program that bubblewrap could not start.

    Raises `SandboxUnavailable` with bubblewrap's words if it was the sandbox that could not be made.
    """
    last = said.strip().rpartition("\n")[2]
    if not last.startswith("bwrap: execvp "):
        raise SandboxUnavailable(last or "The sandbox ended by itself.")
    return NOT_FOUND if last.endswith("No such file or directory") else NOT_EXECUTABLE
