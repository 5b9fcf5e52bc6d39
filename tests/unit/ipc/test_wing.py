from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.linked import Answer, Question, Scripted, until
from tests.support.vault_parts import SetClock
from tests.support.vault_thread import VaultThread

from wirken.domain.errors import ProtocolError
from wirken.domain.ids import RoleName
from wirken.domain.secret import Secret
from wirken.ipc.calls.vault import Identity, IdentityReply, KeyReply, PeerKey
from wirken.ipc.lifeline import READY, Lifeline
from wirken.ipc.link import Link
from wirken.ipc.lockout import Lockout
from wirken.ipc.peer import adopt, meet
from wirken.ipc.vault_client_async import AsyncVaultClient
from wirken.ipc.wing import options, stay_dialled


class Gateway:
    """A gateway's listener that can go away and come back."""

    def __init__(self, path: Path, vault: VaultThread) -> None:
        self._path = path
        self._vault = vault
        self.links: list[Link] = []
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self._path.unlink(missing_ok=True)
        listener.bind(str(self._path))
        listener.listen()
        self._serving = asyncio.ensure_future(self._serve(listener))

    async def stop(self) -> None:
        """Close the listener and every link."""
        if self._serving is not None:
            self._serving.cancel()
            await asyncio.wait({self._serving})
        for link in self.links:
            link.close()
            await link.closed.wait()

    async def _serve(self, listener: socket.socket) -> None:
        vault = AsyncVaultClient(self._vault.pair("gateway"))

        async def key_of(role: RoleName) -> bytes:
            return (await vault.call(PeerKey(role), KeyReply)).key

        try:
            seed = Secret((await vault.call(Identity(), IdentityReply)).seed)
            while True:
                sock, _ = await asyncio.get_running_loop().sock_accept(listener)
                with contextlib.ExitStack() as undo, contextlib.suppress(ProtocolError):
                    undo.callback(sock.close)
                    role = await meet(sock, seed, key_of, Lockout(SetClock()))
                    self.links.append(adopt(sock, role, Scripted()))
                    undo.pop_all()
        finally:
            listener.close()
            vault.close()


def closed(lifeline: Lifeline) -> None:
    asyncio.get_running_loop().remove_reader(lifeline._control)
    lifeline._control.close()
    lifeline.vault.close()


class Wing:
    """One dialling process's loop, run in the test's."""

    def __init__(self, path: Path, vault: VaultThread) -> None:
        self.supervisor, theirs = socket.socketpair()
        self.supervisor.setblocking(False)
        self.lifeline = Lifeline(theirs.detach(), vault.pair("runner").detach())
        self.links: list[Link] = []
        self.task = asyncio.ensure_future(stay_dialled(self.lifeline, path, Scripted(), self.links.append))

    def is_ready(self) -> bool:
        with contextlib.suppress(BlockingIOError):
            return self.supervisor.recv(16) == READY
        return False


@contextlib.asynccontextmanager
async def wing(path: Path, vault: VaultThread) -> AsyncIterator[Wing]:
    made = Wing(path, vault)
    try:
        yield made
    finally:
        made.supervisor.close()
        async with asyncio.timeout(5):
            await made.task
        for link in made.links:
            await link.closed.wait()
        closed(made.lifeline)


@pytest.fixture
async def vault(tmp_path: Path) -> AsyncIterator[VaultThread]:
    thread = VaultThread(tmp_path / "vault")
    yield thread
    thread.stop()


async def test_a_wing_proves_itself_and_is_ready_once_it_is_linked(tmp_path: Path, vault: VaultThread) -> None:
    gateway = Gateway(tmp_path / "g", vault)
    await gateway.start()
    async with wing(tmp_path / "g", vault) as runner:
        await until(runner.is_ready)
        assert await runner.links[0].call(Question("echo", "hi"), Answer) == Answer("hi")
        assert gateway.links[0].peer == "runner"
    await gateway.stop()


async def test_a_wing_waits_for_a_gateway_that_is_not_there_yet(tmp_path: Path, vault: VaultThread) -> None:
    gateway = Gateway(tmp_path / "g", vault)
    async with wing(tmp_path / "g", vault) as runner:
        await asyncio.sleep(0.15)
        assert not runner.is_ready()
        await gateway.start()
        await until(runner.is_ready)
    await gateway.stop()


async def test_a_wing_comes_back_after_the_gateway_restarts_and_is_ready_once_only(
    tmp_path: Path, vault: VaultThread
) -> None:
    first, second = (Gateway(tmp_path / "g", vault) for _ in range(2))
    await first.start()
    async with wing(tmp_path / "g", vault) as runner:
        await until(runner.is_ready)
        await first.stop()
        await second.start()
        await until(lambda: len(runner.links) == 2)
        assert await runner.links[1].call(Question("echo", "again"), Answer) == Answer("again")
        assert runner.links[0].closed.is_set()
        assert not runner.is_ready()
    await second.stop()


async def test_the_order_to_stop_ends_a_wing_that_is_linked_dialling_or_waiting_for_its_identity(
    tmp_path: Path, vault: VaultThread
) -> None:
    gateway = Gateway(tmp_path / "g", vault)
    await gateway.start()
    async with wing(tmp_path / "g", vault) as linked:
        await until(linked.is_ready)
    async with wing(tmp_path / "nobody", vault) as dialling:
        await asyncio.sleep(0.05)
        assert not dialling.links
    async with wing(tmp_path / "g", vault) as just_started:
        assert not just_started.links
    await gateway.stop()


def test_the_options_are_those_the_supervisor_gives() -> None:
    words = "--data /d --gateway-socket /d/g --control-fd 3 --vault-fd 4".split()
    given = options("runner").parse_args(words)
    assert (given.data, given.gateway_socket, given.control_fd, given.vault_fd) == (Path("/d"), Path("/d/g"), 3, 4)
    with pytest.raises(SystemExit):
        options("runner").parse_args(words[:-2])
