"""Commands in containers that were granted a network (docs/sandbox.md, "The network, when it was granted").

A container's network namespace belongs to the engine, so nobody of ours can enter it as `runner.hatch` enters
bubblewrap's. Instead a second container, the hatch, makes the listening socket in a network of nothing but loopback and
hands it to us; the command's container joins that network, and sees neither the hatch's files nor its processes.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

from wirken.domain import limits
from wirken.domain.actions import SandboxKind
from wirken.ipc.calls.runner import WirePermit
from wirken.runner import hatches
from wirken.runner.containers import Joined
from wirken.runner.docker import Docker, read
from wirken.runner.egress import Egress, NoWayOut, handed
from wirken.runner.granted import Certificates
from wirken.runner.output import Capture
from wirken.runner.sandbox import Command, Finished, Sandbox
from wirken.runner.tree import readable
from wirken.runner.uninterrupted import uninterrupted


class Outfit(NamedTuple):
    """What a way out of containers is made with."""

    egress: Egress
    folder: str
    """Where the runner makes sockets that the engine can show a hatch; empty where there is none."""
    authorities: Certificates


class Online:
    """Runs commands without a network as `inner` does, and each other one in a container of its own with a hatch."""

    def __init__(self, inner: Sandbox, docker: Docker, outfit: Outfit, token: Callable[[], str]) -> None:
        self._inner, self._docker, self._outfit, self._token = inner, docker, outfit, token

    @property
    def kind(self) -> SandboxKind:
        return self._inner.kind

    def stop(self) -> None:
        """End every command, now and from now on, with `stopped`."""
        self._inner.stop()

    async def close(self) -> None:
        """See `Sandbox.close`."""
        await self._inner.close()

    async def run(self, command: Command) -> Finished:
        """Run a command to its end (`sandbox.Sandbox.run`). Raises `NoWayOut`."""
        if command.network is None:
            return await self._inner.run(command)
        async with self._hatch(command.network) as hatch:
            joined = Joined(hatch, self._docker.ways.command, self._outfit.authorities)
            return await self._docker.run_joined(command, joined)

    @contextlib.asynccontextmanager
    async def _hatch(self, permit: WirePermit) -> AsyncIterator[str]:
        """Yield the name of a container whose network leads out on behalf of `permit`, until the block ends.

        Raises `NoWayOut`.
        """
        docker, outfit, name = self._docker, self._outfit, f"wirken-{self._token()}-hatch"
        outfit.egress.possible()
        if docker.ways.refused or not outfit.folder:
            raise NoWayOut(
                docker.ways.refused or "The runner has no folder for sockets.", hint=docker.ways.hint or None
            )
        async with AsyncExitStack() as held:
            held.push_async_callback(_gone, docker, name)
            with door(outfit.folder, name) as (opened, path):
                body = hatches.hatch(docker.recipe, docker.ways, path)
                await uninterrupted(docker.http.ask("POST", f"/containers/create?name={name}", body))
                query = "stream=true&stdin=true&stdout=true&stderr=true"
                said, _ = await held.enter_async_context(docker.http.stream(f"/containers/{name}/attach?{query}"))
                await docker.http.ask("POST", f"/containers/{name}/start")
                made = await listener(opened, said)
            async with outfit.egress.carrying(made, permit):
                yield name


async def _gone(docker: Docker, name: str) -> None:
    await uninterrupted(docker.removed(name))


@contextlib.contextmanager
def door(folder: str, name: str) -> Iterator[tuple[socket.socket, str]]:
    """Yield a listening socket below `folder`, and its path; it is gone after the block. Raises `NoWayOut`.

    Bound over a descriptor, because an address has at most 107 bytes and the folder lies where the operator wants it.
    """
    path = Path(folder, name)
    with contextlib.ExitStack() as held:
        try:
            handle = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            held.callback(os.close, handle)
            opened = held.enter_context(socket.socket(socket.AF_UNIX))
            held.callback(path.unlink, missing_ok=True)
            opened.setblocking(False)
            opened.bind(f"/proc/self/fd/{handle}/{name}")
            opened.listen(1)
        except OSError as error:
            raise NoWayOut(f"No socket could be made for the container's way out: {error.strerror}.") from error
        yield opened, str(path)


async def listener(opened: socket.socket, said: asyncio.StreamReader) -> socket.socket:
    """Return the listening socket that a hatch hands over; `said` is its output, multiplexed. Raises `NoWayOut`."""
    words = Capture()
    came = asyncio.create_task(_handed(opened))
    ended = asyncio.create_task(read(said, words, None))
    try:
        await asyncio.wait({came, ended}, timeout=limits.EGRESS_HATCH, return_when=asyncio.FIRST_COMPLETED)
        if came.done() and (found := came.result()) is not None:
            return found
    finally:
        came.cancel()
        ended.cancel()
    last = words.kept().text.strip().rpartition("\n")[2]
    reason = last or ("it ended at once" if ended.done() else "it took too long")
    raise NoWayOut(f"The container beside the command's made no listener: {reason}.")


async def _handed(opened: socket.socket) -> socket.socket | None:
    with contextlib.suppress(OSError):
        channel, _ = await asyncio.get_running_loop().sock_accept(opened)
        with channel:
            await readable(channel.fileno())
            return handed(channel)
    return None
