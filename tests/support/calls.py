"""Canonical calls for tests of the decision."""

from __future__ import annotations

import json

from tests.support.recorded import SESSION

from wirken.domain.actions import CanonicalCall, Place, SandboxKind, Verdict
from wirken.domain.ids import AgentId, ChannelId, PrincipalId
from wirken.permissions.decide import Gate, Granted, decide
from wirken.permissions.profiles import Profile
from wirken.permissions.programs.verbs import NOTHING_KNOWN, Programs
from wirken.permissions.reach import judged


def call(tool: str, text: str, sandbox: SandboxKind = "bubblewrap") -> CanonicalCall:
    return CanonicalCall(
        tool=tool,
        arguments=text,
        agent=AgentId("default"),
        session=SESSION,
        principal=PrincipalId("owner"),
        channel=ChannelId("webchat"),
        place=Place("/work", sandbox),
    )


def command(text: str) -> CanonicalCall:
    return call("exec", json.dumps({"command": text}))


def argv(*words: str) -> CanonicalCall:
    return call("exec", json.dumps({"argv": words}))


def decided(
    call: CanonicalCall,
    gates: tuple[Gate, ...],
    granted: Granted,
    profile: Profile = "standard",
    programs: Programs = NOTHING_KNOWN,
    lowered: frozenset[str] = frozenset(),
    reach: tuple[str, ...] = (),
) -> Verdict:
    """Classify a call and decide about it, as the gateway does. `reach`: the folders that the operator opened."""
    return decide(judged(call, reach, profile, programs, lowered), gates, granted)
