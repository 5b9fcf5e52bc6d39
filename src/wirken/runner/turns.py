"""Commands of one runner at a time in a folder: what one of them must leave alone, only its own runner knows.

A runner of its own is started for a call that reaches outside, and for `--workspace`; it may have a folder that another
runner has too. Within one runner commands run side by side (`guard`).
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from wirken.domain import limits, outside_limits
from wirken.domain.actions import SandboxKind
from wirken.domain.errors import SandboxUnavailable
from wirken.runner.sandbox import Command, Finished, Sandbox


class Busy(SandboxUnavailable):
    """Another runner's commands have the folder."""

    hint = "Try again when they have ended."


@dataclass(slots=True)
class _Held:
    """One folder's lock, while commands of ours are in there."""

    handle: int = -1
    commands: int = 0
    taking: asyncio.Lock = field(default_factory=asyncio.Lock)


class Turns:
    """A sandbox whose commands wait for those that other runners have in the same folders."""

    def __init__(self, sandbox: Sandbox, patience: float = outside_limits.WORKSPACE_PATIENCE) -> None:
        """`patience` is how many seconds a command waits for a folder."""
        self._sandbox = sandbox
        self._patience = patience
        self._held: dict[str, _Held] = {}

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
        """See `Sandbox.run`. Raises `Busy` where another runner keeps a folder for too long."""
        async with contextlib.AsyncExitStack() as held:
            for folder in _folders(command):  # in one order everywhere, so that no two wait for each other
                await held.enter_async_context(self._turn(folder))
            return await self._sandbox.run(command)

    @contextlib.asynccontextmanager
    async def _turn(self, folder: str) -> AsyncIterator[None]:
        held = self._held.setdefault(folder, _Held())
        held.commands += 1
        try:
            async with held.taking:
                if held.handle < 0:
                    held.handle = await self._locked(folder)
            yield
        finally:
            held.commands -= 1
            if not held.commands:
                del self._held[folder]
                if held.handle >= 0:
                    os.close(held.handle)

    async def _locked(self, folder: str) -> int:
        """Return a descriptor that holds the folder's lock (flock(2)); the kernel frees it if the runner dies."""
        try:
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            raise Busy(f"{folder} cannot be used: {error.strerror}.") from None
        late = asyncio.get_running_loop().time() + self._patience
        try:
            while not _taken(handle, folder):
                if asyncio.get_running_loop().time() >= late:
                    raise Busy(f"Commands of another conversation are running in {folder}.")
                await asyncio.sleep(limits.WORKSPACE_BUSY)
        except BaseException:
            os.close(handle)
            raise
        return handle


def _taken(handle: int, folder: str) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise Busy(f"{folder} cannot be kept from other runners: {error.strerror}.") from None
    return True


def _folders(command: Command) -> list[str]:
    """Return the folders in which a command can write."""
    outside = (one.path for one in command.outside if one.writable and Path(one.path).is_dir())
    return sorted({*filter(None, [command.workspace]), *outside})
