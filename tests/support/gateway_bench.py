"""The gateway's whole house in the test's own loop: real record, real vault, real sockets and handshakes.

Only what stands behind the links of outbound and runner is scripted.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import apsw
from tests.support.scripted_wings import Runs, ScriptedModel, ScriptedRunner, Step, Wing, runs_well
from tests.support.vault_thread import VaultThread

from wirken.cli.gateway import Gateway, connected
from wirken.config.load import Loaded
from wirken.config.model import Config
from wirken.config.paths import Paths
from wirken.config.policy_file import Organisation
from wirken.domain.actions import Place
from wirken.domain.clock import Clock, SystemClock
from wirken.domain.events import Fact
from wirken.domain.ids import RoleName, SessionId
from wirken.domain.secret import Secret
from wirken.gateway.house import House
from wirken.gateway.router import RUNNER
from wirken.ipc import handshake
from wirken.ipc.calls.operator import ApprovalRow, ApprovalRows, PendingApprovals
from wirken.ipc.calls.vault import AgentKey, HeadReply, Identity, IdentityReply, KeyReply, LastHead
from wirken.ipc.frames import Accepted, Conversing, Inbound, Over, Rejected
from wirken.ipc.lifeline import NEW_PAIR, Lifeline
from wirken.ipc.vault_client_async import AsyncVaultClient
from wirken.record.canonical import decode
from wirken.record.reader import RecordReader
from wirken.record.verify import Known, Report, Status, verify_session

PATIENCE = 30.0
"""Seconds that a test waits for what must happen."""


@dataclass
class Bench:
    """A gateway that runs. `model` and `runner` are the processes behind it."""

    house: House
    paths: Paths
    vault: VaultThread
    control: socket.socket
    model: ScriptedModel
    runner: ScriptedRunner
    running: asyncio.Task[None]
    web: Wing
    _numbers: int = 0

    # --- conversing -----------------------------------------------------------------------------------

    def message(self, text: str, conversation: str = "c", **more: object) -> Inbound:
        self._numbers += 1
        given = {"platform_id": f"m{self._numbers}", "interactive": False, **more}
        return Inbound(conversation=conversation, text=text, **given)  # type: ignore[arg-type]  # Inbound's fields

    def operator(self) -> AbstractAsyncContextManager[Gateway]:
        return connected(self.paths.operator_socket)

    async def say(self, text: str, conversation: str = "c", **more: object) -> list[Conversing]:
        """Say something as the owner's terminal; return all frames up to the end of its turn."""
        async with connected(self.paths.operator_socket) as gateway:
            return await self.spoken(gateway, self.message(text, conversation, **more))

    async def spoken(self, gateway: Gateway, message: Inbound) -> list[Conversing]:
        gateway.link.send(message)
        frames: list[Conversing] = []
        async with asyncio.timeout(PATIENCE):
            while True:
                frames.append(await gateway.frame())
                match frames[-1]:
                    case Rejected():
                        return frames
                    case Over(platform_id=platform_id) if platform_id == message.platform_id:
                        return frames
                    case _:
                        pass

    async def accepted(self, gateway: Gateway, message: Inbound) -> Accepted:
        """Send a message and return its acknowledgement."""
        gateway.link.send(message)
        async with asyncio.timeout(PATIENCE):
            while True:
                frame = await gateway.frame()
                assert not isinstance(frame, Rejected), frame
                if isinstance(frame, Accepted) and frame.platform_id == message.platform_id:
                    return frame

    async def over(self, gateway: Gateway, message: Inbound) -> Over:
        """Return the end of a message's turn."""
        async with asyncio.timeout(PATIENCE):
            while True:
                frame = await gateway.frame()
                if isinstance(frame, Over) and frame.platform_id == message.platform_id:
                    return frame

    async def pending(self, gateway: Gateway) -> ApprovalRow:
        """Return the first question that waits for a person."""
        async with asyncio.timeout(PATIENCE):
            while not (rows := await gateway.link.call(PendingApprovals(), ApprovalRows)).approvals:
                await asyncio.sleep(0.005)
        return rows.approvals[0]

    @contextmanager
    def disk_stands_still(self) -> Iterator[None]:
        """Hold the record's lock: nothing is committed inside the block."""
        db = apsw.Connection(str(self.paths.audit_db))
        db.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            db.execute("ROLLBACK")
            db.close()

    # --- looking --------------------------------------------------------------------------------------

    def facts(self, session: str = "default/terminal/c") -> list[Fact]:
        return facts(self.paths.audit_db, session)

    def kinds(self, session: str = "default/terminal/c") -> list[str]:
        return [kind(fact) for fact in self.facts(session)]

    async def verify(self, session: str = "default/terminal/c") -> Report:
        """Verify against the agent's key and last head, which the vault is asked for on a pair of its own.

        Waits, `PATIENCE` at most, for deliveries to a platform and for the signature over them.
        """
        await self.rest(session)
        return await verified(self.paths.audit_db, self.vault, session)

    async def rest(self, session: str) -> None:
        """Return once nothing of a session waits to be delivered or attested, or `PATIENCE` is over."""
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while asyncio.get_running_loop().time() < deadline:
            found = self.house.turns.sessions.in_memory(SessionId(session))
            if found is None or not (found.outbox.waiting or found.unattested):
                await self.house.log.flushed()  # a session is ahead of the disk
                return
            await asyncio.sleep(0.002)

    # --- the vault ------------------------------------------------------------------------------------

    def lose_vault(self) -> None:
        self.vault.stop()

    def new_vault(self) -> None:
        """Start a vault again and hand the gateway a pair with it, as the supervisor does."""
        self.vault = VaultThread(self.paths.vault_dir)
        pair = self.vault.pair("gateway")
        socket.send_fds(self.control, [NEW_PAIR], [pair.fileno()])
        pair.close()

    async def stop(self) -> None:
        """Say stop, as the supervisor does, and return once the gateway has ended."""
        self.control.shutdown(socket.SHUT_RDWR)
        async with asyncio.timeout(PATIENCE):
            await self.running


