"""One event of a room at a time: decrypted, understood, handed over; or its sender is told why not."""

from __future__ import annotations

import logging
from typing import Final, Protocol

from wirken.channels.contract import House, Press
from wirken.channels.matrix_convert import Handle, Place, handle, reaction, received, relation, replied_to
from wirken.channels.matrix_machine import NoKey, Spoiled
from wirken.channels.matrix_session import Asked, Session
from wirken.channels.matrix_state import Unread
from wirken.channels.matrix_types import Event, text
from wirken.channels.questions import COUNTS
from wirken.channels.recent import Recent
from wirken.domain import channel_limits as limits
from wirken.domain.clock import Clock
from wirken.domain.ids import BadIdentifier
from wirken.domain.platforms import Matrix

APPROVAL: Final = "wirken.approval"
"""In the content of a question: its id, so that a reaction to it is understood by any later process."""

_log: Final = logging.getLogger("wirken.channels")
_UNREADABLE: Final = "I cannot read a message of yours: its key has not reached me. I asked for it; or say it again."
_SPOILED: Final = "I cannot read a message of yours: it is not by a device that your account shows. Say it again."
_IN_CLEAR: Final = "A message of yours came unencrypted, though this room is encrypted. I have not read it."
_TOO_MUCH: Final = "More was said here while I was away than I can catch up with. I have not read the oldest of it."


class Says(Protocol):
    """Says something to a conversation; the same `key` again is the same message."""

    async def __call__(self, conversation: Handle, text: str, key: str, reply_to: str) -> None: ...


class Reading:
    """Raises `GatewayAway` and what `Wire.call` and `says` raise: then the event is read again."""

    def __init__(self, session: Session, house: House[Matrix], says: Says, clock: Clock) -> None:
        self._at, self._house, self._says, self._clock = session, house, says, clock
        self._told = Recent[tuple[str, str, str], bool](limits.MATRIX_REMEMBERED)

    async def read(self, room: str, event: Event) -> None:
        """Return once an event is dealt with."""
        if event.type == "m.room.encrypted":
            await self._encrypted(room, event)
        elif event.type == "m.room.message" and await self._at.rooms.is_encrypted(room):
            await self._tell(room, event.sender, _IN_CLEAR)  # whoever runs the homeserver could have said it
        else:
            await self._clear(room, event)

    async def _encrypted(self, room: str, event: Event) -> None:
        device = self._at.machine.sender_key(room, event)
        if device and not self._at.machine.knows_device(event.sender, device):
            await self._at.keys.know([event.sender], again=True)
        try:
            clear = self._at.machine.decrypt(room, event)
        except NoKey:
            await self._wait(room, event)
            return
        except Spoiled:
            _log.warning("an encrypted event is not what it says; it is not read")
            await self._tell(room, event.sender, _SPOILED)
            self._at.state.was_read(event.event_id)
            return
        await self._clear(room, clear)
        self._at.state.was_read(event.event_id)

    async def _clear(self, room: str, event: Event) -> None:
        if event.type == "m.reaction":
            await self._reaction(room, event)
            return
        group, to = await self._at.rooms.is_group(room), replied_to(event)
        replies = group and bool(to) and await self._at.is_ours(room, to)
        name = (await self._at.rooms.members(room)).get(event.sender, "")
        said = received(room, event, self._at.me, group=group, name=name, replies=replies)
        if said is not None:
            await self._house.message(said)

    # --- questions --------------------------------------------------------------------------------------

    async def _reaction(self, room: str, event: Event) -> None:
        answer = reaction(event)
        if answer is None or not await self._at.is_ours(room, answer.about):
            return
        asked = self._at.questions.get(answer.about, None) or await self._question(room, answer.about)
        if asked is None:
            return
        press = Press(event.sender, asked.conversation, asked.approval, answer.choice, answer.about)
        said = await self._house.pressed(press)
        if said not in COUNTS.values():  # else the message itself will say it
            await self._says(asked.conversation, said, f"pressed:{event.event_id}", answer.about)

    async def _question(self, room: str, event_id: str) -> Asked | None:
        """Return which question a message of ours asks, that a process before this one sent."""
        event = await self._at.event(room, event_id)
        if event is None or event.sender != self._at.me.user:
            return None
        if event.type == "m.room.encrypted":
            try:
                event = self._at.machine.decrypt(room, event)
            except (NoKey, Spoiled):
                return None
        how, root = relation(event)
        approval = text(event.content, APPROVAL)
        if not approval:
            return None
        where = handle(Place(room, root if how == "m.thread" else ""))
        return self._at.questions.put(event_id, Asked(approval, where))

    # --- what cannot be read ----------------------------------------------------------------------------

    async def _wait(self, room: str, event: Event) -> None:
        if any(one.event.event_id == event.event_id for one in self._at.state.unread):
            return
        self._at.state.keep_unread(Unread(room, event, self._clock.now()))
        if self._at.machine.ask_for_key(room, event):
            await self._at.keys.settle()

    async def tell_unread(self) -> None:
        """Tell whom it concerns, once, that a message cannot be read; its key may still come."""
        before = self._clock.now() - int(limits.MATRIX_KEY_GRACE * 1000)
        for one in self._at.state.unread:
            if not one.told and one.since <= before:
                await self._tell(one.room, one.event.sender, _UNREADABLE)
                self._at.state.keep_unread(Unread(one.room, one.event, one.since, told=True))

    async def too_much(self, room: str) -> None:
        await self._tell(room, "", _TOO_MUCH)

    async def _tell(self, room: str, sender: str, what: str) -> None:
        """Say something once to a person in a room; strangers could make us talk without end."""
        about = (room, sender, what)
        if self._told.get(about, False):
            return
        try:
            where = handle(Place(room))
        except BadIdentifier:
            return
        await self._says(where, f"{sender}: {what}" if sender else what, f"told:{self._clock.now()}:{room}", "")
        self._told.put(about, True)
