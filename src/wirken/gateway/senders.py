"""Platform accounts and what the owner decided about them, and pairing codes: tables of `state.db`.

Losing them forgets whom the owner admitted, so that nobody is; the record has every decision.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import apsw

from wirken.domain import limits
from wirken.domain.ids import ChannelId, PrincipalId
from wirken.domain.people import Person, Role, Standing
from wirken.domain.text import clip, shown

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS senders (
    channel TEXT NOT NULL,
    sender TEXT NOT NULL,
    standing TEXT NOT NULL,
    principal TEXT NOT NULL,
    role TEXT NOT NULL,
    name TEXT NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    told INTEGER NOT NULL,
    turned_away INTEGER NOT NULL,
    by TEXT NOT NULL,
    PRIMARY KEY (channel, sender)
);
CREATE TABLE IF NOT EXISTS pairing_codes (
    sha256 TEXT PRIMARY KEY,
    channel TEXT NOT NULL,
    principal TEXT NOT NULL,
    role TEXT NOT NULL,
    expires INTEGER NOT NULL,
    guesses INTEGER NOT NULL
);
"""
_COLUMNS: Final = "channel, sender, standing, principal, role, name, first_seen, last_seen, told, turned_away, by"


@dataclass(frozen=True, slots=True)
class Account:
    """A platform's account. The exact pair (channel, sender) names it. Times in ms since the epoch, 0: never.

    `person` is None unless the account is admitted. `name` is what the platform last showed, made visible.
    `told`: when it was last told that nobody admitted it. `turned_away`: how often it was not heard.
    """

    channel: ChannelId
    sender: str
    standing: Standing
    person: Person | None = None
    name: str = ""
    first_seen: int = 0
    last_seen: int = 0
    told: int = 0
    turned_away: int = 0
    by: str = ""


@dataclass(frozen=True, slots=True)
class PairingOffer:
    """What a code admits to. An empty channel: any; an empty principal: named after the account."""

    channel: str
    principal: str
    role: Role
    expires: int


