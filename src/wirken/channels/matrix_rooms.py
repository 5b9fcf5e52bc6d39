"""What is known of the rooms that the bot is in, asked for once and again after it changed."""

from __future__ import annotations

from typing import Final

from wirken.channels.matrix_errors import NOT_FOUND, Answered
from wirken.channels.matrix_http import Wire, path, read
from wirken.channels.matrix_machine import Machine
from wirken.channels.matrix_types import Event, Json, Members, text
from wirken.channels.recent import Recent
from wirken.domain import channel_limits as limits

_TWO: Final = 2
"""Members of a conversation that is none of a group: a person and the bot."""


class Rooms:
    """Raises what `Wire.call` raises."""

    def __init__(self, wire: Wire, machine: Machine) -> None:
        self._wire, self._machine = wire, machine
        self._members = Recent[str, dict[str, str] | None](limits.MATRIX_REMEMBERED)
        self._in_clear = Recent[str, bool](limits.MATRIX_REMEMBERED)

    def changed(self, room: str, event: Event) -> None:
        """Take a state event of a room."""
        if event.type == "m.room.encryption":
            self._machine.now_encrypted(room)
        elif event.type == "m.room.member":
            self._members.put(room, None)
            self._machine.anew(room)

    async def members(self, room: str) -> dict[str, str]:
        """Return who is in a room, and how each is called there."""
        known = self._members.get(room, None)
        if known is None:
            answer = await self._wire.call("GET", path("rooms", room, "joined_members"))
            joined = read(answer, Members).joined
            known = {user: text(read(bytes(raw), Json), "display_name") for user, raw in joined.items()}
            self._members.put(room, known)
        return known

    async def is_group(self, room: str) -> bool:
        return len(await self.members(room)) > _TWO

    async def is_encrypted(self, room: str) -> bool:
        if self._machine.is_encrypted(room):
            return True
        if self._in_clear.get(room, False):
            return False
        try:
            await self._wire.call("GET", path("rooms", room, "state", "m.room.encryption"))
        except Answered as told:
            if told.status != NOT_FOUND:
                raise
            self._in_clear.put(room, True)
            return False
        self._machine.now_encrypted(room)
        return True
