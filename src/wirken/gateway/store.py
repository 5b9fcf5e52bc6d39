"""`state.db`: what the gateway remembers beside the record: grants. Losing it forgets permissions, never rows."""

from __future__ import annotations

from collections.abc import Iterable
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
    session TEXT NOT NULL,  -- empty: all sessions of the holder
    approved INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    approver TEXT NOT NULL,
    uses INTEGER,  -- left; NULL: without limit
    PRIMARY KEY (agent, principal, channel, action_key, session)
);
"""

# Grants of the first version counted in all sessions, without limit.
_FROM_FIRST: Final = """
ALTER TABLE grants RENAME TO first_grants;
{schema}
INSERT INTO grants SELECT agent, principal, channel, action_key, '', approved, expires, approver, NULL
    FROM first_grants;
DROP TABLE first_grants;
"""

_LIVE: Final = """
SELECT 1 FROM grants WHERE agent = ? AND principal = ? AND channel = ? AND action_key = ?
    AND session IN ('', ?) AND expires > ? AND (uses IS NULL OR uses > 0)
"""

_USE: Final = """
UPDATE grants SET uses = uses - 1 WHERE rowid = (
    SELECT rowid FROM grants WHERE agent = ? AND principal = ? AND channel = ? AND action_key = ?
        AND session IN ('', ?) AND expires > ? AND (uses IS NULL OR uses > 0)
    ORDER BY uses IS NOT NULL, session = '' LIMIT 1
)
"""

_REVOKE: Final = """
DELETE FROM grants WHERE agent = ? AND principal = ? AND channel = ? AND action_key = ?
    AND (? = '' OR session = ?)
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
    session: str = ""
    """The only session it counts in; empty: all of its holder's."""
    uses: int | None = None
    """How often it still counts; None: without limit."""


class StateStore:
    """The connection to `state.db`; calls are short and run in the event loop."""

    def __init__(self, path: Path) -> None:
        self._db = apsw.Connection(str(path))
        self._db.set_busy_timeout(5000)
        self._db.pragma("journal_mode", "wal")
        self._db.pragma("synchronous", "full")
        self._db.pragma("temp_store", "memory")  # the process may write nowhere but beside its databases
        columns = {str(column[1]) for column in self._db.execute("PRAGMA table_info(grants)")}
        with self._db:
            self._db.execute(_FROM_FIRST.format(schema=_SCHEMA) if columns and "session" not in columns else _SCHEMA)

    def close(self) -> None:
        self._db.close()

    def remember(
        self,
        holder: Holder,
        key: ActionKey,
        now: int,
        by: str,
        *,
        lifetime: int = limits.GRANT_LIFETIME,
        session: str = "",
        uses: int | None = None,
    ) -> Grant:
        """Store a grant for `lifetime` seconds from `now` (ms), in place of an earlier one of the same reach."""
        grant = Grant(holder, key, now, now + lifetime * 1000, by, session, uses)
        self._db.execute(
            "INSERT OR REPLACE INTO grants VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*_held(holder, key), session, grant.approved, grant.expires, by, uses),
        )
        return grant

    def is_granted(self, holder: Holder, key: ActionKey, now: int, session: str = "") -> bool:
        """Is there a grant for exactly this holder and key that counts in `session` and is live at `now` (ms)?"""
        found = self._db.execute(_LIVE, (*_held(holder, key), session, now))
        return found.fetchone() is not None

    def use(self, holder: Holder, keys: Iterable[ActionKey], now: int, session: str) -> None:
        """Count one use of each key's grant, durably, before the call runs. One without limit is used first."""
        with self._db:
            for key in keys:
                self._db.execute(_USE, (*_held(holder, key), session, now))

    def grants(self, now: int) -> list[Grant]:
        """Return the live grants."""
        rows = self._db.execute(
            "SELECT agent, principal, channel, action_key, session, approved, expires, approver, uses FROM grants"
            " WHERE expires > ? AND (uses IS NULL OR uses > 0)"
            " ORDER BY agent, principal, channel, action_key, session",
            (now,),
        ).fetchall()
        return [
            Grant(
                Holder(AgentId(str(agent)), PrincipalId(str(principal)), ChannelId(str(channel))),
                ActionKey(str(key)),
                int(str(approved)),
                int(str(expires)),
                str(by),
                str(session),
                None if uses is None else int(str(uses)),
            )
            for agent, principal, channel, key, session, approved, expires, by, uses in rows
        ]

    def revoke(self, holder: Holder, key: ActionKey, session: str = "") -> bool:
        """Forget a holder's grants of a key, in all sessions or in the one named; return whether there was one."""
        self._db.execute(_REVOKE, (*_held(holder, key), session, session))
        return self._db.changes() > 0

    def forget_session(self, session: str) -> None:
        """Forget what was granted for a session: it is closed."""
        self._db.execute("DELETE FROM grants WHERE session = ? AND session != ''", (session,))


def _held(holder: Holder, key: ActionKey) -> tuple[str, str, str, str]:
    return holder.agent, holder.principal, holder.channel, key
