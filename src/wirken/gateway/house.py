"""Puts the gateway's parts together, opens for business, and closes in order."""

from __future__ import annotations

import asyncio
import logging
import os
import socket

import msgspec

from wirken import __version__
from wirken.config.load import Loaded
from wirken.config.paths import Paths
from wirken.config.policy_file import Organisation
from wirken.config.programs import programs
from wirken.domain.actions import Allowed, NeedsApproval, Verdict
from wirken.domain.clock import Clock
from wirken.domain.events import ConfigurationRead, GatewayStarted, GatewayStopped, Trust
from wirken.domain.ids import ActionKey
from wirken.gateway.agent.dispatch import Dispatcher
from wirken.gateway.agent.model import Answer, ask_model
from wirken.gateway.agent.seat import Seat
from wirken.gateway.agent.turn import TurnRunner
from wirken.gateway.approvals import Approvals
from wirken.gateway.bounds import Bounds
from wirken.gateway.channels import Channels
from wirken.gateway.deliveries import Deliveries
from wirken.gateway.desk import Desk
from wirken.gateway.door import Door
from wirken.gateway.egress.parts import put_together
from wirken.gateway.egress.redirects import Rules
from wirken.gateway.flagging import warnings
from wirken.gateway.grants import Grants
from wirken.gateway.homes import homes
from wirken.gateway.hub import Hub
from wirken.gateway.inbox import Inbox
from wirken.gateway.intake import Intake
from wirken.gateway.log import AuditLog
from wirken.gateway.operations import Operations
from wirken.gateway.people import People
from wirken.gateway.placing import Placing
from wirken.gateway.posting import Posting
from wirken.gateway.reaching import Reaches
from wirken.gateway.reception import UNKNOWN, Reception
from wirken.gateway.router import Router
from wirken.gateway.seating import Seating
from wirken.gateway.senders import SenderStore
from wirken.gateway.sessions import Session, Sessions
from wirken.gateway.spoken import Spoken
from wirken.gateway.store import StateStore
from wirken.gateway.tools.carry import Carrier
from wirken.gateway.tools.catalogue import catalogue
from wirken.gateway.tools.skills import tools_of
from wirken.gateway.turns import Turns
from wirken.gateway.wings import Wings
from wirken.ipc.frames import Delta
from wirken.ipc.handshake import Identity
from wirken.ipc.lifeline import Lifeline
from wirken.ipc.lockout import Lockout
from wirken.permissions.decide import decide
from wirken.permissions.findings import Judged
from wirken.permissions.gates import gates
from wirken.record.reader import RecordReader
from wirken.skills.loader import skills_in

_log = logging.getLogger("wirken.gateway")


