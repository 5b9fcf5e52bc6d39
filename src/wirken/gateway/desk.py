"""Answers the questions of terminals and the page, each within its role."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import msgspec

from wirken import __version__
from wirken.config.paths import Paths
from wirken.domain.clock import Clock
from wirken.domain.errors import Refused, WirkenError
from wirken.domain.events import GrantRevoked, PermissionApproved, SessionClosed, Trust
from wirken.domain.ids import (
    OPERATIONS,
    OWNER,
    ActionKey,
    AgentId,
    ChannelId,
    PrincipalId,
    SessionId,
    parse_session,
)
from wirken.gateway.agent.attest import AsksVault
from wirken.gateway.approvals import Approvals
from wirken.gateway.intake import Intake
from wirken.gateway.log import AuditLog
from wirken.gateway.router import Router
from wirken.gateway.store import Holder, StateStore
from wirken.gateway.wings import Wings
from wirken.ipc.calls import operator as ask
from wirken.ipc.calls.runner import SandboxReport
from wirken.ipc.calls.vault import AgentKey, HeadReply, KeyReply, LastHead, VaultReport, VaultStatus
from wirken.permissions import rules
from wirken.record.canonical import title_of
from wirken.record.reader import RecordReader
from wirken.record.verify import Known, Report, Status, verify_session

ROWS_PER_PAGE = 500


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks. `only` names the one channel whose sessions may be seen; empty for the operator."""

    surface: str
    only: str = ""


@dataclass(slots=True)
class Desk:
    """`sandbox` is what the runner reported last."""

    paths: Paths
    log: AuditLog
    store: StateStore
    approvals: Approvals
    intake: Intake
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
            case ask.PendingApprovals():
                return ask.ApprovalRows(self.approvals.pending(asker.only))
            case ask.AnswerApproval():
                self.approvals.answer(question, asker.only, OWNER, asker.surface)
                return ask.Acknowledged()
            case ask.StopTurn(session):
                return self._stop(self._allowed(session, asker))
            case ask.ListGrants() | ask.ApproveGrant() | ask.RevokeGrant():
                return await self._grants(question)
            case ask.GatewayStatus():
                return await self._status()

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
        reader = RecordReader(self.paths.audit_db)
        try:
            return ask.RowPage(tuple(row.payload for row in reader.rows(session, first_seq, ROWS_PER_PAGE)))
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
        session = self.intake.sessions.get(session_id)
        if session.closed:
            return ask.Acknowledged("The session was closed already.")
        if session.turn is not None or session.waiting:
            raise Refused("A turn runs in this session.", hint="Wait for it, or stop it first.")
        await session.record((Trust.OWNER, SessionClosed(by=OWNER)))
        session.unattested = True
        await self.intake.attest_now(session)
        return ask.Acknowledged("Closed.")

    def _stop(self, session: SessionId) -> ask.Acknowledged:
        running = self.intake.sessions.in_memory(session)
        if running is None or not self.intake.stop(running):
            return ask.Acknowledged("No turn runs in this session.")
        return ask.Acknowledged("Stopped.")

    async def _grants(self, question: ask.ListGrants | ask.ApproveGrant | ask.RevokeGrant) -> msgspec.Struct:
        if isinstance(question, ask.ListGrants):
            return ask.GrantRows(
                tuple(
                    ask.GrantRow(
                        agent=grant.holder.agent,
                        principal=grant.holder.principal,
                        channel=grant.holder.channel,
                        action_key=grant.key,
                        approved=grant.approved,
                        expires=grant.expires,
                        by=grant.by,
                    )
                    for grant in self.store.grants(self.clock.now())
                )
            )
        holder = Holder(AgentId(question.agent), PrincipalId(question.principal), ChannelId(question.channel))
        key = ActionKey(question.action_key)
        if isinstance(question, ask.ApproveGrant):
            return await self._grant(holder, key)
        if not self.store.is_granted(holder, key, self.clock.now()):
            raise Refused("There is no such grant.", hint="`wirken permissions list` shows them.")
        revoked = GrantRevoked(
            agent=holder.agent, principal=holder.principal, channel=holder.channel, action_key=key, by=OWNER
        )
        await self.log.append(OPERATIONS, (Trust.OWNER, revoked))
        self.store.revoke(holder, key)
        return ask.Acknowledged("Revoked.")

    async def _grant(self, holder: Holder, key: ActionKey) -> ask.Acknowledged:
        if not rules.may_be_remembered(key):
            raise Refused("This key is Tier 3: it is asked for every time and never stored.")
        fact = PermissionApproved(
            approval="",
            call_id="",
            lease="",
            action_keys=(key,),
            tier="tier2",
            scope="30d",
            by=OWNER,
            surface=f"terminal for {holder.agent}/{holder.principal}/{holder.channel}",
        )
        await self.log.append(OPERATIONS, (Trust.OWNER, fact))
        self.store.remember(holder, key, self.clock.now(), OWNER)
        return ask.Acknowledged("Remembered for 30 days.")

    async def _status(self) -> ask.GatewayReport:
        try:
            vault = await self.vault.call(VaultStatus(), VaultReport)
        except WirkenError:
            vault = VaultReport("unknown", True, -1)
        agents = self.router.config.agents
        running = [session for session in self.intake.sessions.loaded() if session.task is not None]
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
            vault_protection=vault.protection,
            vault_sealed=vault.sealed,
            credentials=vault.credentials,
            rows=self.log.count(),
        )
