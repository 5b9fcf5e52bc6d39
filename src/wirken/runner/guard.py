"""Keep what steers from commands, also where several run at once in one workspace (docs/sandbox.md)."""

from __future__ import annotations

import asyncio
import contextlib
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from wirken.domain import limits
from wirken.domain.actions import SandboxKind
from wirken.runner import steering
from wirken.runner.sandbox import Command, Finished, Sandbox
from wirken.runner.steering import Steering, Unguarded


class Guarded:
    """A sandbox whose commands leave alone what steers, unless they may write it; what they add is told.

    None of them can move or replace what was there, but a folder around it: so a command that starts beside others
    has to find all that they leave alone, or it is shown a workspace that is being shuffled, and not run.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._held: dict[str, list[Steering]] = {}
        self._places = asyncio.Semaphore(limits.EXEC_PARALLEL)  # looked for just before the start, not before a wait

    @property
    def kind(self) -> SandboxKind:
        return self._sandbox.kind

    def stop(self) -> None:
        """See `Sandbox.stop`."""
        self._sandbox.stop()

    async def close(self) -> None:
        """See `Sandbox.close`."""
        await self._sandbox.close()

    async def run(self, command: Command) -> Finished:
        """See `Sandbox.run`. Raises `Unguarded` where what steers cannot be kept from a command."""
        async with self._places:
            if command.steering:
                return await self._sandbox.run(command)
            seen = await self._look(command.workspace)
            beside = await asyncio.to_thread(_beside, command)
            with self._holding(command.workspace, seen):
                finished = await self._sandbox.run(command._replace(kept=seen, beside=beside))
            looks = (("", command.workspace, seen), *((f"{folder}/", folder, it) for folder, it in beside))
            told = [await asyncio.to_thread(_told, *look) for look in looks]
            return finished._replace(told="\n".join(filter(None, told)))

    async def _look(self, workspace: str) -> Steering:
        for _ in range(limits.RESOLVE_RETRIES):
            seen = await asyncio.to_thread(steering.found, workspace)
            if not any(_misses(seen, held) for held in self._held.get(workspace, ())):
                return seen
            await asyncio.sleep(limits.EXEC_SETTLE)
        raise Unguarded("Another command moves files about that steer tools.")

    @contextlib.contextmanager
    def _holding(self, workspace: str, seen: Steering) -> Iterator[None]:
        beside = self._held.setdefault(workspace, [])
        beside.append(seen)
        try:
            yield
        finally:
            beside.remove(seen)
            if not beside:
                self._held.pop(workspace, None)


async def settled(root: str, seen: Steering, over: Callable[[], bool]) -> None:
    """Wait until the sandbox whose workspace is at `root` shows all of `seen` read-only; `over` tells of its end.

    Meanwhile another command, or the person, may have put something else in a file's place: then it does not come
    to that, and `Unguarded` is raised.
    """
    if not steering.mountable(seen):
        return
    loop = asyncio.get_running_loop()
    late = loop.time() + limits.STEERING_SETTLED
    while not steering.stands(root, seen):
        if over() or loop.time() >= late:
            raise Unguarded("Files that steer tools were moved about while the sandbox was made.")
        await asyncio.sleep(limits.EXEC_SETTLE)


def _beside(command: Command) -> tuple[tuple[str, Steering], ...]:
    """Return what steers in each folder outside that a command may write. Raises `Unguarded`."""
    found = []
    for one in command.outside:
        if one.writable and Path(one.path).is_dir():
            found.append((one.path, steering.found(one.path)))
    return tuple(found)


def _told(named: str, folder: str, before: Steering) -> str:
    """Return what a person should know after a command: which files that steer are new, and which are not seen now."""
    try:
        after = steering.found(folder)
        return steering.told(
            [named + path for path in steering.appeared(before, after)],
            [named + path for path in steering.gone(before, after)],
        )
    except (Unguarded, OSError) as error:
        return f"[whether it left files that steer tools is not known: {error}]"


def _misses(seen: Steering, held: Steering) -> bool:
    """Is something of `held` not in `seen`? What lies at the top cannot be moved, only be replaced by the person."""
    there = {(state.device, state.inode) for state in seen.values()}
    return any(
        (state.device, state.inode) not in there and not ("/" not in path and path in seen)
        for path, state in held.items()
        if not stat.S_ISLNK(state.mode)
    )
