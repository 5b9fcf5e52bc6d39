"""What `config.toml` may say: one frozen type per table, with bounds; unknown keys are refused."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from wirken.config import channels as platforms
from wirken.config.channels import ChannelConfig
from wirken.config.egress import NO_NETWORK, EgressConfig, SandboxEgress
from wirken.config.requests import HttpCredential, WebSearch
from wirken.config.sandbox import SandboxConfig
from wirken.domain import limits
from wirken.domain.errors import ConfigError
from wirken.domain.hosts import port_of
from wirken.domain.ids import DEFAULT_AGENT, RoleName
from wirken.domain.money import FORM
from wirken.domain.walls import WallName

REHEARSAL: Final = "rehearsal"
"""The built-in model that needs no network."""

OLLAMA: Final = "ollama"
OLLAMA_URL: Final = "http://127.0.0.1:11434"

Port = Annotated[int, msgspec.Meta(ge=1, le=65_535)]
Uid = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 2)]
Text = Annotated[str, msgspec.Meta(max_length=65_536)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
Amount = Annotated[str, msgspec.Meta(pattern=FORM)]
PerMinute = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
ToolPattern = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9_.:/-]*\*?$")]
"""A tool's name, or the beginning of names followed by one `*`."""
CredentialName = Annotated[str, msgspec.Meta(pattern=r"^([a-z0-9][a-z0-9._-]{0,63})?$")]


class UnknownProvider(ConfigError):
    """A model names a provider that the configuration does not know."""


class UnknownAgent(ConfigError):
    """A command names an agent that the configuration does not know."""


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all tables."""


class AgentConfig(_Table, frozen=True):
    """`[agents.NAME]`."""

    model: str = f"{REHEARSAL}/{REHEARSAL}"
    """`<provider>/<model>`; the model's name may contain further slashes."""
    workspace: str = ""
    """Absolute folder, or empty for `<data>/agents/<name>/workspace`."""
    read_only: tuple[str, ...] = ()
    """Further absolute folders the agent may read."""
    instructions: Text = ""
    """Appended to the system prompt."""
    egress: dict[str, SandboxEgress] = msgspec.field(default_factory=dict)
    """By channel: what its commands reach; on a channel without an entry, no network."""

    def network(self, channel: str) -> SandboxEgress:
        """Return what commands may reach in turns on a channel."""
        return self.egress.get(channel, NO_NETWORK)

    @property
    def provider(self) -> str:
        return self.model.partition("/")[0]

    @property
    def model_name(self) -> str:
        return self.model.partition("/")[2]


class ProviderConfig(_Table, frozen=True):
    """`[providers.NAME]`. `credential` is an entry's name in the vault; empty means keyless."""

    kind: Literal["ollama", "openai"]
    base_url: Annotated[str, msgspec.Meta(pattern=r"^https?://[^\s/]")]
    credential: CredentialName = ""
    num_ctx: Annotated[int, msgspec.Meta(ge=512, le=2**24)] = 8192
    """Tokens of context that Ollama is told to keep; other kinds do not take it."""


class WebConfig(_Table, frozen=True):
    """`[web]`: the local page."""

    port: Port = limits.PAGE_PORT
    uids: Annotated[tuple[Uid, ...], msgspec.Meta(max_length=limits.PAGE_UIDS)] = ()
    """Further users of this machine who may use the page, each with all that its owner may do there."""


class ConfineConfig(_Table, frozen=True):
    """`[confine]`. Walls of our own processes that may be missing where the machine cannot make them."""

    allow_missing: tuple[WallName, ...] = ()


class ApprovalsConfig(_Table, frozen=True):
    """`[approvals]`: how long a question waits, and whom else it is put to (docs/permissions.md)."""

    ask_seconds: Annotated[int, msgspec.Meta(ge=1, le=limits.APPROVAL_LONGEST)] = int(limits.APPROVAL_ASK)
    daemon_seconds: Annotated[int, msgspec.Meta(ge=1, le=limits.APPROVAL_LONGEST)] = int(limits.APPROVAL_DAEMON)
    home: str = ""
    """`<channel>/<conversation>` of the owner, who is asked there where whoever asked may not answer."""
    approvers: str = ""
    """The same of the approvers, who are asked instead of the owner."""
    quiet: str = ""
    """`22:00-07:00`: hours in which no conversation is asked."""
    zone: str = ""
    """IANA name of the time zone of `quiet`; empty: the machine's."""


class ToolLists(_Table, frozen=True):
    """Which tools may be used: blocked wins; without `allowed_tools` all others are, an empty one allows none."""

    allowed_tools: tuple[ToolPattern, ...] | msgspec.UnsetType = msgspec.UNSET
    blocked_tools: tuple[ToolPattern, ...] = ()


class PolicyConfig(ToolLists, frozen=True):
    """`[policy]`. `file`: absolute path of an organisation's lists, which apply beside these; read at start."""

    file: str = ""


class LimitsConfig(_Table, frozen=True):
    """`[limits]`: how many in a minute, of each person and on each channel; 0 is no limit."""

    messages_per_minute: PerMinute = limits.MESSAGES_PER_MINUTE
    tool_calls_per_minute: PerMinute = limits.TOOL_CALLS_PER_MINUTE
    channel_messages_per_minute: PerMinute = limits.CHANNEL_MESSAGES_PER_MINUTE
    channel_tool_calls_per_minute: PerMinute = limits.CHANNEL_TOOL_CALLS_PER_MINUTE


