"""A runner without its socket, for tests: a call per line on standard input, its answer on standard output.

Runs inside the view of `tests.support.walled`. Requests are JSON objects: `{"id", "do": "run", "tool", "arguments",
"read_only"?, "network"?, "place"?, "steering"?}`, `{"do": "cancel", "id"}`, `{"do": "stop"}`, `{"id", "do": "status"}`,
`{"id", "do": "time", "count", "pause"?}`.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import resource
import secrets
import statistics
import sys
import time

import msgspec

from wirken.domain.actions import CanonicalCall, NetworkMode, Place, SandboxKind
from wirken.domain.ids import AgentId, ChannelId, PrincipalId, SessionId
from wirken.ipc.calls.runner import Run, WirePermit
from wirken.ipc.files import Files
from wirken.runner.assemble import EngineOptions, Host, Options, assembled
from wirken.runner.owner import Owner
from wirken.runner.sandbox import Bounds
from wirken.runner.tools import Tools

SESSION = SessionId("default/terminal/bench")


class Bench:
    def __init__(self, tools: Tools, workspace: str, kind: SandboxKind, root: str) -> None:
        self._tools = tools
        self._kind: SandboxKind = kind
        self._workspace = workspace
        self._root = root
        self._seq = 0
        self._tasks: dict[int, asyncio.Task[dict[str, object]]] = {}

    def question(
        self, tool: str, arguments: str, read_only: list[str], network: NetworkMode = "none", *, steering: bool = False
    ) -> Run:
        place = Place(self._workspace, self._kind, network, tuple(read_only), steering=steering, tools=self._root)
        return self.anywhere(tool, arguments, place)

    def anywhere(self, tool: str, arguments: str, place: Place) -> Run:
        self._seq += 1
        call = CanonicalCall(
            tool=tool,
            arguments=arguments,
            agent=AgentId("default"),
            session=SESSION,
            principal=PrincipalId("owner"),
            channel=ChannelId("terminal"),
            place=place,
        )
        return Run(permit=WirePermit(SESSION, self._seq, call.digest()), call=call.canonical())

    def take(self, request: dict[str, object]) -> None:
        number = int(str(request.get("id", 0)))
        match request["do"]:
            case "cancel":
                self._tasks[number].cancel()
            case "stop":
                self._tools.stop()
            case "run" | "status" | "time":
                task = self._tasks[number] = asyncio.create_task(self._done(request))
                task.add_done_callback(functools.partial(answer, number))

    async def _done(self, request: dict[str, object]) -> dict[str, object]:
        if request["do"] == "status":
            return dict(msgspec.to_builtins(await self._tools.status()))
        if request["do"] == "time":
            return await self._timed(int(str(request["count"])), float(str(request.get("pause", 0))))
        if "place" in request:
            place = msgspec.convert(request["place"], Place)
            question = self.anywhere(str(request["tool"]), str(request["arguments"]), place)
            return dict(msgspec.to_builtins(await self._tools.run(question, Files())))
        folders = request.get("read_only", [])
        assert isinstance(folders, list)
        network: NetworkMode = "open" if request.get("network") else "none"
        question = self.question(
            str(request["tool"]), str(request["arguments"]), folders, network, steering=request.get("steering") is True
        )
        return dict(msgspec.to_builtins(await self._tools.run(question, Files())))

    async def _timed(self, count: int, pause: float) -> dict[str, object]:
        took = []
        for _ in range(count):
            await asyncio.sleep(pause)
            question = self.question("exec", '{"argv":["true"]}', [])
            started = time.perf_counter()
            await self._tools.run(question, Files())
            took.append((time.perf_counter() - started) * 1e3)
        return {
            "took": took,
            "median": statistics.median(took),
            "p95": sorted(took)[int(count * 0.95)],
            "open": len(os.listdir("/proc/self/fd")),
            "resident": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        }


def answer(number: int, task: asyncio.Task[dict[str, object]]) -> None:
    """Say what came of a request; also of one that was cancelled before it began."""
    if task.cancelled():
        said: dict[str, object] = {"cancelled": True}
    elif (error := task.exception()) is not None:
        said = {"raised": type(error).__name__, "said": str(error)}
    else:
        said = task.result()
    print(json.dumps({"id": number, **said}), flush=True)


async def main() -> None:
    options = json.loads(sys.argv[1])
    machine = os.uname()
    host = Host(machine.machine, machine.release, os.geteuid(), os.getegid())
    engine = options["engine"]
    wanted = Options(
        workspaces=(options["workspace"],),
        read_only=tuple(options["read_only"]),
        cgroups=tuple(options["cgroups"]),
        relay=options["relay"],
        outside=tuple(options["outside"]),
        bounds=Bounds(**options["bounds"]),
        kind=options["kind"],
        runsc=options["runsc"],
        engine=None
        if engine is None
        else EngineOptions(engine[0], engine[1], engine[2], Owner(*engine[3]), warm=engine[4], hatches=engine[5]),
        skills=options["skills"],
        tools=options["tools"],
    )
    with assembled(wanted, host, lambda: secrets.token_hex(8)) as tools:
        bench = Bench(tools, options["workspace"], options["kind"], options["tools"])
        reader = asyncio.StreamReader(limit=2**24)
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        print(json.dumps({"ready": True}), flush=True)
        while line := await reader.readline():
            bench.take(json.loads(line))
        await tools.close()


if __name__ == "__main__":
    asyncio.run(main())
