"""Vault pairs: a child's end of one is its identity, because only we make them, for the role we name."""

from __future__ import annotations

import socket

from wirken.supervisor.child import NEW_PAIR, Child


def for_start(vault: Child, role_id: str) -> socket.socket:
    """Return the child's end of a new pair; the vault has got the other (or misses it, if it just died)."""
    theirs, ours = socket.socketpair()
    with theirs:
        vault.hand_over(role_id.encode("ascii"), theirs.fileno())
    return ours


def renew(vault: Child, child: Child) -> bool:
    """Give a ready child a pair with the vault's new process; False where it does not take it."""
    ours = for_start(vault, child.role_id)
    with ours:
        return child.hand_over(NEW_PAIR, ours.fileno())
