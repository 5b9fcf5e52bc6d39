"""Who hears of what: surfaces (the page, terminals) and the sessions they follow."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from wirken.domain.errors import WirkenError
from wirken.domain.events import AssistantToolCalls
from wirken.domain.ids import ChannelId, SessionId
from wirken.domain.people import has_senders
from wirken.gateway.log import Stored
from wirken.ipc.frames import Conversing, Row
from wirken.ipc.link import Link, LinkLost

_log: Final = logging.getLogger("wirken.gateway")


@dataclass(slots=True)
class Surface:
    """One connection that shows conversations. A page follows its channel, a terminal the sessions it spoke in."""

    link: Link
    channel: ChannelId
    whole_channel: bool
    sessions: set[SessionId] = field(default_factory=set)
    watches: bool = False
    """Hears of every question to a person, whatever the session."""
    answers_for_others: bool = False
    """Hears of questions whose askers may not answer them."""

    @property
    def is_chat(self) -> bool:
        """Is this a platform's adapter? Its conversations are asked only what is put to them."""
        return has_senders(self.channel)

    def follows(self, session: SessionId) -> bool:
        return session in self.sessions or (self.whole_channel and session.split("/")[1] == self.channel)

    def tell(self, frame: Conversing) -> None:
        """Send. A surface that is gone needs nothing, and a frame that cannot be sent holds nobody up."""
        try:
            self.link.send(frame)
        except LinkLost:
            return
        except WirkenError as error:
            _log.warning("a %s frame for %s was dropped: %s", type(frame).__name__, self.channel, error)


class Hub:
    """The surfaces that are connected now."""

    def __init__(self) -> None:
        self._surfaces: list[Surface] = []

    def attach(self, surface: Surface) -> None:
        """Let a surface hear of its sessions.

        There is one page: a newer link of it takes the place of the older one, which is dropped with all it holds.
        """
        if surface.whole_channel:
            for older in [one for one in self._surfaces if one.whole_channel and one.channel == surface.channel]:
                self.detach(older.link)
                older.link.drop()
        self._surfaces.append(surface)

    def detach(self, link: Link) -> None:
        self._surfaces = [surface for surface in self._surfaces if surface.link is not link]

    def adapter(self, channel: ChannelId) -> Link | None:
        """Return the link to a platform's adapter, if it is connected."""
        return next((one.link for one in self._surfaces if one.is_chat and one.channel == channel), None)

    def following(self, session: SessionId) -> Iterable[Surface]:
        return [surface for surface in self._surfaces if surface.follows(session)]

    def tell(self, session: SessionId, frame: Conversing) -> None:
        """Send a frame to everyone who follows the session."""
        self.show(frame, lambda surface: surface.follows(session))

    def show(self, frame: Conversing, sees: Callable[[Surface], bool]) -> None:
        """Send a frame to the surfaces that see it."""
        for surface in filter(sees, self._surfaces):
            surface.tell(frame)

    def committed(self, stored: Stored) -> None:
        """Show a row that is on disk to the terminals and the page that follow its session.

        A platform's adapter gets none: what tools read is not for whoever captures it. It hears that the model has
        stopped for calls, as a row without content, for what follows in its preview is another paragraph.
        """
        session = stored.row.session
        self.show(Row(session, stored.payload), lambda surface: surface.follows(session) and not surface.is_chat)
        if isinstance(stored.row.fact, AssistantToolCalls):
            self.show(Row(session, b""), lambda surface: surface.follows(session) and surface.is_chat)
