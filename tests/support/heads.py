"""Chains of rows that nobody wrote, for asking the vault to sign their heads."""

from __future__ import annotations

import hashlib

from wirken.domain.ids import SessionId
from wirken.ipc.calls.vault import SignHead
from wirken.record.chain import Head

SESSION = SessionId("default/webchat/a")


def leaves(seq: int, last: str = "row") -> list[bytes]:
    """Return the leaf hashes of rows 0 to `seq`; `last` is what the last row says."""
    said = [f"row {number}" for number in range(seq)] + [f"{last} {seq}"]
    return [hashlib.sha256(text.encode()).digest() for text in said]


def head(seq: int, last: str = "row", agent: str = "default", session: str = SESSION, since: int = 0) -> SignHead:
    """Return the question for row `seq`, with the leaves from row `since` on."""
    rows = leaves(seq, last)
    end = Head()
    for leaf in rows:
        end = Head(end.seq + 1, hashlib.sha256((end.hash + leaf.hex()).encode()).hexdigest())
    return SignHead(agent, session, seq, end.hash, since, b"".join(rows[since:]))
