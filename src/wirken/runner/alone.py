"""One command at a time in a workspace, where a container engine makes the sandbox.

The engine follows the paths it is given as root and with links: a command that moved folders meanwhile could have it
mount something else. Whether a container shows what was meant cannot be seen from here, unlike with bubblewrap.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncIterator

from wirken.domain import limits
from wirken.domain.actions import SandboxKind
from wirken.runner.output import NOTHING
from wirken.runner.sandbox import Command, Finished, Sandbox


class Alone:
    """A sandbox whose commands wait for one another, those of other runners with the same workspace included."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._stopped = False

    @property
    def kind(self) -> SandboxKind:
        return self._sandbox.kind

    def stop(self) -> None:
        """See `Sandbox.stop`."""
        self._stopped = True
        self._sandbox.stop()

    async def close(self) -> None:
        """See `Sandbox.close`."""
        await self._sandbox.close()

    async def run(self, command: Command) -> Finished:
        """See `Sandbox.run`."""
        async with self._workspace(command.workspace):
            if self._stopped:
                return Finished(None, "stopped", NOTHING, 0.0)
            return await self._sandbox.run(command)

    @contextlib.asynccontextmanager
    async def _workspace(self, path: str) -> AsyncIterator[None]:
        """Hold the workspace's lock (flock(2)); the kernel frees it if the runner dies."""
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            while not self._stopped:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    await asyncio.sleep(limits.WORKSPACE_BUSY)
            yield
        finally:
            os.close(handle)
