"""Refusals that no approval lifts: small pure functions, tried in order."""

from __future__ import annotations

from typing import Final

from wirken.domain.actions import CanonicalCall, Denied
from wirken.permissions.decide import Classified, Gate, denial


def outside_workspace(call: CanonicalCall, found: Classified) -> Denied | None:
    """A file tool reaches its workspace only; no folder outside can be granted yet."""
    if not found.outside:
        return None
    said = f"{denial(call, found.tier)} The path lies outside the workspace, which this tool cannot leave."
    return Denied(found.tier, found.keys, "outside_workspace", said)


def no_sandbox(call: CanonicalCall, found: Classified) -> Denied | None:
    """Without a sandbox no command runs, whoever would approve it."""
    if call.tool != "exec" or call.place.sandbox != "none":
        return None
    said = f"{denial(call, found.tier)} There is no sandbox on this machine, so no command is run."
    return Denied(found.tier, found.keys, "no_sandbox", said)


GATES: Final[tuple[Gate, ...]] = (outside_workspace, no_sandbox)
"""The gates of every turn."""


def refuse_everything(call: CanonicalCall, found: Classified) -> Denied | None:
    """The gate of a replay: nothing runs again."""
    return Denied(found.tier, found.keys, "replay", denial(call, found.tier))