class House:
    """The gateway's parts. `failed` is set when it must end because it cannot go on safely."""

    def __init__(
        self,
        paths: Paths,
        loaded: Loaded,
        policy: Organisation | None,
        clock: Clock,
        lifeline: Lifeline,
        reaches: Reaches,
        roots: tuple[str, ...],
        tools: str = "",
    ) -> None:
        """`roots`: below these a call may be given a path; `tools`: whose programs commands get, else the machine's."""
        self.paths, self.loaded, self.clock, self.lifeline = paths, loaded, clock, lifeline
        self.failed = asyncio.Event()
        self.without: tuple[str, ...] = ()
        """Walls of our own processes that are missing here, for the record."""
        self.hub, self.wings, self.programs = Hub(), Wings(), programs(tools)
        self.log = AuditLog(self.paths.audit_db, self.clock, self.failed.set)
        self.operations = Operations(self.log, self.lifeline.vault)
        self.store = StateStore(self.paths.state_db)
        self.people = People(SenderStore(self.paths.state_db), self.log, self.clock)
        self.router = Router(self.loaded.config, self.paths, tools)
        self.approvals = Approvals(self.hub, self.store, self.clock, self.log, homes(self.loaded.config))
        skills, troubles = tools_of(skills_in(self.paths.skills_dir))
        catalogued = catalogue() | skills
        for trouble in troubles:
            _log.warning("a skill is left out: %s", trouble)
        self.bounds = Bounds(self.loaded.config, policy, catalogued, self.log, self.clock)
        sessions = Sessions(self.log)
        placing = Placing(self.loaded.config, self.router, roots, self.programs, catalogued)
        rules = Rules(placing, self._decide, self.approvals, self.loaded.config.http_credentials)
        self.egress = put_together(loaded.config, self.log, clock, self.wings, sessions, rules, self.store)
        channels = Channels(self.hub, clock)
        carrier = Carrier(self.wings, reaches, self.egress.calls, Posting(channels))
        dispatcher = Dispatcher(self.log, catalogued, self._decide, self.approvals, carrier, placing)
        self.turns = Turns(
            sessions=sessions,
            seating=Seating(self.router, self.people, catalogued, self._runner_known),
            hub=self.hub,
            runner=TurnRunner(dispatcher, self._ask, self.clock, self.bounds.model, self.bounds.prices),
            vault=self.lifeline.vault,
            failed=self.failed.set,
            unrecovered=set(self.log.unfinished()),
        )
        self.inbox = Inbox(self.router, self.wings, sessions, self.turns.start)
        self.intake = self._intake()
        self.deliveries = Deliveries(
            sessions, channels, self.people, lifeline.vault, clock, self.turns.start, self.failed.set
        )
        self.desk = self._desk()
        self.reception = self._reception()

    def _intake(self) -> Intake:
        return Intake(
            log=self.log,
            sessions=self.turns.sessions,
            router=self.router,
            seating=self.turns.seating,
            bounds=self.bounds,
            hub=self.hub,
            vault=self.lifeline.vault,
            turns=self.turns,
            inbox=self.inbox,
        )

    def _reception(self) -> Reception:
        return Reception(
            hub=self.hub,
            intake=self.intake,
            people=self.people,
            approvals=self.approvals,
            spoken=Spoken(self.intake, self.approvals, self.store),
            deliveries=self.deliveries,
            desk=self.desk,
            wings=self.wings,
            egress=self.egress,
            sandbox_off=self.loaded.config.sandbox.mode == "off",
        )

    def _desk(self) -> Desk:
        return Desk(
            paths=self.paths,
            log=self.log,
            operations=self.operations,
            store=self.store,
            approvals=self.approvals,
            grants=Grants(self.store, self.turns.sessions, self.log, self.clock, self.router, self.people),
            people=self.people,
            bounds=self.bounds,
            deliveries=self.deliveries,
            turns=self.turns,
            router=self.router,
            wings=self.wings,
            vault=self.lifeline.vault,
            clock=self.clock,
            started=self.clock.now(),
            sandbox=UNKNOWN,
        )

    async def run(self, listener: socket.socket, operators: socket.socket, owner_uid: int) -> None:
        """Serve until the supervisor says stop or the record fails."""
        observers = (self.hub.committed, self.bounds.committed, self.operations.committed, self.deliveries.committed)
        self.log.observers.extend(observers)
        await asyncio.to_thread(self._count)
        self.log.start()
        await self._opened()
        door = self._door(await self.lifeline.identity(), owner_uid)
        await self.operations.attest()
        loop = asyncio.get_running_loop()
        serving = [
            loop.create_task(door.serve(listener, operators=False)),
            loop.create_task(door.serve(operators, operators=True)),
        ]
        recovering = loop.create_task(self.turns.recover(self.deliveries.start))
        giving_up = loop.create_task(self.inbox.give_up(tuple(self.turns.unrecovered)))
        aside = (recovering, giving_up, loop.create_task(self.operations.keep_attested()))
        self.lifeline.ready()
        ends = [
            loop.create_task(self.lifeline.stopping.wait()),
            loop.create_task(self.failed.wait()),
            *serving,
        ]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for task in (*ends, *aside):
            task.cancel()
        if self.failed.is_set():
            self.turns.start_nothing_more()
        else:
            await self._closed()

    def _count(self) -> None:
        """Read from the record what is used of the budgets. Raises `RecordDamaged`."""
        since = self.bounds.counted_since
        if since is not None:
            reader = RecordReader(self.paths.audit_db)
            try:
                self.bounds.read(reader.since(since))
            finally:
                reader.close()

    async def _opened(self) -> None:
        config = self.loaded.config
        await self.operations.record(
            (Trust.GATEWAY, GatewayStarted(version=__version__, config_sha256=self.loaded.sha256)),
            (
                Trust.OWNER,
                ConfigurationRead(
                    config_sha256=self.loaded.sha256,
                    agents=tuple(config.agents),
                    models=tuple(agent.model for agent in config.agents.values()),
                    policy_sha256=self.bounds.policy_sha256,
                    walls_missing=self.without,
                ),
            ),
        )

    async def _closed(self) -> None:
        await self.deliveries.close()
        await self.turns.close()
        await self.egress.roles.flush()
        await self.operations.record((Trust.GATEWAY, GatewayStopped(reason="asked to stop")))
        await self.operations.attest()
        self.log.close()
        self.people.store.close()
        self.store.close()

    def _door(self, identity: Identity, owner_uid: int) -> Door:
        return Door(
            operations=self.operations,
            lifeline=self.lifeline,
            seed=identity,
            lockout=Lockout(self.clock),
            owner_uid=owner_uid,
            own_uid=os.getuid(),
            receiver_for=self.reception.receiver_for,
            welcome=self.reception.welcome,
        )

    # --- ports ----------------------------------------------------------------------------------------

    async def _runner_known(self) -> None:
        await self.reception.runner_known()

    def _decide(self, found: Judged, seat: Seat) -> Verdict:
        now = self.clock.now()
        bounding = gates(self.bounds.snapshot(found.call))

        def granted(key: ActionKey) -> bool:
            return self.store.is_granted(seat.holder, key, now, seat.session)

        verdict = decide(found, bounding, granted)
        if isinstance(verdict, Allowed) and verdict.rule == "grant":
            self.store.use(seat.holder, verdict.keys, now, seat.session)
        return self._warned(verdict, seat)

    def _warned(self, verdict: Verdict, seat: Seat) -> Verdict:
        """Tell a person who is asked what looked suspicious in what the model has read."""
        session = self.turns.sessions.in_memory(seat.session)
        if session is None or not isinstance(verdict, NeedsApproval):
            return verdict
        return msgspec.structs.replace(verdict, reasons=(*verdict.reasons, *warnings(tuple(session.flags))))

    async def _ask(self, seat: Seat, session: Session, messages: bytes, tools: bytes) -> Answer:
        def shown(text: str) -> None:
            self.hub.tell(session.id, Delta(session.id, text))

        return await ask_model(self.wings, seat, messages, tools, shown)
