"""`state.db`: what the gateway remembers beside the record: grants. Losing it forgets permissions, never rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import apsw

from wirken.domain import limits
from wirken.domain.ids import ActionKey, AgentId, ChannelId, PrincipalId

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS grants (
    agent TEXT NOT NULL,
    principal TEXT NOT NULL,
    channel TEXT NOT NULL,
    action_key TEXT NOT NULL,
    approved INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    approver TEXT NOT NULL,
    PRIMARY KEY (agent, principal, channel, action_key)
);
"""


@dataclass(frozen=True, slots=True)
class Holder:
    """Whom a grant belongs to: what one person approved on one channel never serves another."""

    agent: AgentId
    principal: PrincipalId
    channel: ChannelId


@dataclass(frozen=True, slots=True)
class Grant:
    """A remembered Tier 2 approval. Times in ms since the epoch."""

    holder: Holder
    key: ActionKey
    approved: int
    expires: int
    by: str


class StateStore:
    """The connection to `state.db`; calls are short and run in the event loop."""

    def __init__(self, path: Path) -> None:
        self._db = apsw.Connection(str(path))
        self._db.set_busy_timeout(5000)
        self._db.pragma("journal_mode", "wal")
        self._db.pragma("synchronous", "full")
        self._db.execute(_SCHEMA)

    def close(self) -> None:
        self._db.close()

    def remember(self, holder: Holder, key: ActionKey, now: int, by: str) -> Grant:
        """Store a grant for `limits.GRANT_LIFETIME` from `now` (ms)."""
        grant = Grant(holder, key, now, now + limits.GRANT_LIFETIME * 1000, by)
        self._db.execute(
            "INSERT OR REPLACE INTO grants VALUES (?, ?, ?, ?, ?, ?, ?)",
            (holder.agent, holder.principal, holder.channel, key, grant.approved, grant.expires, by),
        )
        return grant

    def is_granted(self, holder: Holder, key: ActionKey, now: int) -> bool:
        """Is there a grant for exactly this holder and key that has not expired at `now` (ms)?"""
        found = self._db.execute(
            "SELECT expires FROM grants WHERE agent = ? AND principal = ? AND channel = ? AND action_key = ?",
            (holder.agent, holder.principal, holder.channel, key),
        ).fetchone()
        return found is not None and now < int(found[0])

    def grants(self, now: int) -> list[Grant]:
        """Return the live grants."""
        rows = self._db.execute(
            "SELECT agent, principal, channel, action_key, approved, expires, approver FROM grants"
            " WHERE expires > ? ORDER BY agent, principal, channel, action_key",
            (now,),
        ).fetchall()
        return [
            Grant(
                Holder(AgentId(str(agent)), PrincipalId(str(principal)), ChannelId(str(channel))),
                ActionKey(str(key)),
                int(str(approved)),
                int(str(expires)),
                str(by),
            )
            for agent, principal, channel, key, approved, expires, by in rows
        ]

    def revoke(self, holder: Holder, key: ActionKey) -> bool:
        """Forget a grant; return whether there was one."""
        self._db.execute(
            "DELETE FROM grants WHERE agent = ? AND principal = ? AND channel = ? AND action_key = ?",
            (holder.agent, holder.principal, holder.channel, key),
        )
        return self._db.changes() > 0
