"""What belongs together once the bot is logged in."""

from __future__ import annotations

from dataclasses import dataclass, field

from wirken.channels.matrix_convert import Handle, Me
from wirken.channels.matrix_errors import Answered
from wirken.channels.matrix_http import Wire, path, read
from wirken.channels.matrix_keys import Keys
from wirken.channels.matrix_machine import Machine
from wirken.channels.matrix_rooms import Rooms
from wirken.channels.matrix_state import State
from wirken.channels.matrix_types import Event
from wirken.channels.recent import Recent
from wirken.domain import channel_limits as limits


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that was put to people, by its message."""

    approval: str
    conversation: Handle


@dataclass(frozen=True, slots=True)
class Session:
    """One device, logged in. Everything here raises what `Wire.call` raises."""

    me: Me
    wire: Wire
    machine: Machine
    keys: Keys
    rooms: Rooms
    state: State
    ours: Recent[str, bool] = field(default_factory=lambda: Recent(limits.MATRIX_REMEMBERED))
    """Events by id, and whether the bot sent them."""
    questions: Recent[str, Asked] = field(default_factory=lambda: Recent(limits.MATRIX_REMEMBERED))

    async def event(self, room: str, event_id: str) -> Event | None:
        """Return an event as the homeserver has it; None for one that it does not show."""
        try:
            return read(await self.wire.call("GET", path("rooms", room, "event", event_id)), Event)
        except Answered as told:
            if told.status not in (403, 404):
                raise
            return None

    async def is_ours(self, room: str, event_id: str) -> bool:
        """Is this a message of the bot's?"""
        known = self.ours.get(event_id, None)
        if known is not None:
            return known
        event = await self.event(room, event_id)
        return self.ours.put(event_id, event is not None and event.sender == self.me.user)
