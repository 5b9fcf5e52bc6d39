"""Connections: who is let in, by the kernel's word; what a stranger gets; keep-alive; the log."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from tests.support.page import parsed, running

from wirken.domain import limits
from wirken.web.guard import HEADERS
from wirken.web.peeruid import End
from wirken.web.server import Admission

PEER, OURS = End("127.0.0.1", 50000), End("127.0.0.1", 18790)


class Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> int:
        return int(self.time * 1000)

    def monotonic(self) -> float:
        return self.time


@pytest.mark.parametrize(("uid", "admitted"), [(1000, True), (1001, False), (0, False), (None, False)])
def test_only_the_owners_uid_is_admitted_and_not_knowing_is_no(uid: int | None, admitted: bool) -> None:
    admission = Admission(lambda peer, ours: uid, frozenset((1000,)), Clock(), print)
    assert admission.admits(PEER, OURS) is admitted


def test_a_flood_of_strangers_is_a_few_lines() -> None:
    clock = Clock()
    lines: list[str] = []
    admission = Admission(lambda peer, ours: 1001, frozenset((1000,)), clock, lines.append)
    for _ in range(1000):
        admission.admits(PEER, OURS)
    clock.time = limits.PAGE_REFUSED_LINES
    admission.admits(PEER, OURS)
    assert lines == [
        "refused a connection from uid 1001, port 50000 (1 so far)",
        "refused a connection from uid 1001, port 50000 (1001 so far)",
    ]


async def test_another_users_connection_gets_a_403_and_its_bytes_are_not_read(tmp_path: Path) -> None:
    async with running(tmp_path, uids=frozenset((os.getuid() + 1,))) as page:
        reply = await page.post("/api/messages", {"text": "hello"})
        assert reply.status == 403
        assert set(reply.json()) == {"error", "hint"}
        assert all(reply.headers[name.decode()] == value.decode() for name, value in HEADERS)
        assert page.gateway.inbound == []
        assert page.lines and f"uid {os.getuid()}" in page.lines[0]


async def test_a_stranger_who_stays_is_dropped(tmp_path: Path) -> None:
    async with running(tmp_path, uids=frozenset()) as page:
        reader, writer = await asyncio.open_connection("127.0.0.1", page.port)
        started = asyncio.get_running_loop().time()
        with pytest.raises(ConnectionError):
            await reader.read()
            while True:
                writer.write(b"x" * 1000)
                await writer.drain()
                await asyncio.sleep(0.05)
        assert asyncio.get_running_loop().time() - started < limits.PAGE_REFUSED + 1
        writer.close()


async def test_a_kept_connection_is_looked_up_once(tmp_path: Path) -> None:
    async with running(tmp_path) as page:
        asked: list[End] = []
        real = page.server._admission._uid_of

        def counting(peer: End, ours: End) -> int | None:
            asked.append(peer)
            return real(peer, ours)

        page.server._admission._uid_of = counting  # type: ignore[misc]  # counted here only
        reader, writer = await asyncio.open_connection("127.0.0.1", page.port)
        for _ in range(3):
            writer.write(b"GET /api/status HTTP/1.1\r\nHost: localhost\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            assert parsed(head).status == 200
            await reader.readexactly(int(parsed(head).headers["content-length"]))
        writer.close()
        assert len(asked) == 1


async def test_bytes_that_are_no_http_are_answered_with_400(tmp_path: Path) -> None:
    async with running(tmp_path) as page:
        assert (await page.raw(b"\x16\x03\x01\x02\x00\r\n\r\n")).status == 400
        assert (await page.get("/")).status == 200
