"""The web process from outside: ready, talking, a gateway that restarts, strangers, and its end."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest
from tests.support.page import EventReader, parsed
from tests.support.web_process import WebProcess, web_process

from wirken.domain import limits

pytestmark = pytest.mark.slow


async def get(process: WebProcess, path: str, address: str = "127.0.0.1") -> tuple[int, bytes]:
    port = process.ports[0 if address == "127.0.0.1" else 1]
    reader, writer = await asyncio.open_connection(address, port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost:8080\r\nConnection: close\r\n\r\n".encode())
    reply = parsed(await reader.read())
    writer.close()
    return reply.status, reply.body


async def test_it_serves_on_both_loopbacks_and_under_a_tunnels_port(tmp_path: Path) -> None:
    async with web_process(tmp_path) as process:
        for address in ("127.0.0.1", "::1"):
            assert (await get(process, "/", address))[0] == 200
            status, body = await get(process, "/api/status", address)
            assert (status, json.loads(body)["version"]) == (200, "0.1.0")


async def test_another_owners_process_refuses_us(tmp_path: Path) -> None:
    async with web_process(tmp_path, owner=os.getuid() + 1) as process:
        for address in ("127.0.0.1", "::1"):
            assert (await get(process, "/", address))[0] == 403


async def test_further_users_are_admitted_by_their_uid_and_nobody_else(tmp_path: Path) -> None:
    me = os.getuid()
    async with web_process(tmp_path, owner=me + 1, also=f"{me + 2},{me}") as process:
        assert (await get(process, "/"))[0] == 200
    async with web_process(tmp_path, owner=me + 1, also=f"{me + 2},{me + 3}") as process:
        assert (await get(process, "/"))[0] == 403


async def test_it_comes_back_by_itself_after_its_gateway_does(tmp_path: Path) -> None:
    async with web_process(tmp_path) as process:
        await process.gateway.stop()
        await asyncio.sleep(0.1)
        assert (await get(process, "/api/sessions"))[0] == 503
        assert (await get(process, "/"))[0] == 200
        await process.gateway.start()
        async with asyncio.timeout(5):
            while (await get(process, "/api/sessions"))[0] != 200:
                await asyncio.sleep(0.05)


async def test_open_streams_do_not_keep_it_from_ending_in_time(tmp_path: Path) -> None:
    async with web_process(tmp_path) as process:
        readers = []
        for number in range(5):
            reader, writer = await asyncio.open_connection("127.0.0.1", process.ports[0])
            writer.write(f"GET /api/events?conversation=c{number} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            await reader.readuntil(b"\r\n\r\n")
            readers.append((EventReader(reader, 200), writer))
        assert await process.stop() < limits.STOP_CONVERSING
        assert process.process.returncode == 0
        for _, writer in readers:
            writer.close()


async def test_it_ends_while_it_still_waits_for_a_gateway(tmp_path: Path) -> None:
    async with web_process(tmp_path, gateway_up=False) as process:
        await asyncio.sleep(0.5)
        assert await process.stop() < limits.STOP_CONVERSING


async def test_it_opens_no_file_to_write_and_loads_no_database(tmp_path: Path) -> None:
    async with web_process(tmp_path) as process:
        await get(process, "/")
        if os.getuid() != 0:  # started without a view it is closed to its own user, whom test_outside.py looks for
            with pytest.raises(PermissionError):
                Path(f"/proc/{process.process.pid}/maps").read_text()
            return
        maps = Path(f"/proc/{process.process.pid}/maps").read_text()
        assert "sqlite" not in maps.lower() and "apsw" not in maps
        folder = Path(f"/proc/{process.process.pid}/fd")
        names = [os.readlink(path) for path in folder.iterdir()]
        assert not [name for name in names if name.startswith(str(tmp_path))]
        assert Path(f"/proc/{process.process.pid}/environ").read_bytes() in (b"", b"\0")
