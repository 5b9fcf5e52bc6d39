"""Answers the questions of terminals and the page, each within its role."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass

import msgspec

from wirken import __version__
from wirken.config.paths import Paths
from wirken.domain import limits
from wirken.domain.clock import Clock
from wirken.domain.errors import Refused, WirkenError
from wirken.domain.events import SessionClosed, Trust
from wirken.domain.ids import (
    OPERATIONS,
    OWNER,
    SessionId,
    parse_session,
)
from wirken.domain.people import THE_OWNER
from wirken.gateway.agent.attest import AsksVault
from wirken.gateway.answers import Answerer
from wirken.gateway.approvals import Approvals
from wirken.gateway.bounds import Bounds
from wirken.gateway.deliveries import Deliveries
from wirken.gateway.grants import Grants
from wirken.gateway.log import AuditLog
from wirken.gateway.operations import Operations
from wirken.gateway.people import People
from wirken.gateway.router import Router
from wirken.gateway.store import StateStore
from wirken.gateway.turns import Turns
from wirken.gateway.wings import Wings
from wirken.ipc.calls import operator as ask
from wirken.ipc.calls.channels import ChannelRow, ChannelRows, ShowChannels
from wirken.ipc.calls.policy import ShowPolicy
from wirken.ipc.calls.runner import SandboxReport
from wirken.ipc.calls.senders import AllowSender, BlockSender, ListSenders, OfferPairing, RemoveSender
from wirken.ipc.calls.vault import AgentKey, HeadReply, KeyReply, LastHead, VaultReport, VaultStatus
from wirken.record.canonical import title_of
from wirken.record.reader import RecordReader
from wirken.record.verify import Known, Report, Status, verify_session


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks. `only` names the one channel whose sessions may be seen; empty for the operator."""

    surface: str
    only: str = ""

    @property
    def answerer(self) -> Answerer:
        """The owner, who sits there."""
        return Answerer(THE_OWNER, self.surface, self.only)


