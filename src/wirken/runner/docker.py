"""Docker's (or Podman's) Engine API behind the port `sandbox.Sandbox`: a container for each command.

Made when it is needed, killed and removed at whatever stage the command ends. What a killed runner leaves is
removed by the next one, which knows it by its labels.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from typing import Final
from urllib.parse import quote

import msgspec

from wirken.domain import limits
from wirken.domain.actions import SandboxKind
from wirken.domain.errors import ProtocolError
from wirken.runner.containers import Inspected, Joined, Listed, Recipe, State, Stats, creation, left_over
from wirken.runner.counters import Counters, Told
from wirken.runner.egress import NoWayOut
from wirken.runner.engine_http import EngineFailed, EngineHttp
from wirken.runner.engine_stream import ERR, Demultiplexer
from wirken.runner.hatches import UNKNOWN
from wirken.runner.output import NOTHING, Capture, Kept
from wirken.runner.sandbox import NOT_EXECUTABLE, Command, EndedBy, Finished
from wirken.runner.uninterrupted import uninterrupted

_log = logging.getLogger("wirken.runner")
_CHUNK: Final = 64 * 1024  # bytes
_GONE: Final = 404  # HTTP
KILLED: Final = 137  # 128 + SIGKILL
_TOO_LONG: Final = "argument list too long"


class Docker:
    """Containers of one recipe. `recipe` and `ways` are set by the look at the engine that precedes every command."""

    def __init__(self, http: EngineHttp, kind: SandboxKind, recipe: Recipe, token: Callable[[], str]) -> None:
        self.http, self.recipe, self.ways = http, recipe, UNKNOWN
        self._kind: SandboxKind = kind
        self._token = token
        self._places = asyncio.Semaphore(limits.EXEC_PARALLEL)
        self._stop = asyncio.Event()

    @property
    def kind(self) -> SandboxKind:
        return self._kind

    def stop(self) -> None:
        """End every command, now and from now on, with `stopped`."""
        self._stop.set()

    async def close(self) -> None:
        """Nothing is kept between commands."""

    async def sweep(self) -> int:
        """Remove the containers that killed runners of ours left, and return how many there were."""
        owner = self.recipe.owner
        wanted = quote(f'{{"label":["wirken.installation={owner.installation}"]}}')
        found = _listed.decode(await self.http.ask("GET", f"/containers/json?all=true&filters={wanted}"))
        gone = left_over(found, owner)
        for one in gone:
            await self.remove(one)
        return len(gone)

    async def run(self, command: Command) -> Finished:
        """Run a command to its end (`sandbox.Sandbox.run`). Raises `NoWayOut` for one with a network."""
        if command.network is not None:
            raise NoWayOut("A command was granted a network, and its container was given none.")
        return await self.run_joined(command, None)

    async def run_joined(self, command: Command, joined: Joined | None) -> Finished:
        """Run a command to its end, in the network of another container where it is given one."""
        async with self.place() as stopped:
            if stopped:
                return Finished(None, "stopped", NOTHING, 0.0)
            # The name is ours, so that a container can be removed although its making was never answered.
            name = f"wirken-{self._token()}"
            try:
                body = creation(self.recipe, command, joined)
                await uninterrupted(self.http.ask("POST", f"/containers/create?name={name}", body))
                return await self._lived(name, command)
            finally:
                await uninterrupted(self.removed(name))

    @contextlib.asynccontextmanager
    async def place(self) -> AsyncIterator[bool]:
        """Hold one of the places for commands; yields whether everything was stopped meanwhile."""
        async with self._places:
            yield self._stop.is_set()

    @property
    def stopping(self) -> bool:
        """Whether every command has to end."""
        return self._stop.is_set()

    async def _lived(self, name: str, command: Command) -> Finished:
        """Start the container and return how it ended. It is still there afterwards."""
        capture, counters = Capture(), Counters()
        query = "stream=true&stdout=true&stderr=true"
        async with self.http.stream(f"/containers/{name}/attach?{query}") as (reader, _):
            reading = asyncio.create_task(read(reader, capture, counters if self.recipe.counted else None))
            try:
                try:
                    await self.http.ask("POST", f"/containers/{name}/start")
                except EngineFailed as error:
                    return _not_started(error)
                try:
                    code, ended_by, seconds = await self._to_its_end(name, command.timeout)
                except EngineFailed as error:  # it ran, so this must not read as if it had not
                    capture.feed(f"\n[{error}]\n".encode())
                    return Finished(None, "stopped", capture.kept(), 0.0)
                if ended_by:
                    await self.removed(name)
                await asyncio.wait({reading}, timeout=limits.EXEC_CLEAR)
            finally:
                reading.cancel()
        told = counters.told()
        if code is not None and told is not None:
            code, ended_by = named(code, told)
        return Finished(code, ended_by, capture.kept(), seconds)

    async def _to_its_end(self, name: str, allowed: float) -> tuple[int | None, EndedBy, float]:
        loop = asyncio.get_running_loop()
        started = loop.time()
        waited = asyncio.create_task(
            self.http.ask("POST", f"/containers/{name}/wait", allowed=allowed + limits.ENGINE_TIME)
        )
        stopped = asyncio.create_task(self._stop.wait())
        starved = False
        try:
            while not waited.done() and not stopped.done() and loop.time() < started + allowed:
                pause = min(limits.ENGINE_WATCH, started + allowed - loop.time())
                await asyncio.wait({waited, stopped}, timeout=max(0.0, pause), return_when=asyncio.FIRST_COMPLETED)
                starved = starved or (not waited.done() and await self._full(name))
            seconds = loop.time() - started
            if not waited.done():
                return None, "stopped" if stopped.done() else "time", seconds
            waited.result()
            state = await self._ended(name)
        finally:
            waited.cancel()
            stopped.cancel()
        if state.oom_killed:
            return None, "memory", seconds
        return state.exit_code, "processes" if starved and state.exit_code else "", seconds

    async def _full(self, name: str) -> bool:
        """Return whether a container has all the processes it may have; false where the engine cannot say."""
        try:
            raw = await self.http.ask("GET", f"/containers/{name}/stats?stream=false&one-shot=true")
            return _stats.decode(raw).pids_stats.current >= self.recipe.bounds.processes
        except (EngineFailed, msgspec.DecodeError):
            return False

    async def _ended(self, name: str) -> State:
        """Return how a container ended. That it ran out of memory the engine learns apart from its end, maybe later."""
        state = await self._state(name)
        for _ in range(limits.ENGINE_LOOKS):
            if state.exit_code != KILLED or state.oom_killed:
                break
            await asyncio.sleep(limits.EXEC_WATCH)
            state = await self._state(name)
        return state

    async def _state(self, name: str) -> State:
        return _inspected.decode(await self.http.ask("GET", f"/containers/{name}/json")).state

    async def starved_of_memory(self, name: str) -> bool:
        """Kill a container in which something was killed, and return whether it was for want of memory.

        Until its end the engine does not say.
        """
        with contextlib.suppress(EngineFailed):
            await self.http.ask("POST", f"/containers/{name}/kill")
        await self.http.ask("POST", f"/containers/{name}/wait")
        return (await self._ended(name)).oom_killed

    async def removed(self, name: str) -> None:
        """Kill and remove a container; one that resists is left to the next sweep, with a word in the log."""
        try:
            await self.remove(name)
        except EngineFailed as error:
            _log.warning("a container of ours stays until the next start: %s", error)

    async def remove(self, name: str) -> None:
        try:
            await self.http.ask("DELETE", f"/containers/{name}?force=true&v=true")
        except EngineFailed as error:
            if error.status != _GONE:
                raise


def named(code: int, told: Told) -> tuple[int | None, EndedBy]:
    """Return how a command ended that gave this exit code, by what the kernel counted."""
    if told.oom:
        return None, "memory"
    return code, "processes" if told.starved and code else ""


async def read(reader: asyncio.StreamReader, capture: Capture, counters: Counters | None) -> None:
    """Take a container's output until it ends; where there are counters, what stands beside it is theirs."""
    stream = Demultiplexer()
    with contextlib.suppress(OSError, ProtocolError):
        while data := await reader.read(_CHUNK):
            for kind, part in stream.feed(data):
                (counters if counters is not None and kind == ERR else capture).feed(part)


def _not_started(error: EngineFailed) -> Finished:
    """Return what a shell says of a program that cannot be started. Raises the error where it was something else."""
    said = str(error)
    if _TOO_LONG in said:
        return Finished(NOT_EXECUTABLE, "", Kept("The command is too long to be started.", 0), 0.0)
    raise error


_listed: Final = msgspec.json.Decoder(list[Listed])
_stats: Final = msgspec.json.Decoder(Stats)
_inspected: Final = msgspec.json.Decoder(Inspected)
