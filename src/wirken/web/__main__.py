"""Start the page: read the options, meet the gateway, serve until the supervisor lets go.

Options: `--data DIR --control-fd N --vault-fd M --gateway-socket PATH` as every wing, `--listen-fds A,B` (TCP
sockets that listen on loopback), `--tcp-table-fds C,D` (the host's /proc/net/tcp and tcp6), `--owner-uid U`,
and where needed `--also-uids V,W` (who may use the page beside the owner) and `--without WALLS` (names with commas:
what this machine lacks and may lack).
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wirken.confine import process, roles
from wirken.domain.clock import SystemClock
from wirken.domain.errors import UsageError, WirkenError
from wirken.ipc.lifeline import Lifeline
from wirken.ipc.wing import stay_dialled
from wirken.web.hub import Hub
from wirken.web.peeruid import TcpTables
from wirken.web.routes import application
from wirken.web.server import Admission, PageServer

_WITHOUT: Final = "--without"
_ALSO: Final = "--also-uids"
_NAMES: Final = frozenset(
    (
        "--data",
        "--control-fd",
        "--vault-fd",
        "--gateway-socket",
        "--listen-fds",
        "--tcp-table-fds",
        "--owner-uid",
    )
)


@dataclass(frozen=True, slots=True)
class Options:
    data: Path
    gateway_socket: Path
    control_fd: int
    vault_fd: int
    listen_fds: tuple[int, ...]
    tcp_table_fds: tuple[int, ...]
    uids: frozenset[int]
    """Whose connections are answered."""
    without: tuple[str, ...]


def parse(arguments: Sequence[str]) -> Options:
    """Return the options. Raises `UsageError`; what has no safe absence is needed."""
    given = dict(zip(arguments[::2], arguments[1::2], strict=False))
    doubled = len(arguments) != 2 * len(given)
    without = process.named(given.pop(_WITHOUT, ""))
    also = given.pop(_ALSO, "")
    if doubled or given.keys() != _NAMES:
        raise UsageError("The page needs " + ", ".join(sorted(_NAMES)) + ".")
    try:
        return Options(
            data=Path(given["--data"]),
            gateway_socket=Path(given["--gateway-socket"]),
            control_fd=int(given["--control-fd"]),
            vault_fd=int(given["--vault-fd"]),
            listen_fds=tuple(map(int, given["--listen-fds"].split(","))),
            tcp_table_fds=tuple(map(int, given["--tcp-table-fds"].split(","))),
            uids=frozenset(map(int, (given["--owner-uid"], *(also.split(",") if also else ())))),
            without=without,
        )
    except ValueError:
        raise UsageError("The page's descriptors and uid are whole numbers.") from None


def say(line: str) -> None:
    """Write one line for the log."""
    sys.stderr.write(f"web: {line}\n")
    sys.stderr.flush()


async def serve(options: Options) -> None:
    """Wire the parts together and run until the control descriptor ends."""
    clock = SystemClock()
    hub = Hub(clock)
    tcp, *tcp6 = options.tcp_table_fds
    tables = TcpTables(tcp, tcp6[0] if tcp6 else -1)
    admission = Admission(tables.uid_of, options.uids, clock, say)
    server = PageServer(application(hub, clock, lambda: os.urandom(16).hex()), admission)
    lifeline = Lifeline(options.control_fd, options.vault_fd)
    await server.listen([socket.socket(fileno=number) for number in options.listen_fds])
    # Returns when the supervisor lets go; before the first link the page says that the gateway is away.
    await stay_dialled(lifeline, options.gateway_socket, hub, hub.connected)
    hub.close()
    await server.stop()


def main(arguments: Sequence[str]) -> int:
    try:
        options = parse(arguments)
        process.enter(roles.WEB, process.Ground(str(options.data), options.without, control=options.control_fd))
        asyncio.run(serve(options))
    except WirkenError as error:
        say(f"{error} {error.advice}".rstrip())
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
