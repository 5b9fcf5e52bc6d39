"""Has the homeserver, and other people's devices, know the keys that they need."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from itertools import count

from wirken.channels.matrix_http import Wire, path, read
from wirken.channels.matrix_machine import Devices, Machine
from wirken.channels.matrix_types import Json, part


class Keys:
    """Moves keys. Raises what `Wire.call` raises. `began` (ms) makes the names of what is sent new in each process."""

    def __init__(self, wire: Wire, machine: Machine, me: str, device: str, began: int) -> None:
        self._wire, self._machine, self._me, self._device = wire, machine, me, device
        self._names = (f"{began}.{number}" for number in count())
        self._lock = asyncio.Lock()
        self._introduced = 0

    async def _introduce(self) -> None:
        """Let the homeserver have the keys of this device; it forgets them when somebody ends its login."""
        logins = self._wire.logins
        if self._introduced == logins:
            return
        answer = await self._post("query", {"device_keys": {self._me: []}})
        if self._device not in part(part(answer, "device_keys"), self._me):
            self._machine.forgotten()
        self._introduced = logins

    async def settle(self) -> None:
        """Send whatever the keys' own life needs to have sent."""
        async with self._lock:
            await self._introduce()
            self._machine.settle()
            while upload := self._machine.to_upload():
                self._machine.uploaded(await self._post("upload", upload))
            if wedged := self._machine.wedged():
                await self._claim(wedged)
                self._machine.give_up(wedged)
            for message in self._machine.outgoing():
                await self._to_devices(message.type, message.as_dict())
                self._machine.sent(message)

    async def know(self, users: Iterable[str], *, again: bool = False) -> None:
        """Learn the devices of people, where they are not known."""
        asked = sorted(users) if again else self._machine.unknown(users)
        if asked:
            wanted: dict[str, list[str]] = {user: [] for user in asked}
            self._machine.queried(asked, await self._post("query", {"device_keys": wanted}))

    async def encrypted(self, room: str, members: Iterable[str], kind: str, content: Json) -> Json:
        """Return content that the devices of a room's members can read, and nobody else."""
        async with self._lock:
            if self._machine.must_share(room):
                await self.know(members)
                if missing := self._machine.without_session(members):
                    await self._claim(missing)
                for given, messages in self._machine.shares(room, members):
                    await self._to_devices("m.room.encrypted", messages)
                    self._machine.shared(room, given)
                self._machine.all_shared(room)
            return self._machine.encrypt(room, kind, content)

    async def _claim(self, devices: Devices) -> None:
        wanted = {user: dict.fromkeys(names, "signed_curve25519") for user, names in devices.items()}
        self._machine.claimed(await self._post("claim", {"one_time_keys": wanted}))

    async def _to_devices(self, kind: str, messages: Json) -> None:
        await self._wire.call("PUT", path("sendToDevice", kind, next(self._names)), messages)

    async def _post(self, what: str, content: Json) -> Json:
        return read(await self._wire.call("POST", path("keys", what), content), Json)
