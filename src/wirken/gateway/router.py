"""Which agent answers on which channel, and where a turn of it takes place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wirken.config.model import Config
from wirken.config.paths import Paths
from wirken.domain import limits
from wirken.domain.actions import Place, SandboxKind
from wirken.domain.ids import DEFAULT_AGENT, TERMINAL, ActionKey, AgentId, ChannelId, RoleName
from wirken.domain.people import Person
from wirken.gateway.agent.seat import Seat
from wirken.gateway.sessions import Session
from wirken.permissions.keys import is_credential, is_host

RUNNER: Final = RoleName("runner")


@dataclass(frozen=True, slots=True)
class Wish:
    """What an operator's terminal may ask for beside the message; everyone else gets the defaults."""

    interactive: bool = True
    runner: RoleName = RUNNER
    workspace: str = ""


@dataclass(slots=True)
class Router:
    """Knows the configuration; `sandbox` and `bounds` are what the runner reported last."""

    config: Config
    paths: Paths
    tools: str = ""
    """The folder whose programs commands get; empty for the machine's own."""
    sandbox: SandboxKind = "none"
    bounds: str = ""
    """As the runner reported it (`SandboxReport.bounds`)."""

    def agent(self, wanted: str, channel: ChannelId) -> AgentId:
        """Return the agent for a message: the wanted one, else the channel's. Raises `UnknownAgent`."""
        own = self.config.channels.get(channel)
        name = wanted or (own.agent if own is not None else DEFAULT_AGENT)
        self.config.agent(name)
        return AgentId(name)

    def makes_tier_2(self, key: ActionKey, agent: AgentId, channel: ChannelId) -> bool:
        """Tell whether the configuration makes this key Tier 2 there, a host or a bound credential.

        Raises `UnknownAgent`.
        """
        if is_credential(key):
            bound = self.config.http_credentials.get(key.partition(":")[2])
            return bound is not None and bound.tier == "tier2"
        return is_host(key) and self.config.agent(agent).network(channel).mode != "none"

    def workspace(self, agent: AgentId, wish: Wish) -> str:
        """Return the absolute path of the workspace that the agent works in."""
        own = self.config.agent(agent).workspace
        return wish.workspace or own or str(self.paths.workspace(agent))

    def seat(self, session: Session, wish: Wish, speaker: Person) -> Seat:
        """Return where the turn for a message of `speaker` takes place. Raises `UnknownAgent`."""
        agent = self.config.agent(session.agent)
        network = agent.network(session.channel)
        place = Place(
            workspace=self.workspace(session.agent, wish),
            sandbox=self.sandbox,
            network=network.mode,
            read_only=agent.read_only,
            hosts=network.hosts,
            tools=self.tools,
            bounds=self.bounds,
        )
        approvals = self.config.approvals
        patience = approvals.ask_seconds if session.channel == TERMINAL else approvals.daemon_seconds
        return Seat(
            session=session.id,
            agent=session.agent,
            channel=session.channel,
            principal=speaker.principal,
            role=speaker.role,
            provider=agent.provider,
            model=agent.model_name,
            context=self._context(agent.provider),
            place=place,
            runner=wish.runner,
            interactive=wish.interactive,
            patience=float(patience),
        )

    def _context(self, provider: str) -> int:
        """Return how many bytes of messages are sent: four fifths of the window, where it is known."""
        entry = self.config.providers.get(provider)
        if provider == "ollama" or (entry is not None and entry.kind == "ollama"):
            return self.config.provider(provider).num_ctx * limits.CHARACTERS_PER_TOKEN * 4 // 5
        return limits.CONTEXT_CHARACTERS
