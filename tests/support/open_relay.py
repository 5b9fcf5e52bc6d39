"""outbound's own relay, whose judge allows every host but `no.…`; all connections lead to the test's ports."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.fake_names import Names
from tests.support.walled import service_ids

from wirken.ipc.calls.egress import Caller, EgressRuling, EndedEgress, JudgeEgress, ReachEgress
from wirken.outbound.proxy_request import TLS_PORT
from wirken.outbound.relay_server import Relay
from wirken.outbound.resolve import Address, Resolver, connect

PUBLIC = "93.184.215.14"
HERE = ipaddress.ip_address("127.0.0.1")


@dataclass
class OpenRelay:
    """What it was asked, in order, and how each connection ended."""

    path: Path
    tls: int
    plain: int
    asked: list[tuple[Caller, str]] = field(default_factory=list)
    ends: list[EndedEgress] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    async def judge(self, question: JudgeEgress) -> EgressRuling:
        assert question.caller is not None
        self.asked.append((question.caller, f"{question.host}:{question.port}"))
        verdict = "not_allowed" if question.host.startswith("no.") else question.found
        if verdict != "allowed":
            self.refused.append(f"{verdict} {question.host}:{question.port}")
        return EgressRuling(verdict, "", len(self.asked))

    async def reach(self, said: ReachEgress) -> None:
        if said.verdict != "allowed":
            self.refused.append(said.verdict)

    async def ended(self, said: EndedEgress) -> None:
        self.ends.append(said)

    async def connect(self, addresses: Sequence[Address], port: int) -> tuple[socket.socket, Address]:
        assert [str(address) for address in addresses] == [PUBLIC]
        return await connect([HERE], self.tls if port == TLS_PORT else self.plain)


class _Everywhere(Names):
    async def __call__(self, host: str) -> Sequence[str]:
        return [PUBLIC]


@contextmanager
def open_relay(path: Path, tls: int, plain: int) -> Iterator[OpenRelay]:
    """Serve the runner on `path` in a thread of its own."""
    made = OpenRelay(path, tls, plain)
    door = socket.socket(socket.AF_UNIX)
    door.bind(str(path))
    door.listen()
    door.setblocking(False)
    os.chown(path, *service_ids())
    relay = Relay(Resolver(_Everywhere({}), {}, lambda _: False), made, made.connect, own_uid=service_ids()[0])
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    loop.call_soon_threadsafe(relay.open, {"runner": door})
    try:
        yield made
    finally:
        asyncio.run_coroutine_threadsafe(relay.close(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
        door.close()
