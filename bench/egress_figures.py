"""How fast bytes pass outbound's relay, beside the same bytes over loopback without it."""

from __future__ import annotations

import asyncio
import ipaddress
import multiprocessing
import socket
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.support import hellos

from bench.figure import Figure, Reference, Target
from bench.options import Options
from bench.stats import samples
from wirken.ipc.calls.egress import EgressRuling, EndedEgress, JudgeEgress, ReachEgress
from wirken.outbound.relay_server import Relay
from wirken.outbound.resolve import Address, Resolver

_PIECE: Final = bytes(256 * 1024)
_HOST: Final = "bench.example"
_CONNECT: Final = f"CONNECT {_HOST}:443 HTTP/1.1\r\nHost: {_HOST}\r\n\r\n".encode()
_ESTABLISHED: Final = b"HTTP/1.1 200 Connection established\r\n\r\n"


def relay(options: Options) -> list[Figure]:
    """Return MiB a second through the relay and over plain loopback, in turns of one run."""
    total = options.times(1024, 128) * 2**20
    plain, relayed = [], []
    for _ in range(options.times(7, 3)):
        plain.append(_passed(total, through=False))
        relayed.append(_passed(total, through=True))
    return [
        Figure(
            name="bytes through the relay",
            unit="MiB/s",
            samples=samples(relayed),
            target=Target("at least", 0.5, of="ratio"),
            reference=Reference("loopback without it", samples(plain)),
        )
    ]


class _Everything:
    """A judge that allows what is measured."""

    async def judge(self, question: JudgeEgress) -> EgressRuling:
        return EgressRuling(question.found, ticket=1)

    async def reach(self, said: ReachEgress) -> None:
        pass

    async def ended(self, said: EndedEgress) -> None:
        pass


async def _unknown(host: str) -> Sequence[str]:
    raise OSError(host)


def _passed(total: int, *, through: bool) -> float:
    """Send `total` bytes to a process that reads them, and return MiB a second."""
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        door = socket.socket(socket.AF_UNIX)
        door.bind(f"{folder}/relay.sock")
        door.listen()
        fork = multiprocessing.get_context("fork")
        others = [fork.Process(target=_read, args=(server,))]
        others += [fork.Process(target=_relay, args=(door, port))] if through else []
        for process in others:
            process.start()
        try:
            speed = _sent(_dialled(folder) if through else socket.create_connection(("127.0.0.1", port)), total)
        finally:
            for process in others[1:]:
                process.terminate()
            for process in others:
                process.join()
            door.close()
    return speed


def _dialled(folder: str) -> socket.socket:
    """Return a connection through the relay's tunnel, past the first message of TLS."""
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(str(Path(folder, "relay.sock")))
    sock.sendall(_CONNECT)
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += sock.recv(4096)
    assert answer == _ESTABLISHED, answer
    sock.sendall(hellos.real(_HOST))
    return sock


def _sent(sock: socket.socket, total: int) -> float:
    with sock:
        started = time.perf_counter()
        for _ in range(total // len(_PIECE)):
            sock.sendall(_PIECE)
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(1) == b"."
        return total / (time.perf_counter() - started) / 2**20


def _read(server: socket.socket) -> None:
    sock, _ = server.accept()
    buffer = bytearray(len(_PIECE))
    with sock:
        while sock.recv_into(buffer):
            pass
        sock.sendall(b".")


def _relay(door: socket.socket, port: int) -> None:
    async def connect(addresses: Sequence[Address], _: int) -> tuple[socket.socket, Address]:
        sock = socket.socket()
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, (str(addresses[0]), port))
        return sock, ipaddress.ip_address("127.0.0.1")

    async def serve() -> None:
        door.setblocking(False)
        resolver = Resolver(_unknown, {_HOST: ("127.0.0.1",)}, lambda _: False)
        Relay(resolver, _Everything(), connect).open({"bench": door})
        await asyncio.Event().wait()

    asyncio.run(serve())
