"""Keep what steers from commands, also where several run at once in one workspace (docs/sandbox.md)."""

from __future__ import annotations

import asyncio
import contextlib
import stat
from collections.abc import Callable, Iterator

from wirken.domain import limits
from wirken.domain.actions import SandboxKind
from wirken.runner import entries, hiding, steering
from wirken.runner.entries import Neighbours
from wirken.runner.sandbox import Command, Finished, Hidden, Sandbox
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
            if not command.outside:
                return await (self._sandbox.run(command) if command.steering else self._left_alone(command))
            around, closed = await asyncio.to_thread(_around, command)
            command = _covered(command, around, closed)
            finished = await (self._sandbox.run(command) if command.steering else self._left_alone(command))
            told = [await asyncio.to_thread(entries.told, one) for one in around]
            return finished._replace(told="\n".join(filter(None, (finished.told, *told, hiding.told(closed)))))

    async def _left_alone(self, command: Command) -> Finished:
        """Run a command that leaves alone what steers."""
        seen = await self._look(command.workspace)
        beside = await asyncio.to_thread(_beside, command)
        with self._holding(command.workspace, seen):
            finished = await self._sandbox.run(command._replace(kept=seen, beside=(*command.beside, *beside)))
        looks = (("", command.workspace, seen), *((f"{folder}/", folder, it) for folder, it in beside))
        told = [await asyncio.to_thread(_told, command, *look) for look in looks]
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


async def settled(root: str, workspace: str, command: Command, over: Callable[[], bool]) -> None:
    """Wait until the sandbox whose root is at `root` shows all that the command leaves alone read-only, and nothing of
    what is hidden from it; `over` tells of its end.

    Meanwhile another command, or the person, may have put something else in a file's place: then it does not come
    to that, and `Unguarded` is raised.
    """
    kept = ((workspace, command.kept), *command.beside)
    shown = [(f"{root}{place}", seen) for place, seen in kept if steering.mountable(seen)]
    loop = asyncio.get_running_loop()
    late = loop.time() + limits.STEERING_SETTLED
    while not (all(steering.stands(*one) for one in shown) and entries.covered(root, command.hidden)):
        if over() or loop.time() >= late:
            raise Unguarded("Files that are to be left alone were moved about while the sandbox was made.")
        await asyncio.sleep(limits.EXEC_SETTLE)


def _around(command: Command) -> tuple[tuple[Neighbours, ...], tuple[Hidden, ...]]:
    """Return what lies beside the names outside that a command may write, and what commonly holds a credential there.

    Raises `Unguarded`.
    """
    try:
        return tuple(entries.neighbours(one, command) for one in command.opened), hiding.credentials(command)
    except OSError as error:
        raise Unguarded(f"A folder outside the workspace cannot be looked at: {error.strerror}.") from None


def _covered(command: Command, around: tuple[Neighbours, ...], closed: tuple[Hidden, ...]) -> Command:
    hidden = {one.path: one for one in (*closed, *(one for beside in around for one in beside.hidden))}
    command = command._replace(hidden=tuple(hidden.values()))
    kept = ((one.opened.folder, one.kept) for one in around if one.kept)
    return command._replace(beside=tuple((folder, hiding.visible(it, folder, command)) for folder, it in kept))


def _beside(command: Command) -> tuple[tuple[str, Steering], ...]:
    """Return what steers in each folder outside that a command may write. Raises `Unguarded`."""
    opened = {one.folder: one.names for one in command.opened}
    places = [one.path for one in command.outside if one.writable and one.path not in opened]
    places += [f"{folder}/{name}" for folder, names in opened.items() for name in sorted(names)]
    folders = (place for place in places if hiding.is_folder(place))
    return tuple((place, hiding.visible(steering.found(place), place, command)) for place in folders)


def _told(command: Command, named: str, folder: str, before: Steering) -> str:
    """Return what a person should know after a command: which files that steer are new, and which are not seen now."""
    try:
        after = hiding.visible(steering.found(folder), folder, command)
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
