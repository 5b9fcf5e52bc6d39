"""The web process as the supervisor starts it, without walls, between a scripted gateway and a scripted vault."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.stub_gateway import Script, StubGateway, echo

from wirken.confine.roles import ROLES, WEB, required
from wirken.domain import limits
from wirken.domain.walls import report
from wirken.ipc import handshake
from wirken.ipc.calls.vault import Identity, IdentityReply
from wirken.ipc.framing import FrameDecoder
from wirken.ipc.lifeline import READY
from wirken.ipc.vault_wire import ok_frame, read_question


@dataclass
class WebProcess:
    """`control` is the supervisor's end: close it to stop the process."""

    gateway: StubGateway
    process: asyncio.subprocess.Process
    control: socket.socket
    ports: tuple[int, ...]

    async def stop(self) -> float:
        """Let go; return the seconds that the process took to end."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        self.control.close()
        await asyncio.wait_for(self.process.wait(), 5)
        return loop.time() - started


def answer_identity(end: socket.socket, identity: handshake.Identity) -> None:
    """Be the vault: answer the one question that this process may ask, as often as it does."""
    decoder = FrameDecoder(limits.VAULT_FRAME)
    with end:
        while data := end.recv(65536):
            for payload in decoder.feed(data):
                assert isinstance(read_question(payload), Identity)
                reply = IdentityReply(identity.role, identity.seed.reveal(), identity.gateway_key)
                end.sendall(ok_frame(reply))


async def _ready(control: socket.socket) -> None:
    """Return once the process has told which walls it wears, and then that it is ready."""
    heard, loop = b"", asyncio.get_running_loop()
    while not heard.endswith(READY):
        piece = await loop.sock_recv(control, limits.WALLS_REPORT)
        assert piece, "the process ended"
        heard += piece
    assert heard == report(required(ROLES[WEB], ())) + READY


@asynccontextmanager
async def web_process(
    folder: Path,
    script: Script = echo,
    owner: int | None = None,
    *,
    gateway_up: bool = True,
    also: str = "",
) -> AsyncIterator[WebProcess]:
    """Start `python -I -m wirken.web` with everything inherited, wait until it is ready."""
    gateway = StubGateway(folder / "gateway.sock", script)
    if gateway_up:
        await gateway.start()
    control, child_control = socket.socketpair()
    vault, child_vault = socket.socketpair()
    threading.Thread(target=answer_identity, args=(vault, gateway.identity), daemon=True).start()
    listeners = [socket.create_server(("127.0.0.1", 0)), socket.create_server(("::1", 0), family=socket.AF_INET6)]
    tables = [os.open(f"/proc/net/{name}", os.O_RDONLY) for name in ("tcp", "tcp6")]
    inherited = [child_control.fileno(), child_vault.fileno(), *(one.fileno() for one in listeners), *tables]
    options = ["--data", str(folder), "--control-fd", str(inherited[0]), "--vault-fd", str(inherited[1])]
    options += ["--gateway-socket", str(gateway.path), "--listen-fds", f"{inherited[2]},{inherited[3]}"]
    options += ["--tcp-table-fds", f"{tables[0]},{tables[1]}"]
    options += ["--owner-uid", str(os.getuid() if owner is None else owner)]
    options += ["--also-uids", also] if also else []
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-m", "wirken.web", *options, env={}, pass_fds=inherited, stderr=asyncio.subprocess.PIPE
    )
    child_control.close()
    child_vault.close()
    control.setblocking(False)
    running = WebProcess(gateway, process, control, tuple(one.getsockname()[1] for one in listeners))
    try:
        if gateway_up:
            await asyncio.wait_for(_ready(control), limits.READY_TIME)
        yield running
    finally:
        control.close()
        if process.returncode is None:
            process.kill()
        await process.communicate()
        await gateway.stop()
        for one in listeners:
            one.close()
        for table in tables:
            os.close(table)
