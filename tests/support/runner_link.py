"""The runner's own parts on one end of a link, in a view; without the handshake, which the test is spared.

Started by `tests.process.test_files` as `python -I runner_link.py <descriptor> <workspace>`.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import sys

from wirken.domain.ids import RoleName
from wirken.ipc.peer import adopt
from wirken.runner.assemble import Host, Options, assembled
from wirken.runner.server import RunnerPeer


async def main() -> None:
    sock = socket.socket(fileno=int(sys.argv[1]))
    sock.setblocking(False)
    machine = os.uname()
    host = Host(machine.machine, machine.release, os.geteuid(), os.getegid())
    with assembled(Options(workspaces=(sys.argv[2],)), host, lambda: secrets.token_hex(8)) as tools:
        link = adopt(sock, RoleName("gateway"), RunnerPeer(tools))
        await link.closed.wait()
        tools.stop()
        await tools.close()


if __name__ == "__main__":
    asyncio.run(main())
