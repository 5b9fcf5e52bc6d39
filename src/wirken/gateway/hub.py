"""Who hears of what: surfaces (the page, terminals) and the sessions they follow."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from wirken.domain.ids import ChannelId, SessionId
from wirken.gateway.log import Stored
from wirken.ipc.frames import Conversing, Row
from wirken.ipc.link import Link, LinkLost


@dataclass(slots=True)
class Surface:
    """One connection that shows conversations. A page follows its channel, a terminal the sessions it spoke in."""

    link: Link
    channel: ChannelId
    whole_channel: bool
    sessions: set[SessionId] = field(default_factory=set)

    def follows(self, session: SessionId) -> bool:
        return session in self.sessions or (self.whole_channel and session.split("/")[1] == self.channel)

    def tell(self, frame: Conversing) -> None:
        """Send; a surface that is gone needs nothing."""
        try:
            self.link.send(frame)
        except LinkLost:
            return


class Hub:
    """The surfaces that are connected now."""

    def __init__(self) -> None:
        self._surfaces: list[Surface] = []

    def attach(self, surface: Surface) -> None:
        self._surfaces.append(surface)

    def detach(self, link: Link) -> None:
        self._surfaces = [surface for surface in self._surfaces if surface.link is not link]

    def following(self, session: SessionId) -> Iterable[Surface]:
        return [surface for surface in self._surfaces if surface.follows(session)]

    def tell(self, session: SessionId, frame: Conversing) -> None:
        """Send a frame to everyone who follows the session."""
        for surface in self._surfaces:
            if surface.follows(session):
                surface.tell(frame)

    def committed(self, stored: Stored) -> None:
        """Show a row that is on disk to whoever follows its session."""
        self.tell(stored.row.session, Row(stored.row.session, stored.payload))
