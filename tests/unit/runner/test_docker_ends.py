"""How a container ended, from an engine on a socket of the test's that says so as late as it likes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from wirken.domain import limits
from wirken.runner.containers import Identity, Recipe, creation
from wirken.runner.docker import Docker
from wirken.runner.engine_http import EngineHttp
from wirken.runner.owner import Owner
from wirken.runner.sandbox import Bounds, Command


class Engine:
    """Starts nothing; its container has ended at once. Only look number `late` (from 0) finds out about memory."""

    def __init__(self, code: int, late: int) -> None:
        self.code, self.late, self.looks = code, late, 0

    def answer(self, target: str) -> object:
        if target.endswith("/json"):
            self.looks += 1
            return {"State": {"ExitCode": self.code, "OOMKilled": self.looks > self.late}}
        return {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        target = head.split()[1].decode()
        if "/attach" in target:
            writer.write(b"HTTP/1.1 101 UPGRADED\r\n\r\n")
        else:
            body = json.dumps(self.answer(target)).encode()
            writer.write(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()


async def ended(folder: Path, engine: Engine) -> tuple[int | None, str]:
    recipe = Recipe("image", "runsc", Owner("i", "s", "r"), Bounds(), Identity("1:1"), counted=False)
    async with await asyncio.start_unix_server(engine.serve, folder / "s"):
        docker = Docker(EngineHttp(str(folder / "s")), "gvisor", recipe, lambda: "token")
        finished = await docker.run(Command(("true",), "/workspace"))
    return finished.exit_code, finished.ended_by


@pytest.mark.parametrize(
    ("late", "found"),
    [(0, (None, "memory")), (limits.ENGINE_LOOKS, (None, "memory")), (limits.ENGINE_LOOKS + 1, (137, ""))],
)
@pytest.mark.slow
async def test_a_killed_container_is_looked_at_again(tmp_path: Path, late: int, found: tuple[int | None, str]) -> None:
    assert await ended(tmp_path, Engine(137, late)) == found


async def test_one_that_ended_otherwise_is_looked_at_once(tmp_path: Path) -> None:
    engine = Engine(3, 1)
    assert await ended(tmp_path, engine) == (3, "")
    assert engine.looks == 1


@pytest.mark.parametrize("counted", [True, False])
def test_under_gvisor_no_command_is_given_the_machines_own_null_device(counted: bool) -> None:
    recipe = Recipe("image", "runsc", Owner("i", "s", "r"), Bounds(), Identity("1:1"), counted)
    made = json.loads(creation(recipe, Command(("cat",), "/workspace")))
    assert made["OpenStdin"] is not counted
    assert ("</dev/null" in made["Entrypoint"][2]) is not counted, "it would wait for what nobody writes"
