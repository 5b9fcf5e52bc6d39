"""Who speaks to which agent, with which tools: the rows before a message, and the seat of its turn."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from wirken.domain.errors import Refused
from wirken.domain.events import Fact, SessionOpened, ToolsSet, Trust, UserMessageFact
from wirken.domain.people import Person, Role
from wirken.domain.speaking import speaker as named
from wirken.domain.text import clean
from wirken.gateway.agent.assemble import system_prompt, tools_offered
from wirken.gateway.agent.seat import Seat
from wirken.gateway.inbox import Came, recorded
from wirken.gateway.people import People
from wirken.gateway.router import Router, Wish
from wirken.gateway.sessions import Session
from wirken.gateway.tools.catalogue import Tool, available
from wirken.ipc.frames import Inbound

Entries = list[tuple[Trust, Fact]]


class NotHeard(Refused):
    """A message whose sender is not admitted when its turn comes."""


@dataclass(frozen=True, slots=True)
class Seating:
    """Every message is its own speaker's: in a group the tools and grants of a turn are those of who spoke."""

    router: Router
    people: People
    tools: dict[str, Tool]
    runner_known: Callable[[], Awaitable[None]]
    """Waits, once, until it is known whether commands can be run here."""

    def said(
        self, session: Session, message: Inbound, wish: Wish, speaker: Person, came: Sequence[Came] = ()
    ) -> Entries:
        """Return the rows of a message: its own, with what came with it, and before it those that the session needs."""
        entries: Entries = []
        if not session.opened:
            opened = SessionOpened(
                agent=session.agent,
                channel=session.channel,
                conversation=session.id.split("/")[2],
                principal=speaker.principal,
                workspace=self.router.workspace(session.agent, wish),
            )
            entries.append((Trust.GATEWAY, opened))
        if session.turn is None and not session.waiting:
            entries += self._preamble(session, speaker, group=message.group)
        fact = UserMessageFact(
            text=clean(message.text),
            principal=speaker.principal,
            role=speaker.role.value,
            group=message.group,
            speaker=named(speaker, clean(message.sender_name)) if message.group else "",
            sender=clean(message.sender),
            sender_name=clean(message.sender_name),
            platform_id=message.platform_id,
            files=recorded(session.id, session.log.head(session.id).seq + 1 + len(entries), came),
        )
        return [*entries, (Trust.OWNER if speaker.role is Role.OWNER else Trust.USER, fact)]

    async def seat(self, session: Session, wish: Wish) -> Seat:
        """Return where the session's next turn takes place, with the tools on record that its speaker may have.

        Who that is, is asked again now: somebody may have been blocked while the message waited.
        Raises `NotHeard`, `UnknownAgent`.
        """
        said = session.message
        speaker = None if said is None else self.people.still(session.channel, said.sender, said.principal)
        if speaker is None:
            raise NotHeard("Whoever said this is not admitted any more.")
        if session.tools is not None and bool(session.tools.tools) != speaker.role.may_use_tools:
            await self.runner_known()
            if session.tools != (offered := self._offered(session, speaker)):
                session.begin((Trust.GATEWAY, offered))
        return self.router.seat(session, wish, speaker)

    def _preamble(self, session: Session, speaker: Person, *, group: bool) -> Entries:
        """Return the rows for a system prompt or tool list that is not the one on record."""
        agent = self.router.config.agent(session.agent)
        prompt = system_prompt(agent.instructions, group=group, network=agent.network(session.channel).mode)
        offered = self._offered(session, speaker)
        changed: Entries = []
        if session.prompt != prompt.text:
            changed.append((Trust.GATEWAY, prompt))
        if session.tools != offered:
            changed.append((Trust.GATEWAY, offered))
        return changed

    def _offered(self, session: Session, speaker: Person) -> ToolsSet:
        """Return the tools of a turn: none for somebody who may not use them."""
        tools = available(self.tools, session.channel) if speaker.role.may_use_tools else {}
        return tools_offered(tools, sandbox=self.router.sandbox != "none")
