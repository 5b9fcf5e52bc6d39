from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.linked import until
from tests.support.vault_thread import VaultThread

from wirken.domain.ids import RoleName
from wirken.ipc.calls.vault import Identity, IdentityReply
from wirken.ipc.handshake import public_key
from wirken.ipc.lifeline import NEW_PAIR, READY, Lifeline
from wirken.ipc.vault_wire import VaultLost


@pytest.fixture
def supervisor() -> Iterator[tuple[socket.socket, int]]:
    """The supervisor's end of a control pair, and the child's descriptor, which the child then owns."""
    ours, theirs = socket.socketpair()
    ours.settimeout(5)
    with ours:
        yield ours, theirs.detach()


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[VaultThread]:
    thread = VaultThread(tmp_path)
    yield thread
    thread.stop()


def ended(lifeline: Lifeline) -> None:
    """Close what a process would leave to the kernel."""
    asyncio.get_running_loop().remove_reader(lifeline._control)
    lifeline._control.close()
    lifeline.vault.close()


async def test_readiness_is_one_byte(supervisor: tuple[socket.socket, int], vault: VaultThread) -> None:
    ours, theirs = supervisor
    lifeline = Lifeline(theirs, vault.pair("runner").detach())
    lifeline.ready()
    assert ours.recv(16) == READY == b"R"
    assert not lifeline.stopping.is_set()
    ended(lifeline)


async def test_end_of_file_is_the_order_to_stop(supervisor: tuple[socket.socket, int], vault: VaultThread) -> None:
    ours, theirs = supervisor
    lifeline = Lifeline(theirs, vault.pair("runner").detach())
    ours.shutdown(socket.SHUT_WR)
    async with asyncio.timeout(5):
        await lifeline.stopping.wait()
    ended(lifeline)


async def test_a_supervisor_that_died_is_an_order_to_stop_and_not_a_crash(
    supervisor: tuple[socket.socket, int], vault: VaultThread
) -> None:
    ours, theirs = supervisor
    lifeline = Lifeline(theirs, vault.pair("runner").detach())
    ours.close()
    lifeline.ready()
    async with asyncio.timeout(5):
        await lifeline.stopping.wait()
    ended(lifeline)


async def test_the_identity_comes_from_the_vault_and_belongs_to_the_pair(
    supervisor: tuple[socket.socket, int], vault: VaultThread
) -> None:
    _, theirs = supervisor
    lifeline = Lifeline(theirs, vault.pair("runner").detach())
    identity = await lifeline.identity()
    assert identity.role == RoleName("runner")
    assert len(identity.gateway_key) == len(public_key(identity.seed)) == 32
    ended(lifeline)


async def test_a_restarted_vault_is_reached_over_the_pair_that_the_supervisor_sends(
    supervisor: tuple[socket.socket, int], tmp_path: Path
) -> None:
    ours, theirs = supervisor
    first = VaultThread(tmp_path)
    lifeline = Lifeline(theirs, first.pair("runner").detach())
    before = await lifeline.identity()
    first.stop()
    with pytest.raises(VaultLost):
        await lifeline.vault.call(Identity(), IdentityReply)
    waiting = asyncio.ensure_future(lifeline.identity())
    await asyncio.sleep(0.05)
    assert not waiting.done()
    second = VaultThread(tmp_path)
    with second.pair("runner") as pair:
        socket.send_fds(ours, [NEW_PAIR], [pair.fileno()])
    async with asyncio.timeout(5):
        after = await waiting
    assert (after.role, public_key(after.seed)) == (before.role, public_key(before.seed))
    ended(lifeline)
    second.stop()


async def test_other_bytes_of_the_supervisor_mean_nothing(
    supervisor: tuple[socket.socket, int], vault: VaultThread
) -> None:
    ours, theirs = supervisor
    lifeline = Lifeline(theirs, vault.pair("runner").detach())
    ours.send(b"xyz" + NEW_PAIR)
    await asyncio.sleep(0.02)
    assert not lifeline.stopping.is_set()
    assert (await lifeline.identity()).role == "runner"
    ours.close()
    await until(lifeline.stopping.is_set)
    ended(lifeline)