class SenderStore:
    """Its own connection to `state.db`; calls are short and run in the event loop."""

    def __init__(self, path: Path) -> None:
        self._db = apsw.Connection(str(path))
        self._db.set_busy_timeout(5000)
        self._db.pragma("journal_mode", "wal")
        self._db.pragma("synchronous", "full")
        self._db.pragma("temp_store", "memory")  # the process may write nowhere but beside its databases
        self._db.execute(_SCHEMA)
        self._uncounted: Counter[tuple[str, str]] = Counter()
        self._counted = 0

    def close(self) -> None:
        self._write_counts()
        self._db.close()

    # --- accounts -------------------------------------------------------------------------------------

    def find(self, channel: ChannelId, sender: str) -> Account | None:
        """Return the account, compared byte for byte."""
        query = f"SELECT {_COLUMNS} FROM senders WHERE channel = ? AND sender = ?"  # noqa: S608  # constant
        row = self._db.execute(query, (channel, sender)).fetchone()
        return None if row is None else _account(row)

    def person(self, channel: ChannelId, sender: str) -> Person | None:
        """Return whose account this is, if it is admitted."""
        account = self.find(channel, sender)
        return None if account is None else account.person

    def put(self, account: Account) -> None:
        """Store an account, whatever was known of it."""
        who = account.person
        self._db.execute(
            "INSERT OR REPLACE INTO senders VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                account.channel,
                account.sender,
                account.standing.value,
                "" if who is None else who.principal,
                "" if who is None else who.role.value,
                account.name,
                account.first_seen,
                account.last_seen,
                account.told,
                account.turned_away,
                account.by,
            ),
        )

    def put_pending(self, account: Account) -> None:
        """Store an unknown account; beyond `limits.SENDERS_PENDING` the one not heard of for longest gives way."""
        self.put(account)
        self._db.execute(
            "DELETE FROM senders WHERE rowid IN (SELECT rowid FROM senders WHERE standing = ?"
            " ORDER BY last_seen DESC, rowid DESC LIMIT -1 OFFSET ?)",
            (Standing.PENDING.value, limits.SENDERS_PENDING),
        )

    def remove(self, channel: ChannelId, sender: str) -> bool:
        """Forget an account; return whether it was known."""
        self._uncounted.pop((channel, sender), None)
        self._db.execute("DELETE FROM senders WHERE channel = ? AND sender = ?", (channel, sender))
        return self._db.changes() > 0

    def accounts(self, standing: Standing | None = None) -> list[Account]:
        """Return at most `limits.SENDERS_LISTED` accounts, those that wait first, then the last heard of first."""
        self._write_counts()
        query = (
            f"SELECT {_COLUMNS} FROM senders WHERE ? = '' OR standing = ?"  # noqa: S608  # constant
            " ORDER BY standing = 'pending' DESC, last_seen DESC, channel, sender LIMIT ?"
        )
        wanted = "" if standing is None else standing.value
        return [_account(row) for row in self._db.execute(query, (wanted, wanted, limits.SENDERS_LISTED))]

    def turned_away(self, channel: ChannelId, sender: str, now: int) -> None:
        """Count a message that was not heard; on disk at most once per `limits.TURNED_AWAY_STEP`."""
        self._uncounted[channel, sender] += 1
        if now - self._counted >= limits.TURNED_AWAY_STEP * 1000:
            self._counted = now
            self._write_counts()

    def _write_counts(self) -> None:
        if not self._uncounted:
            return
        with self._db:
            self._db.executemany(
                "UPDATE senders SET turned_away = turned_away + ? WHERE channel = ? AND sender = ?",
                [(count, channel, sender) for (channel, sender), count in self._uncounted.items()],
            )
        self._uncounted.clear()

    # --- pairing --------------------------------------------------------------------------------------

    def offer(self, sha256: str, offer: PairingOffer, now: int) -> None:
        """Keep a code by its hash; the oldest beyond `limits.PAIRING_CODES` and the lapsed are forgotten."""
        self._db.execute(
            "INSERT INTO pairing_codes VALUES (?, ?, ?, ?, ?, 0)",
            (sha256, offer.channel, offer.principal, offer.role.value, offer.expires),
        )
        self._db.execute(
            "DELETE FROM pairing_codes WHERE expires <= ? OR rowid IN"
            " (SELECT rowid FROM pairing_codes ORDER BY expires DESC, rowid DESC LIMIT -1 OFFSET ?)",
            (now, limits.PAIRING_CODES),
        )

    def offered(self, sha256: str, channel: ChannelId, now: int) -> PairingOffer | None:
        """Return what a code offers on this channel, if it is good; a wrong one counts against all that wait."""
        row = self._db.execute(
            "SELECT channel, principal, role, expires FROM pairing_codes"
            " WHERE sha256 = ? AND expires > ? AND channel IN ('', ?)",
            (sha256, now, channel),
        ).fetchone()
        if row is not None:
            return PairingOffer(str(row[0]), str(row[1]), Role(str(row[2])), int(str(row[3])))
        with self._db:
            self._db.execute("UPDATE pairing_codes SET guesses = guesses + 1")
            self._db.execute("DELETE FROM pairing_codes WHERE guesses >= ?", (limits.PAIRING_GUESSES,))
        return None

    def use(self, sha256: str) -> bool:
        """Use a code up; False where another was quicker."""
        self._db.execute("DELETE FROM pairing_codes WHERE sha256 = ?", (sha256,))
        return self._db.changes() > 0


def visible_name(text: str) -> str:
    """Return a platform's name for somebody as a person may be shown it, at most `limits.SENDER_NAME` bytes."""
    return clip(shown(clip(text, limits.SENDER_NAME)[0]), limits.SENDER_NAME)[0]


def _account(row: tuple[apsw.SQLiteValue, ...]) -> Account:
    channel, sender, standing, principal, role, name, first_seen, last_seen, told, turned_away, by = map(str, row)
    return Account(
        channel=ChannelId(channel),
        sender=sender,
        standing=Standing(standing),
        person=Person(PrincipalId(principal), Role(role)) if standing == Standing.ADMITTED else None,
        name=name,
        first_seen=int(first_seen),
        last_seen=int(last_seen),
        told=int(told),
        turned_away=int(turned_away),
        by=by,
    )
