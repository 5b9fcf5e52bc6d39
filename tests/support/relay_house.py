"""A relay between real sockets: a scripted gateway judges, and every port leads to a server of the test's."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.fake_names import Names

from wirken.domain.egress import Verdict
from wirken.domain.errors import Refused
from wirken.ipc.calls.egress import Caller, EgressRuling, EndedEgress, JudgeEgress, ReachEgress
from wirken.ipc.calls.runner import WirePermit
from wirken.ipc.framing import encode_frame
from wirken.ipc.link import pack
from wirken.outbound.relay_server import Relay, listeners
from wirken.outbound.resolve import Address, Resolver, connect

PERMIT = WirePermit("default/terminal/c", 4, "ab" * 32)
CONNECT = b"CONNECT pypi.org:443 HTTP/1.1\r\nHost: pypi.org:443\r\n\r\n"
GET = b"GET http://pypi.org/simple HTTP/1.1\r\nHost: pypi.org\r\n\r\n"


@dataclass
class Gateway:
    """Says what a test wants, and keeps what it was told."""

    verdict: Verdict = "allowed"
    asked: list[JudgeEgress] = field(default_factory=list)
    reached: list[ReachEgress] = field(default_factory=list)
    ends: list[EndedEgress] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    on_reach: list[int] = field(default_factory=list)
    """Connections that the server had seen when each address was put on record."""
    server: Server | None = None
    away: bool = False
    on_record: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self.gate.set()

    async def judge(self, question: JudgeEgress) -> EgressRuling:
        self.asked.append(question)
        await self.gate.wait()
        if self.away:
            raise Refused("No such call runs now.")
        verdict = self.verdict if question.found == "allowed" else question.found
        return EgressRuling(verdict, "because", len(self.asked) if verdict == "allowed" else 0)

    async def reach(self, said: ReachEgress) -> None:
        self.on_record()
        self.reached.append(said)
        self.on_reach.append(0 if self.server is None else len(self.server.heard))

    async def ended(self, said: EndedEgress) -> None:
        self.ends.append(said)


@dataclass
class Server:
    """A server on loopback; what it heard of each connection. It answers with what it heard, in capitals."""

    heard: list[bytearray] = field(default_factory=list)
    port: int = 0
    greets: bytes = b""
    silent: bool = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        mine = bytearray()
        self.heard.append(mine)
        writer.write(self.greets)
        while piece := await reader.read(65536):
            mine += piece
            if not self.silent:
                writer.write(piece.upper())
                await writer.drain()
        writer.write(b"bye")
        writer.close()


@dataclass
class House:
    path: Path
    gateway: Gateway
    server: Server
    relay: Relay
    names: Names
    led: list[list[str]]
    """The addresses that each connection was to go to."""

    @asynccontextmanager
    async def dial(self, *, caller: bool = True) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_unix_connection(self.path)
        if caller:
            writer.write(encode_frame(pack(Caller(PERMIT, "pip"))))
        try:
            yield reader, writer
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def said(self, words: bytes, *, caller: bool = True) -> bytes:
        """Say something and return all that comes back until the relay closes."""
        async with asyncio.timeout(10), self.dial(caller=caller) as (reader, writer):
            writer.write(words)
            return await reader.read(-1)

    async def end(self) -> EndedEgress:
        async with asyncio.timeout(5):
            while not self.gateway.ends:
                await asyncio.sleep(0.005)
        return self.gateway.ends[0]


@asynccontextmanager
async def house(
    folder: Path,
    *,
    role: str = "runner",
    names: dict[str, list[str]] | None = None,
    pinned: bool = True,
    own_uid: int | None = None,
) -> AsyncIterator[House]:
    """A relay whose ports lead to a server of ours: the operator gave the name an address of this machine."""
    server = Server()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    given = {"pypi.org": ("127.0.0.1",)} if pinned else {}
    known = Names(names or {})
    gateway = Gateway(server=server)
    path = folder / "relay.sock"
    door = socket.socket(socket.AF_UNIX)
    door.bind(str(path))
    door.listen()
    doors = listeners([f"{role}={door.detach()}"])

    led: list[list[str]] = []

    async def reaches(addresses: Sequence[Address], port: int) -> tuple[socket.socket, Address]:
        assert port in (443, 80)
        led.append([str(address) for address in addresses])
        return await connect([ipaddress.ip_address("127.0.0.1")], server.port)

    made = Relay(Resolver(known, given, lambda _: False), gateway, reaches)
    if own_uid is not None:
        made.own_uid = own_uid
    made.open(doors)
    try:
        yield House(path, gateway, server, made, known, led)
    finally:
        await made.close()
        for one in doors.values():
            one.close()
        listening.close()
        await listening.wait_closed()


def status(answer: bytes) -> str:
    return answer.split(b"\r\n", 1)[0].decode()
