"""Answers the operator's questions about remembered approvals: list, give ahead, take back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from wirken.domain import limits, people
from wirken.domain.clock import Clock
from wirken.domain.errors import Refused, UsageError
from wirken.domain.events import GrantRevoked, PermissionApproved, Trust
from wirken.domain.ids import (
    DEFAULT_AGENT,
    OPERATIONS,
    OWNER,
    ActionKey,
    AgentId,
    ChannelId,
    PrincipalId,
    SessionId,
    agent_id,
    channel_id,
    parse_session,
)
from wirken.gateway.log import AuditLog
from wirken.gateway.people import People
from wirken.gateway.router import Router
from wirken.gateway.sessions import Sessions
from wirken.gateway.store import Holder, StateStore
from wirken.ipc.calls import operator as ask
from wirken.permissions import keys
from wirken.permissions.programs.verbs import verb

_DAY = 86_400


@dataclass(slots=True)
class Grants:
    """Every change is a row before it counts."""

    store: StateStore
    sessions: Sessions
    log: AuditLog
    clock: Clock
    router: Router
    people: People

    async def answer(self, question: ask.ListGrants | ask.ApproveGrant | ask.RevokeGrant) -> msgspec.Struct:
        """Raises `Refused`, `UsageError`, `RecordFailed`."""
        match question:
            case ask.ListGrants():
                return self._list()
            case ask.ApproveGrant():
                return await self._approve(question)
            case ask.RevokeGrant():
                return await self._revoke(question)

    def _list(self) -> ask.GrantRows:
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
                    session=grant.session,
                    uses=grant.uses,
                )
                for grant in self.store.grants(self.clock.now())
            )
        )

    async def _approve(self, question: ask.ApproveGrant) -> ask.Acknowledged:
        holder, key = _somebody(question), ActionKey(question.action_key)
        judged = shell_key(key)
        if judged != key:
            raise Refused(f"No call has the key {key}; that command's is {judged}.")
        if not keys.is_possible(key) and not key.startswith("shell::") and key != "shell:":
            hint = "There are no patterns; `wirken permissions explain` shows the keys of a call."
            raise Refused("No call has this key.", hint=hint)
        if not keys.may_be_remembered(key) and not self.router.makes_tier_2(key, holder.agent, holder.channel):
            raise Refused("This key is Tier 3: it is asked for every time and never stored.")
        lifetime = question.seconds or limits.GRANT_LIFETIME
        if not 0 < lifetime <= limits.GRANT_LIFETIME:
            raise UsageError(f"A grant lives for {limits.GRANT_LIFETIME // _DAY} days at most.")
        if not 0 <= question.uses <= limits.GRANT_USES:
            raise UsageError(f"A grant is limited to {limits.GRANT_USES} uses at most.")
        self._check_session(question)
        scope = _scope(lifetime, question.uses)
        fact = PermissionApproved(
            approval="",
            call_id="",
            lease="",
            action_keys=(key,),
            tier="tier2",
            scope=f"session, {scope}" if question.session else scope,
            by=OWNER,
            surface=f"terminal for {question.session or '/'.join((holder.agent, holder.principal, holder.channel))}",
        )
        await self.log.append(OPERATIONS, (Trust.OWNER, fact))
        self.store.remember(
            holder,
            key,
            self.clock.now(),
            OWNER,
            lifetime=lifetime,
            session=question.session,
            uses=question.uses or None,
        )
        return ask.Acknowledged(" ".join((f"Remembered: {fact.scope}.", *self._strange(holder))))

    def _strange(self, holder: Holder) -> Iterator[str]:
        """Yield what a person may have mistyped: who a grant is for need not exist yet."""
        if holder.agent != DEFAULT_AGENT and holder.agent not in self.router.config.agents:
            yield f"But the configuration has no agent {holder.agent}."
        if not self.people.knows(holder.principal):
            yield f"But no account belongs to {holder.principal} (`wirken senders list`)."

    def _check_session(self, question: ask.ApproveGrant) -> None:
        """Raises `Refused` for a session that is none of the holder's, or takes no message any more."""
        if not question.session:
            return
        agent, channel, _ = parse_session(question.session)
        if (agent, channel) != (question.agent, question.channel):
            raise Refused("The session is another agent's or channel's.", hint="Its id begins AGENT/CHANNEL/.")
        session = self.sessions.get(SessionId(question.session))
        if not session.opened or session.closed:
            raise Refused("There is no such open session.", hint="`wirken sessions list` shows them.")

    async def _revoke(self, question: ask.RevokeGrant) -> ask.Acknowledged:
        holder, key = _holder(question), ActionKey(question.action_key)
        found = [
            grant
            for grant in self.store.grants(self.clock.now())
            if (grant.holder, grant.key) == (holder, key) and question.session in ("", grant.session)
        ]
        if not found:
            raise Refused("There is no such grant.", hint="`wirken permissions list` shows them.")
        revoked = GrantRevoked(
            agent=holder.agent,
            principal=holder.principal,
            channel=holder.channel,
            action_key=key,
            by=OWNER,
            only_in=question.session,
        )
        await self.log.append(OPERATIONS, (Trust.OWNER, revoked))
        self.store.revoke(holder, key, question.session)
        return ask.Acknowledged("Revoked.")


def shell_key(key: ActionKey) -> ActionKey:
    """Return the key that calls of a command have: `shell:python` for `shell:python3`; any other key as it is."""
    kind, _, name = key.partition(":")
    if kind != "shell" or not keys.is_possible(key):
        return key
    return ActionKey(keys.of_program(verb(name), name))


def _somebody(question: ask.ApproveGrant) -> Holder:
    """Return whom a grant is for. Raises `BadIdentifier` for a name that nobody can bear."""
    named = people.person(question.principal, people.Role.OWNER)  # any name is an owner's
    return Holder(agent_id(question.agent), named.principal, channel_id(question.channel))


def _holder(question: ask.ApproveGrant | ask.RevokeGrant) -> Holder:
    return Holder(AgentId(question.agent), PrincipalId(question.principal), ChannelId(question.channel))


def _scope(lifetime: int, uses: int) -> str:
    if lifetime % _DAY == 0:
        long = f"{lifetime // _DAY}d"
    else:
        long = f"{lifetime // 3600}h" if lifetime % 3600 == 0 else f"{lifetime}s"
    return f"{long}, {uses} uses" if uses else long
