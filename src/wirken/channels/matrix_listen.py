"""Matrix's way in: syncs, of which each is kept as read only once the gateway has what it brought."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Final
from urllib.parse import urlencode

import msgspec

from wirken.channels.contract import GatewayAway, House, PlatformAway, SlowDown, Undeliverable
from wirken.channels.lanes import Lanes
from wirken.channels.matrix_errors import Answered, telling
from wirken.channels.matrix_http import path, read
from wirken.channels.matrix_progress import Progress
from wirken.channels.matrix_reading import Reading
from wirken.channels.matrix_session import Session
from wirken.channels.matrix_types import Event, Joined, Messages, Sync, events, objects, part, text
from wirken.domain import channel_limits as limits
from wirken.domain.platforms import Matrix

_FILTER: Final = msgspec.json.encode(
    {
        "presence": {"not_types": ["*"]},
        "account_data": {"not_types": ["*"]},
        "room": {
            "timeline": {"limit": limits.MATRIX_TIMELINE},
            "state": {"lazy_load_members": True},
            "ephemeral": {"not_types": ["*"]},
            "account_data": {"not_types": ["*"]},
        },
    }
).decode()
_SAID: Final = ("m.room.message", "m.room.encrypted", "m.reaction")


class Listening:
    """One connected time. `listen` ends by an error of the port, or by being cancelled."""

    def __init__(self, session: Session, house: House[Matrix], reading: Reading) -> None:
        self._at, self._house, self._reading = session, house, reading
        self._lanes = Lanes()
        self._reread = False

    async def listen(self, connected: Callable[[], None]) -> None:
        """Hand over what comes. `connected` is told once nothing that is said from then on can be missed."""
        progress = Progress(self._at.machine.keep_token)
        tending = asyncio.ensure_future(self._tend())
        try:
            since, waits = self._at.machine.token, 0.0
            while True:
                came = await progress.meanwhile(self._sync(since, waits))
                progress.add(came.next_batch, await self._works(came, since))
                since, waits = came.next_batch, limits.MATRIX_SYNC
                connected()
                await progress.settle(0, limits.MATRIX_HOLDS)
                await progress.settle(limits.MATRIX_BEHIND, None)
                if tending.done():
                    tending.result()
        finally:
            tending.cancel()
            await progress.stop()
            await asyncio.gather(tending, return_exceptions=True)

    async def _sync(self, since: str, waits: float) -> Sync:
        asked = {"timeout": str(int(waits * 1000)), "filter": _FILTER}
        if since:
            asked["since"] = since
        with telling():
            where = f"{path('sync')}?{urlencode(asked)}"
            return read(await self._at.wire.call("GET", where, waits=waits + limits.MATRIX_ANSWER_TIME), Sync)

    async def _works(self, came: Sync, since: str) -> list[Coroutine[object, object, None]]:
        """Take the keys of a sync, and return what else is to be done about it."""
        for one in objects(came.to_device.events):
            self._at.machine.to_device(one)
        self._at.machine.changed(came.device_lists.changed)
        self._at.machine.left(came.device_one_time_keys_count)
        with telling():
            await self._at.keys.settle()
        works = []
        if came.to_device.events or not self._reread:  # keys may have come
            self._reread = True
            works = [self._event(unread.room, unread.event) for unread in self._at.state.unread]
        for room, invited in came.rooms.invite.items():
            works.extend(self._invites(room, events(invited.invite_state.events)))
        for room in came.rooms.leave:
            self._at.state.drop_invite(room)
        for room, joined in came.rooms.join.items():
            works.extend(await self._joined(room, joined, since))
        return works

    async def _joined(self, room: str, joined: Joined, since: str) -> list[Coroutine[object, object, None]]:
        self._at.state.drop_invite(room)
        said = list(events(joined.timeline.events))
        for event in (*events(joined.state.events), *said):
            if event.state_key is not None:
                self._at.rooms.changed(room, event)
        if not since:
            return []  # what was said before this device was there
        if joined.timeline.limited and self._came(said) < 0:
            with telling():
                said = [*await self._gap(room, joined.timeline.prev_batch, since), *said]
        said = said[self._came(said) + 1 :]
        return [
            self._event(room, event)
            for event in said
            if event.type in _SAID and event.state_key is None and event.sender != self._at.me.user
        ]

    def _came(self, said: list[Event]) -> int:
        """Return where the bot came into the room, -1 if it was there: what was said before is not said to it."""
        return max(
            (
                index
                for index, event in enumerate(said)
                if event.type == "m.room.member"
                and event.state_key == self._at.me.user
                and event.text("membership") == "join"
                and text(part(event.unsigned, "prev_content"), "membership") != "join"
            ),
            default=-1,
        )

    async def _gap(self, room: str, before: str, since: str) -> list[Event]:
        """Return what was said in a room between two syncs that the second does not hold."""
        found: list[Event] = []
        while before and len(found) < limits.MATRIX_GAP:
            asked = urlencode({"dir": "b", "from": before, "to": since, "limit": str(limits.MATRIX_PAGE)})
            answer = await self._at.wire.call("GET", f"{path('rooms', room, 'messages')}?{asked}")
            page = read(answer, Messages)
            found.extend(events(page.chunk))
            before = page.end if page.chunk else ""
        if before:
            await self._reading.too_much(room)
        return found[::-1]

    # --- invitations ------------------------------------------------------------------------------------

    def _invites(self, room: str, came: Iterable[Event]) -> list[Coroutine[object, object, None]]:
        for event in came:
            if event.type == "m.room.member" and event.state_key == self._at.me.user:
                self._at.state.keep_invite(room, event.sender)
                return [self._invited(room, event.sender)]
        return []

    async def _invited(self, room: str, sender: str) -> None:
        await self._until_done(lambda: self._invite(room, sender))

    async def _invite(self, room: str, sender: str) -> None:
        """Go where somebody admitted asks the bot to; who is not may be, later."""
        if not await self._house.admits(sender):
            return
        try:
            await self._at.wire.call("POST", path("rooms", room, "join"), {})
        except Answered as told:
            if told.status not in (403, 404):
                raise
        self._at.state.drop_invite(room)

    async def _tend(self) -> None:
        """Look after what waits: invitations, and events without keys."""
        waited = limits.MATRIX_INVITES_EVERY
        while True:
            await self._until_done(self._reading.tell_unread)
            if waited >= limits.MATRIX_INVITES_EVERY:
                waited = 0.0
                for room, sender in self._at.state.invites.items():
                    await self._invited(room, sender)
            await asyncio.sleep(limits.MATRIX_TEND)
            waited += limits.MATRIX_TEND

    # --- events -----------------------------------------------------------------------------------------

    async def _event(self, room: str, event: Event) -> None:
        async with self._lanes.of(room):
            await self._until_done(lambda: self._reading.read(room, event))

    async def _until_done(self, work: Callable[[], Coroutine[object, object, None]]) -> None:
        """Do it until gateway and homeserver are there for it; what can never be done is left."""
        while True:
            pause = limits.MATRIX_AGAIN
            try:
                with telling():
                    await work()
                    return
            except Undeliverable:
                return
            except SlowDown as slow:
                pause = slow.seconds
            except (GatewayAway, PlatformAway):
                pass
            await asyncio.sleep(pause)
