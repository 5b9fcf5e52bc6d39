"""Where a turn takes place: everything about it that is fixed before it starts."""

from __future__ import annotations

from dataclasses import dataclass

from wirken.domain.actions import Place
from wirken.domain.ids import AgentId, ChannelId, PrincipalId, RoleName, SessionId
from wirken.domain.people import Role
from wirken.gateway.store import Holder


@dataclass(frozen=True, slots=True)
class Seat:
    """Who is judged is who said the turn's message: `principal`, with that person's `role`.

    `interactive`: someone may be there to answer; `patience` is how long they are waited for, in seconds.

    `context` bounds what is sent to the model, in bytes of messages.
    """

    session: SessionId
    agent: AgentId
    channel: ChannelId
    principal: PrincipalId
    role: Role
    provider: str
    model: str
    context: int
    place: Place
    runner: RoleName
    interactive: bool
    patience: float

    @property
    def holder(self) -> Holder:
        """Whose grants count here."""
        return Holder(self.agent, self.principal, self.channel)
