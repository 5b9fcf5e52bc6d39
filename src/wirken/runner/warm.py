"""Containers that are kept for a session's next command, where the operator chose speed (`[sandbox] warm`).

Between two commands of a session stay what the first wrote to /tmp and /dev/shm, and the container's limits, which all
its commands together use up. No process stays: a container in which one is left is thrown away.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Final, NamedTuple, TypeAlias

import msgspec

from wirken.domain import limits
from wirken.domain.actions import SandboxKind
from wirken.runner import containers
from wirken.runner.containers import Made, Ran, Top
from wirken.runner.counters import Counters
from wirken.runner.docker import KILLED, Docker, named, read
from wirken.runner.engine_http import EngineFailed
from wirken.runner.output import NOTHING, Capture
from wirken.runner.sandbox import Command, EndedBy, Finished
from wirken.runner.steering import State
from wirken.runner.uninterrupted import uninterrupted

_OWN: Final = 2
"""Processes of a container in which no command runs: its init, and the shell that waits for us to go."""

Key: TypeAlias = tuple[str, str, tuple[str, ...], tuple[tuple[str, State], ...]]
"""Session, workspace, read-only folders, and what steers: its mounts are the container's."""


class Kept(NamedTuple):
    """A container that waits. It ends by itself when `held`, its standard input, is closed."""

    name: str
    held: AsyncExitStack
    expiry: asyncio.TimerHandle | None = None


class Warm:
    """Runs what it can in a kept container, and the rest in one of its own, as `docker` does."""

    def __init__(self, docker: Docker, token: Callable[[], str]) -> None:
        self._docker = docker
        self._token = token
        self._kept: dict[Key, Kept] = {}
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def kind(self) -> SandboxKind:
        return self._docker.kind

    def stop(self) -> None:
        """End every command, now and from now on, with `stopped`."""
        self._docker.stop()

    async def close(self) -> None:
        """Remove every kept container."""
        for key in tuple(self._kept):
            await self._drop(self._kept.pop(key))
        if self._ending:
            await asyncio.wait(self._ending)

    async def run(self, command: Command) -> Finished:
        """Run a command to its end (`sandbox.Sandbox.run`)."""
        if command.outside or command.network is not None or not command.session:
            return await self._docker.run(command)
        async with self._docker.place() as stopped:
            if stopped:
                return Finished(None, "stopped", NOTHING, 0.0)
            key = (command.session, command.workspace, command.read_only, tuple(sorted(command.kept.items())))
            kept = self._kept.pop(key, None) or await self._made(command)
            clean = False
            try:
                finished, clean = await self._inside(kept, command)
            finally:
                if clean:
                    await self._keep(key, kept)
                else:
                    await uninterrupted(self._drop(kept))
            return finished

    async def _made(self, command: Command) -> Kept:
        """Start a container that waits on its standard input, which is ours."""
        name = f"wirken-{self._token()}"
        http, held = self._docker.http, AsyncExitStack()
        kept = Kept(name, held)
        try:
            body = containers.kept(self._docker.recipe, command)
            await uninterrupted(http.ask("POST", f"/containers/create?name={name}", body))
            await held.enter_async_context(http.stream(f"/containers/{name}/attach?stream=true&stdin=true"))
            await http.ask("POST", f"/containers/{name}/start")
        except BaseException:
            await uninterrupted(self._drop(kept))
            raise
        return kept

    async def _inside(self, kept: Kept, command: Command) -> tuple[Finished, bool]:
        """Return how a command in a kept container ended, and whether the container can be kept after it."""
        loop, capture, counters = asyncio.get_running_loop(), Capture(), Counters()
        async with self._executing(kept, command, capture, counters) as (number, reading):
            started = loop.time()
            ended_by = await self._ended(number, reading, started + command.timeout)
            seconds = loop.time() - started
            if ended_by:
                await self._docker.remove(kept.name)
                await asyncio.wait({reading}, timeout=limits.EXEC_CLEAR)
                return Finished(None, ended_by, capture.kept(), seconds), False
            await asyncio.wait({reading}, timeout=limits.ENGINE_WATCH)
            code = (await self._state(number)).exit_code
        clean, told = reading.done() and await self._empty(kept.name), counters.told()
        if code is not None and told is not None:
            code, ended_by = named(code, told)
            return Finished(code, ended_by, capture.kept(), seconds), clean and ended_by != "memory"
        if code == KILLED and await self._docker.starved_of_memory(kept.name):
            return Finished(None, "memory", capture.kept(), seconds), False
        return Finished(code, "", capture.kept(), seconds), clean and code != KILLED

    @contextlib.asynccontextmanager
    async def _executing(
        self, kept: Kept, command: Command, capture: Capture, counters: Counters
    ) -> AsyncIterator[tuple[str, asyncio.Task[None]]]:
        http = self._docker.http
        body = containers.execution(self._docker.recipe, command)
        made = _made.decode(await http.ask("POST", f"/containers/{kept.name}/exec", body))
        start = b'{"Detach": false, "Tty": false}'
        async with http.stream(f"/exec/{made.id}/start", start) as (reader, _):
            reading = asyncio.create_task(read(reader, capture, counters if self._docker.recipe.counted else None))
            try:
                yield made.id, reading
            finally:
                reading.cancel()

    async def _ended(self, number: str, reading: asyncio.Task[None], deadline: float) -> EndedBy:
        """Wait for the end of a command; a process that it leaves behind may hold its output open after it."""
        loop = asyncio.get_running_loop()
        while True:
            pause = max(0.0, min(limits.WARM_WATCH, deadline - loop.time()))
            await asyncio.wait({reading}, timeout=pause)
            if reading.done() or not (await self._state(number)).running:
                return ""
            if self._docker.stopping:
                return "stopped"
            if loop.time() >= deadline:
                return "time"

    async def _state(self, number: str) -> Ran:
        return _ran.decode(await self._docker.http.ask("GET", f"/exec/{number}/json"))

    async def _empty(self, name: str) -> bool:
        """Return whether a container has only its own processes; false where the engine cannot say."""
        try:
            told = _top.decode(await self._docker.http.ask("GET", f"/containers/{name}/top"))
        except (EngineFailed, msgspec.DecodeError):
            return False
        return len(told.processes) <= _OWN

    async def _keep(self, key: Key, kept: Kept) -> None:
        """Keep a container until it is used again, or too old, or one too many."""
        older = self._kept.pop(key, None)
        if older is None and len(self._kept) >= limits.WARM_KEPT:
            older = self._kept.pop(next(iter(self._kept)))
        if kept.expiry is not None:
            kept.expiry.cancel()
        expiry = asyncio.get_running_loop().call_later(limits.WARM_IDLE, self._expired, key)
        self._kept[key] = kept._replace(expiry=expiry)
        if older is not None:
            await self._drop(older)

    def _expired(self, key: Key) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            task = asyncio.get_running_loop().create_task(self._drop(kept))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    async def _drop(self, kept: Kept) -> None:
        if kept.expiry is not None:
            kept.expiry.cancel()
        await kept.held.aclose()
        await self._docker.removed(kept.name)


_made: Final = msgspec.json.Decoder(Made)
_ran: Final = msgspec.json.Decoder(Ran)
_top: Final = msgspec.json.Decoder(Top)