@dataclass(slots=True)
class Desk:
    """`sandbox` is what the runner reported last."""

    paths: Paths
    log: AuditLog
    operations: Operations
    store: StateStore
    approvals: Approvals
    grants: Grants
    people: People
    bounds: Bounds
    deliveries: Deliveries
    turns: Turns
    router: Router
    wings: Wings
    vault: AsksVault
    clock: Clock
    started: int
    sandbox: SandboxReport

    async def answer(self, question: ask.OperatorQuestion, asker: Asker) -> msgspec.Struct:
        """Answer one question. Raises `Refused` and what the parts raise."""
        match question:
            case ask.ListSessions(channel):
                return await asyncio.to_thread(self._sessions, asker.only or channel)
            case ask.ReadRows(session, first_seq):
                return await asyncio.to_thread(self._rows, self._allowed(session, asker), first_seq)
            case ask.VerifySession(session):
                return await self._verify(self._allowed(session, asker))
            case ask.CloseSession(session):
                return await self._close(self._allowed(session, asker))
            case ask.PendingApprovals() | ask.WatchApprovals() | ask.AnswerApproval():
                return await self._approvals(question, asker)
            case ask.StopTurn(session):
                return self._stop(self._allowed(session, asker))
            case ask.ListGrants() | ask.ApproveGrant() | ask.RevokeGrant():
                reply = await self.grants.answer(question)
                await self.operations.attest()
                return reply
            case ask.GatewayStatus() | ShowPolicy() | ShowChannels():
                return await self._told(question)
            case ListSenders() | AllowSender() | BlockSender() | RemoveSender() | OfferPairing():
                reply = await self.people.answer(question, asker.surface, pending_only=bool(asker.only))
                await self.operations.attest()
                return reply

    async def _approvals(
        self, question: ask.PendingApprovals | ask.WatchApprovals | ask.AnswerApproval, asker: Asker
    ) -> msgspec.Struct:
        if isinstance(question, ask.AnswerApproval):
            await self.approvals.answer(question, asker.answerer)
            return ask.Acknowledged()
        return ask.ApprovalRows(self.approvals.pending(asker.only))

    # --- reading --------------------------------------------------------------------------------------

    def _allowed(self, session: str, asker: Asker) -> SessionId:
        _, channel, _ = parse_session(session)
        if asker.only and channel != asker.only:
            raise Refused("This session belongs to another channel.")
        return SessionId(session)

    def _sessions(self, channel: str) -> ask.SessionRows:
        reader = RecordReader(self.paths.audit_db)
        try:
            found = reader.sessions()
        finally:
            reader.close()
        return ask.SessionRows(
            tuple(
                ask.SessionRow(
                    session=summary.session,
                    rows=summary.rows,
                    opened=summary.opened,
                    last=summary.last,
                    title=title_of(summary.first_message),
                    closed=summary.closed,
                )
                for summary in found
                if summary.session != OPERATIONS and (not channel or summary.session.split("/")[1] == channel)
            )
        )

    def _rows(self, session: SessionId, first_seq: int) -> ask.RowPage:
        """Return the rows from `first_seq` on that one answer can hold: at least one, if there is one."""
        if not 0 <= first_seq <= limits.ROW_NUMBER:
            raise Refused("A row's number is a whole number from 0 to 2^53.")
        reader = RecordReader(self.paths.audit_db)
        try:
            found: list[bytes] = []
            size = 0
            with contextlib.closing(reader.rows(session, first_seq, limits.ROWS_PER_PAGE)) as rows:
                for row in rows:
                    size += len(row.payload)
                    if found and size > limits.ROW_PAGE:
                        break
                    found.append(row.payload)
            return ask.RowPage(tuple(found))
        finally:
            reader.close()

    async def _verify(self, session: SessionId) -> ask.Verification:
        if self.log.head(session).seq < 0:
            return ask.Verification(status=Status.EMPTY.value, rows=0, attestations=0, findings=())
        agent, _, _ = parse_session(session)
        head = await self.vault.call(LastHead(session), HeadReply)
        key = await self.vault.call(AgentKey(agent), KeyReply)
        report = await asyncio.to_thread(self._report, session, Known(key.key, True, head.seq, head.head))
        return ask.Verification(
            status=report.status.value,
            rows=report.rows,
            attestations=report.attestations,
            findings=tuple(map(str, report.findings)),
        )

    def _report(self, session: SessionId, known: Known) -> Report:
        reader = RecordReader(self.paths.audit_db)
        try:
            return verify_session(session, reader.rows(session), known)
        finally:
            reader.close()

    # --- changing -------------------------------------------------------------------------------------

    async def _close(self, session_id: SessionId) -> ask.Acknowledged:
        if self.log.head(session_id).seq < 0:
            raise Refused("There is no such session.", hint="`wirken sessions list` shows them.")
        session = self.turns.sessions.get(session_id)
        if session.closed:
            return ask.Acknowledged("The session was closed already.")
        if session.turn is not None or session.waiting or session.bringing.messages:
            raise Refused("A turn runs in this session.", hint="Wait for it, or stop it first.")
        await session.record((Trust.OWNER, SessionClosed(by=OWNER)))
        self.store.forget_session(session_id)
        session.unattested = True
        await self.turns.attest_now(session)
        return ask.Acknowledged("Closed.")

    def _stop(self, session: SessionId) -> ask.Acknowledged:
        running = self.turns.sessions.in_memory(session)
        if running is None or not self.turns.stop(running):
            return ask.Acknowledged("No turn runs in this session.")
        return ask.Acknowledged("Stopped.")

    async def _told(self, question: ask.GatewayStatus | ShowPolicy | ShowChannels) -> msgspec.Struct:
        match question:
            case ask.GatewayStatus():
                return await self._status()
            case ShowPolicy():
                return self.bounds.report()
            case ShowChannels():
                return ChannelRows(self._channels())

    async def _status(self) -> ask.GatewayReport:
        try:
            vault = await self.vault.call(VaultStatus(), VaultReport)
        except WirkenError:
            vault = VaultReport("unknown", True, -1)
        agents = self.router.config.agents
        running = [session for session in self.turns.sessions.loaded() if session.task is not None]
        return ask.GatewayReport(
            version=__version__,
            started=self.started,
            provider=agents["default"].model,
            agents=tuple(agents),
            peers=self.wings.roles,
            turns_running=len(running),
            approvals_pending=len(self.approvals.pending()),
            sandbox=self.sandbox.kind,
            sandbox_limits=self.sandbox.limits,
            sandbox_reason=self.sandbox.reason,
            sandbox_fix=self.sandbox.fix,
            sandbox_notes=self.sandbox.notes,
            vault_protection=vault.protection,
            vault_sealed=vault.sealed,
            credentials=vault.credentials,
            rows=self.log.count(),
            channels=self._channels(),
        )

    def _channels(self) -> tuple[ChannelRow, ...]:
        return self.deliveries.channels.rows(self.deliveries.undelivered())
