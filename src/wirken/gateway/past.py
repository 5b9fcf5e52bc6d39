"""What is on disk already, read back with suspicion: the file may have been edited while nobody looked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import apsw

from wirken.domain.errors import Refused
from wirken.domain.ids import SessionId
from wirken.record.chain import GENESIS, leaf_hash, link_hash


class RecordTampered(Refused):
    """A session's rows are not those that were written; nothing is built on them."""

    hint = "`wirken sessions verify` shows from which row. Other sessions go on."


class LinkHashes(NamedTuple):
    """A row's position and hashes, hex."""

    seq: int
    leaf: str
    hash: str


def payloads(db: apsw.Connection, session: SessionId) -> Iterator[bytes]:
    """Yield a session's payloads in order, checking the chain on the way. Raises `RecordTampered`."""
    query = "SELECT seq, payload, hash FROM session_events WHERE session_id = ? ORDER BY seq, id"
    head = GENESIS
    for expected, (seq, payload, stored) in enumerate(db.execute(query, (session,))):
        if seq != expected or not isinstance(payload, bytes):
            raise RecordTampered(f"The record of this session is damaged at row {expected}.")
        head = link_hash(head, leaf_hash(payload))
        if head != stored:
            raise RecordTampered(f"Row {seq} of this session was changed on disk.")
        yield payload


def payload(db: apsw.Connection, session: SessionId, seq: int) -> bytes:
    """Return one payload. Raises `RecordTampered` where there is none."""
    query = "SELECT payload FROM session_events WHERE session_id = ? AND seq = ?"
    found = db.execute(query, (session, seq)).fetchone()
    if found is None or not isinstance(found[0], bytes):
        raise RecordTampered(f"The record of this session is damaged at row {seq}.")
    return found[0]


def links(db: apsw.Connection, session: SessionId, since: int) -> list[LinkHashes]:
    """Return the hashes of a session's rows from row `since` on."""
    query = "SELECT seq, leaf_hash, hash FROM session_events WHERE session_id = ? AND seq >= ? ORDER BY seq"
    rows = db.execute(query, (session, since))
    return [LinkHashes(int(str(seq)), str(leaf), str(link)) for seq, leaf, link in rows]
