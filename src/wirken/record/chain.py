"""The hash chain of a session: what each row's hashes are made of."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

GENESIS: Final = ""
"""The `prev_hash` of a session's first row."""


def leaf_hash(payload: bytes) -> str:
    """Return the hex SHA-256 of the stored payload bytes."""
    return hashlib.sha256(payload).hexdigest()


def link_hash(prev_hash: str, leaf: str) -> str:
    """Return the hex SHA-256 of the ASCII text `prev_hash` + `leaf`."""
    return hashlib.sha256((prev_hash + leaf).encode("ascii")).hexdigest()


@dataclass(frozen=True, slots=True)
class Head:
    """Where a session's chain ends: the last row's seq (-1 for none) and hash."""

    seq: int = -1
    hash: str = GENESIS

    def extended(self, payload: bytes) -> tuple[Head, str]:
        """Return the head after one more row, and that row's leaf hash."""
        leaf = leaf_hash(payload)
        return Head(self.seq + 1, link_hash(self.hash, leaf)), leaf
