"""The gateway's line to the supervisor."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator

import pytest

from wirken.domain.actions import Outside, Place
from wirken.domain.errors import Unavailable
from wirken.gateway.reaching import Line, NotReached

PLACE = Place("/w", "bubblewrap", outside=(Outside("/home/me/ä", True),))


class Supervisor:
    """The other end of the line, read and written by hand."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._end = end

    async def heard(self) -> dict[str, object]:
        data = b""
        while not data.endswith(b"\n"):
            data += await asyncio.get_running_loop().sock_recv(self._end, 1)
        said: dict[str, object] = json.loads(data)
        return said

    async def say(self, answer: dict[str, object]) -> None:
        await asyncio.get_running_loop().sock_sendall(self._end, json.dumps(answer).encode() + b"\n")

    def hang_up(self) -> None:
        self._end.close()


@pytest.fixture
async def ends() -> AsyncIterator[tuple[Line, Supervisor]]:
    ours, theirs = socket.socketpair()
    line = await Line.over(theirs.detach())
    with ours:
        yield line, Supervisor(ours)
    await line.close()


async def test_a_runner_lives_as_long_as_its_call(ends: tuple[Line, Supervisor]) -> None:
    line, supervisor = ends

    async def call() -> str:
        async with line.runner(PLACE) as role:
            return role

    calling = asyncio.create_task(call())
    asked = await supervisor.heard()
    assert asked == {"ask": "reach", "id": asked["id"], "workspace": "/w", "outside": [["/home/me/ä", True, ""]]}
    await supervisor.say({"ok": True, "id": asked["id"], "role": "runner-3"})
    assert await calling == "runner-3"
    assert await supervisor.heard() == {"ask": "leave", "role": "runner-3"}


async def test_answers_find_their_question_in_any_order(ends: tuple[Line, Supervisor]) -> None:
    line, supervisor = ends
    first, second = line.runner(PLACE), line.runner(PLACE)
    entering = [asyncio.create_task(one.__aenter__()) for one in (first, second)]
    numbers = [(await supervisor.heard())["id"] for _ in entering]
    await supervisor.say({"ok": True, "id": numbers[1], "role": "runner-2"})
    await supervisor.say({"ok": True, "id": numbers[0], "role": "runner-1"})
    assert await asyncio.gather(*entering) == ["runner-1", "runner-2"]


async def test_a_refusal_says_why(ends: tuple[Line, Supervisor]) -> None:
    line, supervisor = ends
    entering = asyncio.create_task(line.runner(PLACE).__aenter__())
    number = (await supervisor.heard())["id"]
    await supervisor.say({"ok": False, "id": number, "error": "It is hidden.", "hint": "Move it."})
    with pytest.raises(NotReached, match="hidden") as caught:
        await entering
    assert caught.value.advice == "Move it."


async def test_a_runner_that_comes_too_late_is_sent_away(ends: tuple[Line, Supervisor]) -> None:
    line, supervisor = ends
    entering = asyncio.create_task(line.runner(PLACE).__aenter__())
    number = (await supervisor.heard())["id"]
    entering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await entering
    await supervisor.say({"ok": True, "id": number, "role": "runner-9"})
    assert await supervisor.heard() == {"ask": "leave", "role": "runner-9"}


async def test_without_a_supervisor_nobody_waits(ends: tuple[Line, Supervisor]) -> None:
    line, supervisor = ends
    entering = asyncio.create_task(line.runner(PLACE).__aenter__())
    await supervisor.heard()
    supervisor.hang_up()
    with pytest.raises(Unavailable):
        await entering
    with pytest.raises(Unavailable):
        await line.runner(PLACE).__aenter__()


async def test_paths_that_do_not_fit_a_line_are_refused(ends: tuple[Line, Supervisor]) -> None:
    line, _ = ends
    long = Place("/w", "bubblewrap", outside=tuple(Outside(f"/{n}" + "ä" * 4000) for n in range(3)))
    with pytest.raises(NotReached, match="too long"):
        await line.runner(long).__aenter__()
