"""Canonical calls for tests of the decision."""

from __future__ import annotations

import json

from tests.support.recorded import SESSION

from wirken.domain.actions import CanonicalCall, Place, SandboxKind
from wirken.domain.ids import AgentId, ChannelId, PrincipalId


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
