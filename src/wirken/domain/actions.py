"""What a tool call is, and what can be decided about it."""

from __future__ import annotations

import enum
import hashlib
from typing import Final, Literal, TypeAlias

import msgspec

from wirken.domain.ids import ActionKey, AgentId, CallId, ChannelId, PrincipalId, SessionId


class Tier(enum.StrEnum):
    """How far a person is asked: never, once per 30 days, every time."""

    ONE = "tier1"
    TWO = "tier2"
    THREE = "tier3"

    @property
    def rank(self) -> int:
        return int(self[-1])


SandboxKind: TypeAlias = Literal["bubblewrap", "docker", "gvisor", "wasm", "none"]

NetworkMode: TypeAlias = Literal["none", "ask", "allowlist", "open"]
"""How a place reaches other hosts: not at all; each new one after a question; those on a list; any public one."""


Entry: TypeAlias = Literal["there", "", "into", "named"]
"""What writing a path asks of its name, the least first: that it is there; no more than an empty file where nothing is;
for a folder that it is there, for anything else as the next; that it can be made, moved and removed."""

ENTRIES: Final[tuple[Entry, ...]] = ("there", "", "into", "named")


class Outside(msgspec.Struct, frozen=True):
    """One path outside the workspace that a call was allowed: absolute, and shown under its own name."""

    path: str
    writable: bool = False
    entry: Entry = ""
    """Where it is writable: what is done with its name. A name is made and removed in the folder around it, so that
    folder is writable then, and whatever else lies there is hidden."""

    @property
    def above(self) -> str:
        """The folder around it."""
        return self.path.rpartition("/")[0] or "/"


class Module(msgspec.Struct, frozen=True):
    """A skill's WebAssembly module and what it may use."""

    skill: str
    sha256: str
    """Hex, over the module's bytes."""
    fuel: int
    """Instructions, about."""
    memory: int
    """Bytes of linear memory."""
    seconds: int


class CredentialUse(msgspec.Struct, frozen=True):
    """The binding (`[http_credentials.NAME]`) whose credential goes with a request, and its tier."""

    name: str
    tier: Literal["tier2", "tier3"] = "tier3"


class Place(msgspec.Struct, frozen=True):
    """Where a call will run, and what that place can reach."""

    workspace: str
    """Absolute path on the machine; the sandbox shows it at /workspace. Empty for a module, which sees no folder."""
    sandbox: SandboxKind
    network: NetworkMode = "none"
    read_only: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    """With the network mode `allowlist` or `ask`: the hosts that need no further question."""
    outside: tuple[Outside, ...] = ()
    module: Module | None = None
    """With the sandbox `wasm`: what runs."""
    steering: bool = False
    """May write files that steer the agent or the person's own tools (`domain.steering`)."""
    credential: CredentialUse | None = None
    tools: str = ""
    """The folder whose programs commands get; empty for the machine's own, or a container image's."""
    bounds: str = ""
    """How much one command may use, in words, where the operator lowered it."""


class CanonicalCall(msgspec.Struct, frozen=True, kw_only=True):
    """One tool call with everything that was decided about: its bytes are what a person approves.

    `arguments` is the exact text that the model sent.
    """

    tool: str
    arguments: str
    agent: AgentId
    session: SessionId
    principal: PrincipalId
    channel: ChannelId
    place: Place

    def canonical(self) -> bytes:
        """Return the canonical JSON (RFC 8785): what is hashed, shown, and handed to the runner."""
        return _encoder.encode(self)

    def digest(self) -> str:
        """Return the hex SHA-256 over `canonical()`."""
        return hashlib.sha256(self.canonical()).hexdigest()


class ToolCall(msgspec.Struct, frozen=True):
    """A call as the model worded it. `arguments` is JSON text, unparsed."""

    id: CallId
    name: str
    arguments: str


class Allowed(msgspec.Struct, frozen=True, tag="allowed"):
    """May run now. `rule` names what allowed it, `by` the principal who did, if one did."""

    tier: Tier
    keys: tuple[ActionKey, ...]
    rule: str
    by: str = ""


class Denied(msgspec.Struct, frozen=True, tag="denied"):
    """Must not run. `said` is what the model reads."""

    tier: Tier
    keys: tuple[ActionKey, ...]
    rule: str
    said: str
    by: str = ""


class NeedsApproval(msgspec.Struct, frozen=True, tag="needs_approval"):
    """A person has to say yes first. `reasons` are sentences for that person."""

    tier: Tier
    keys: tuple[ActionKey, ...]
    reasons: tuple[str, ...]


Verdict: TypeAlias = Allowed | Denied | NeedsApproval

_encoder = msgspec.json.Encoder(order="sorted")
