"""A real gateway, a platform's simulator, and between them the platform's adapter in a process that may be killed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from tests.support.channel_child import Order
from tests.support.channel_rig import Called, Rig, Seen
from tests.support.gateway_bench import Bench, bench, facts, identity_of
from tests.support.scripted_wings import Step

from wirken.config.model import Config
from wirken.domain.events import DeliveryConfirmed, DeliveryFailed, Fact, TurnEnded, TurnStarted, UserMessageFact
from wirken.ipc.calls.channels import ChannelRow, ChannelRows, ShowChannels
from wirken.ipc.calls.operator import Acknowledged
from wirken.ipc.calls.senders import AllowSender

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0
"""Seconds that a test waits for what must happen, on a machine with much else to do."""
FASTER = 20.0
"""How much faster time runs for what the adapter waits."""


@dataclass
class ChannelBench:
    """`process` is the adapter, if it lives."""

    at: Bench
    rig: Rig
    folder: Path
    process: asyncio.subprocess.Process | None = None

    @property
    def channel(self) -> str:
        return self.rig.kind.CHANNEL

    # --- the adapter ----------------------------------------------------------------------------------

    async def starts(self) -> None:
        """Start the adapter; it connects by itself."""
        identity = await identity_of(self.at.vault, f"channel-{self.channel}")
        order = Order(
            channel=self.channel,
            module=self.rig.module,
            settings=dict(self.rig.settings),
            secrets=dict(self.rig.secrets),
            state=str(self.folder / "state"),
            gateway=str(self.at.paths.gateway_socket),
            seed=identity.seed.reveal().hex(),
            gateway_key=identity.gateway_key.hex(),
            faster=FASTER,
            port=self.rig.callback if isinstance(self.rig, Called) else 0,
        )
        (self.folder / "state").mkdir(exist_ok=True)
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.support.channel_child", stdin=asyncio.subprocess.PIPE, cwd=ROOT
        )
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        await self.process.stdin.drain()
        self.process.stdin.close()

    async def dies(self) -> None:
        """SIGKILL."""
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()
        self.process = None

    async def connected(self) -> None:
        """Return once the gateway has heard that the platform is there."""
        await self.until_known(lambda row: row.connected)

    async def until_known(self, so: Callable[[ChannelRow], bool]) -> ChannelRow:
        """Wait until what the gateway knows of the channel is so."""
        async with self.at.operator() as owner, asyncio.timeout(PATIENCE):
            while True:
                rows = await owner.link.call(ShowChannels(), ChannelRows)
                for row in rows.channels:
                    if row.channel == self.channel and so(row):
                        return row
                await asyncio.sleep(0.02)

    # --- people ---------------------------------------------------------------------------------------

    async def admits(self, user: str, role: str = "owner") -> None:
        name = "owner" if role == "owner" else user
        wanted = AllowSender(channel=self.channel, sender=self.rig.sender(user), principal=name, role=role)
        async with self.at.operator() as owner:
            await owner.link.call(wanted, Acknowledged)

    async def until_seen(self, user: str, so: Callable[[tuple[Seen, ...]], bool]) -> tuple[Seen, ...]:
        """Wait until what a user sees is so."""
        async with asyncio.timeout(PATIENCE):
            while not so(seen := self.rig.seen(user)):
                await asyncio.sleep(0.02)
        return seen

    async def until_acknowledged(self, platform_id: str) -> None:
        if not self.rig.can.acknowledges:
            return
        async with asyncio.timeout(PATIENCE):
            while not self.rig.acknowledged(platform_id):
                await asyncio.sleep(0.02)

    # --- the record -----------------------------------------------------------------------------------

    def session(self, user: str) -> str:
        return f"default/{self.channel}/{self.rig.conversation(user)}"

    def rows(self, user: str) -> list[Fact]:
        return facts(self.at.paths.audit_db, self.session(user))

    def heard(self, user: str) -> list[UserMessageFact]:
        return [fact for fact in self.rows(user) if isinstance(fact, UserMessageFact)]

    async def until_rows(self, user: str, kind: type[Fact], count: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while sum(isinstance(fact, kind) for fact in self.rows(user)) < count:
                await asyncio.sleep(0.02)

    async def answered(self, user: str, messages: int = 1) -> None:
        """Wait until each message has its answer on the platform; then check that each has one turn and one answer."""
        await self.until_rows(user, DeliveryConfirmed, messages)
        await self.at.rest(self.session(user))
        rows = self.rows(user)
        kinds = (UserMessageFact, TurnStarted, TurnEnded, DeliveryConfirmed, DeliveryFailed)
        counted = [sum(isinstance(fact, kind) for fact in rows) for kind in kinds]
        assert counted == [messages, messages, messages, messages, 0], counted
        about = [fact.about_seq for fact in rows if isinstance(fact, DeliveryConfirmed)]
        assert len(set(about)) == messages


@contextlib.asynccontextmanager
async def channel_bench(
    folder: Path, rig: Rig, *script: Step, config: Config | None = None, admit: str = "alice"
) -> AsyncIterator[ChannelBench]:
    """Run all three; one user is admitted as the owner. The adapter is connected to its platform."""
    async with bench(folder, *script, config=config) as at:
        made = ChannelBench(at, rig, folder)
        try:
            await made.admits(admit)
            await made.starts()
            await made.connected()
            yield made
        finally:
            rig.releases()
            if made.process is not None:
                await made.dies()