def kind(fact: Fact) -> str:
    return str(type(fact).__struct_config__.tag)


def facts(database: Path, session: str) -> list[Fact]:
    reader = RecordReader(database)
    try:
        return [decode(row.payload).fact for row in reader.rows(session)]
    finally:
        reader.close()


async def verified(database: Path, vault: VaultThread, session: str) -> Report:
    client = AsyncVaultClient(vault.pair("gateway"))
    try:
        key = await client.call(AgentKey(session.split("/")[0]), KeyReply)
        head = await client.call(LastHead(session), HeadReply)
    finally:
        client.close()
    reader = RecordReader(database)
    try:
        known = Known(key.key, True, head.seq, head.head)
        return verify_session(session, reader.rows(session), known)  # type: ignore[arg-type]  # a session's id
    finally:
        reader.close()


async def settled(database: Path, vault: VaultThread, session: str) -> Report:
    """As `verified`, once every row is attested, or after `PATIENCE`: deliveries are signed after the turn is over."""
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while (report := await verified(database, vault, session)).status is Status.UNVERIFIABLE:
        if asyncio.get_running_loop().time() > deadline:
            break
        await asyncio.sleep(0.02)
    return report


async def identity_of(vault: VaultThread, role: str) -> handshake.Identity:
    client = AsyncVaultClient(vault.pair(role))
    try:
        reply = await client.call(Identity(), IdentityReply)
        return handshake.Identity(RoleName(role), Secret(reply.seed), reply.gateway_key)
    finally:
        client.close()


def listener(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(path))
    sock.listen(64)
    return sock


class TheOneRunner:
    """Gives the scripted runner for calls that reach outside, too."""

    @asynccontextmanager
    async def runner(self, place: Place) -> AsyncIterator[RoleName]:
        yield RUNNER


@asynccontextmanager
async def bench(
    folder: Path,
    *script: Step,
    config: Config | None = None,
    behave: Runs = runs_well,
    owner_uid: int | None = None,
    wings: bool = True,
    policy: Organisation | None = None,
    reach: tuple[str, ...] = (),
    clock: Clock | None = None,
    without: tuple[str, ...] = (),
) -> AsyncIterator[Bench]:
    """Run a gateway on `folder`, which may hold the record and the vault of an earlier one."""
    paths = Paths(folder)
    for place in (paths.gateway_dir, paths.vault_dir, paths.sockets_dir):
        place.mkdir(parents=True, exist_ok=True)
    vault = VaultThread(paths.vault_dir)
    control, theirs = socket.socketpair()
    lifeline = Lifeline(theirs.detach(), vault.pair("gateway").detach())
    loaded = Loaded(config or Config(), "0" * 64)
    house = House(paths, loaded, policy, clock or SystemClock(), lifeline, TheOneRunner(), reach)
    house.without = without
    gateway, operators = listener(paths.gateway_socket), listener(paths.operator_socket)
    uid = os.getuid() if owner_uid is None else owner_uid
    running = asyncio.get_running_loop().create_task(house.run(gateway, operators, uid))
    model = ScriptedModel(await identity_of(vault, "outbound"), paths.gateway_socket)
    model.script.extend(script)
    runner = ScriptedRunner(await identity_of(vault, "runner"), paths.gateway_socket, behave)
    web = Wing(await identity_of(vault, "web"), paths.gateway_socket)
    made = Bench(house, paths, vault, control, model, runner, running, web)
    try:
        if wings:
            await runner.start()
            await model.start()
        yield made
    finally:
        if not running.done():
            if control.fileno() != -1:
                control.shutdown(socket.SHUT_RDWR)
            await asyncio.wait([running], timeout=PATIENCE)
        for wing in (model, runner, web):
            await wing.stop()
        lifeline.vault.close()
        lifeline._control.close()
        control.close()
        gateway.close()
        operators.close()
        made.vault.stop()