class BudgetConfig(_Table, frozen=True):
    """`[budgets.NAME]`: what may be used in an hour, day or week (UTC; weeks begin on Monday). 0 is no limit.

    `agent` and `principal`: empty counts all together, `*` each apart, a name that one only.
    """

    agent: str = ""
    principal: str = ""
    per: Literal["hour", "day", "week"] = "day"
    mode: Literal["off", "alert", "block"] = "block"
    tokens: Count = 0
    model_calls: Count = 0
    tool_calls: Count = 0
    money: Amount = "0"
    """In the currency of the prices, as text: "12.50". Models without a price are not asked while this blocks."""


class PriceConfig(_Table, frozen=True):
    """`[prices."PROVIDER/MODEL"]`: what a million tokens cost, as text: "2.50". A `*` at the end of the name stands
    for anything; the longest name that fits counts. Without `cached_input`, that costs what `input` does."""

    input: Amount
    output: Amount
    cached_input: Annotated[str, msgspec.Meta(pattern=rf"^\Z|{FORM}")] = ""


class PermissionsConfig(_Table, frozen=True):
    """`[permissions]`: how much a command may hold before a person is asked every time (docs/permissions.md)."""

    exec: Literal["standard", "strict"] = "standard"
    four_eyes: bool = False
    """Nobody answers the questions that their own messages raised."""


class WasmSkillConfig(_Table, frozen=True):
    """`[skills.wasm.NAME]`: `tier2` asks on first use and may be remembered; otherwise each call is asked for."""

    tier: Literal["tier2", "tier3"] = "tier3"


class SkillsConfig(_Table, frozen=True):
    """`[skills]`."""

    wasm: dict[Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,47}\Z")], WasmSkillConfig] = msgspec.field(
        default_factory=dict
    )

    @property
    def lowered(self) -> frozenset[str]:
        """The tools that the operator made Tier 2."""
        return frozenset(f"wasm_{name}" for name, entry in self.wasm.items() if entry.tier == "tier2")


class Config(_Table, frozen=True):
    """All of `config.toml`. The agent `default` always exists."""

    agents: dict[str, AgentConfig] = msgspec.field(default_factory=lambda: {str(DEFAULT_AGENT): AgentConfig()})
    providers: dict[str, ProviderConfig] = msgspec.field(default_factory=dict)
    channels: dict[str, ChannelConfig] = msgspec.field(default_factory=dict)
    web: WebConfig = WebConfig()
    sandbox: SandboxConfig = SandboxConfig()
    skills: SkillsConfig = SkillsConfig()
    confine: ConfineConfig = ConfineConfig()
    approvals: ApprovalsConfig = ApprovalsConfig()
    permissions: PermissionsConfig = PermissionsConfig()
    policy: PolicyConfig = PolicyConfig()
    limits: LimitsConfig = LimitsConfig()
    budgets: dict[str, BudgetConfig] = msgspec.field(default_factory=dict)
    prices: dict[str, PriceConfig] = msgspec.field(default_factory=dict)
    egress: EgressConfig = EgressConfig()
    http_credentials: dict[str, HttpCredential] = msgspec.field(default_factory=dict)
    web_search: WebSearch = WebSearch()

    def agent(self, name: str) -> AgentConfig:
        """Return the agent of that name. Raises `UnknownAgent`."""
        found = self.agents.get(name)
        if found is None:
            known = ", ".join(sorted(self.agents))
            raise UnknownAgent("There is no agent of that name.", hint=f"config.toml knows: {known}.")
        return found

    def provider(self, name: str) -> ProviderConfig:
        """Return how a provider is reached; a local `ollama` needs no entry. Raises `UnknownProvider`.

        `rehearsal` is built in and is not reached at all, so it is unknown here.
        """
        found = self.providers.get(name)
        if found is not None:
            return found
        if name == OLLAMA:
            return ProviderConfig(kind="ollama", base_url=OLLAMA_URL)
        known = ", ".join(sorted({*self.providers, OLLAMA, REHEARSAL}))
        raise UnknownProvider(
            "A model names a provider that config.toml does not have.",
            hint=f"Known: {known}. Add a [providers.NAME] table or correct the model's first part.",
        )

    @property
    def adapters(self) -> dict[RoleName, str]:
        """The channels that are served, by the role id of their adapter."""
        return {platforms.role_of(name): name for name, entry in sorted(self.channels.items()) if entry.enabled}

    def hosts_of(self, role: str) -> tuple[str, ...]:
        """Return what one of our own processes reaches: its platform's hosts, and the operator's further ones.

        An entry is a pattern of hosts, for the ports of the web, or `<pattern>:<port>`.
        """
        channel = self.adapters.get(RoleName(role))
        served = () if channel is None else platforms.hosts(channel, self.channels[channel])
        return (*served, *self.egress.further(role))

    @property
    def relay_ports(self) -> tuple[int, ...]:
        """The TCP ports, beside those of the web, that some process of ours reaches through the relay."""
        rows = (self.hosts_of(role) for role in {*self.adapters, *self.egress.hosts})
        return tuple(sorted({port for row in rows for entry in row if (port := port_of(entry))}))

    @property
    def credentials(self) -> tuple[str, ...]:
        """The vault entries that are bound to a provider, a host or a search: all that outbound may ask for."""
        bound = {entry.credential for entry in self.providers.values()}
        bound |= {entry.credential for entry in self.http_credentials.values()}
        return tuple(sorted({*bound, self.web_search.credential} - {""}))
