"""Matrix for the contract suite: a real homeserver, and people whose clients are not ours."""

from __future__ import annotations

import asyncio
import json
import secrets
import urllib.request
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any, Final
from urllib.parse import quote, unquote

from nio.crypto.attachments import decrypt_attachment, encrypt_attachment
from tests.support.channel_rig import Can, Offered, Seen, Step
from tests.support.matrix_front import Front
from tests.support.matrix_people import Heard, Person, person
from tests.support.synapse import NAME, Synapse

from wirken.channels.contract import Choice
from wirken.channels.matrix_convert import SIGNS, Place, handle
from wirken.domain.platforms import Kind, Matrix

TOLD: Final = 30.0
"""Seconds in which a reaction is answered; it takes milliseconds."""


class MatrixRig:
    """`async with MatrixRig(synapse) as rig`: an account for the bot, and what stands before the homeserver."""

    kind: type[Kind] = Matrix
    module = "wirken.channels.matrix"
    can = Can(buttons=False, knows_keys=True)

    def __init__(self, synapse: Synapse) -> None:
        self._synapse, self.front = synapse, Front(synapse.url)
        self._password = secrets.token_hex(8)
        local = f"wirken-{secrets.token_hex(4)}"
        synapse.register(local, self._password)
        self.user = f"@{local}:{NAME}"
        self.settings: Mapping[str, str] = {}
        self.secrets: Mapping[str, str] = {"password": self._password, "store_key": "the key of the store"}
        self._stack = AsyncExitStack()
        self._people: dict[str, Person] = {}
        self._logins: dict[str, tuple[str, str]] = {}
        """User id and password by short name."""
        self._rooms: dict[str, str] = {}
        self._files: dict[str, bytes] = {}
        self._admin = ""
        self.front.taken = self._shown

    async def _shown(self, path: str, body: bytes) -> None:
        """Return once the clients of those in a room have what was sent there."""
        event_id = json.loads(body).get("event_id")
        for known in self._people.values():
            if event_id and unquote(path).split("/rooms/")[1].partition("/")[0] in known.client.rooms:
                await known.until(lambda known=known: any(one.get("event_id") == event_id for one in known.raw))  # type: ignore[misc]  # mypy infers no lambda with defaults

    async def __aenter__(self) -> MatrixRig:
        await self.front.start()
        self.settings = {"homeserver": self.front.url, "user": self.user}
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()
        await self.front.stop()

    # --- users ------------------------------------------------------------------------------------------

    def _login(self, user: str) -> tuple[str, str]:
        if user not in self._logins:
            local, password = f"{user}-{secrets.token_hex(4)}", secrets.token_hex(8)
            token = str(self._synapse.register(local, password)["access_token"])
            self._logins[user] = (f"@{local}:{NAME}", password)
            asked = {
                "invite": [self.user],
                "is_direct": True,
                "initial_state": [
                    {
                        "type": "m.room.encryption",
                        "state_key": "",
                        "content": {"algorithm": "m.megolm.v1.aes-sha2"},
                    }
                ],
            }
            made = self._synapse.call("POST", "/_matrix/client/v3/createRoom", asked, token)
            self._rooms[user] = str(made["room_id"])
        return self._logins[user]

    async def _person(self, user: str) -> Person:
        """Somebody whom the bot is in a room with: invited where admitted, else it was there before."""
        if user not in self._people:
            known = await self._stack.enter_async_context(person(self._synapse, user, self._login(user)))
            self._people[user] = known
            if user == "mallory":
                await asyncio.to_thread(self._goes, self._rooms[user])
            await known.sees(self._rooms[user], self.user)
        return self._people[user]

    def _goes(self, room: str) -> None:
        """Let the bot be in a room, as if whoever opened it had been admitted then."""
        asked = {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": self.user},
            "password": self._password,
        }
        token = str(self._synapse.call("POST", "/_matrix/client/v3/login", asked)["access_token"])
        self._synapse.call("POST", f"/_matrix/client/v3/rooms/{quote(room)}/join", {}, token)
        self._synapse.call("POST", "/_matrix/client/v3/logout", {}, token)

    def _admins(self) -> str:
        if not self._admin:
            made = self._synapse.register(f"admin-{secrets.token_hex(4)}", secrets.token_hex(8), admin=True)
            self._admin = str(made["access_token"])
        return self._admin

    def sender(self, user: str) -> str:
        return self._login(user)[0]

    def conversation(self, user: str) -> str:
        self._login(user)
        return handle(Place(self._rooms[user])).conversation

    async def says(self, user: str, text: str, *files: Offered) -> str:
        by = await self._person(user)
        if not files:
            return await by.says(self._rooms[user], text)
        [file] = files
        locked, keys = encrypt_attachment(file.data)
        address = await asyncio.to_thread(self._upload, by, locked)
        content = {
            "msgtype": "m.file",
            "body": text,
            "filename": file.name,
            "file": {**keys, "url": address},
            "info": {"size": file.claims if file.claims >= 0 else len(file.data), "mimetype": file.media_type},
        }
        return await by.sends(self._rooms[user], "m.room.message", content)

    def _upload(self, by: Person, data: bytes) -> str:
        request = urllib.request.Request(f"{self._synapse.url}/_matrix/media/v3/upload", data, method="POST")
        request.add_header("Authorization", f"Bearer {by.client.access_token}")
        request.add_header("Content-Type", "application/octet-stream")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return str(json.loads(answer.read())["content_uri"])

    async def repeats(self, platform_id: str) -> None:
        self.front.again.append(self.front.event(platform_id))

    async def edits(self, user: str, platform_id: str, text: str) -> str:
        by = await self._person(user)
        return f"{await by.edits(self._rooms[user], platform_id, text)}~{platform_id}"

    async def presses(self, user: str, message: Seen, choice: Choice) -> str:
        """React; somebody who is not in the room is let in first."""
        by = await self._person(user)
        room = self._room_of(message)
        if room != self._rooms[user]:
            owner = next(name for name, one in self._rooms.items() if one == room)
            await self._people[owner].client.room_invite(room, by.user)
            await by.joins(room)
            await by.sees(room, self.user)
        before = len(self._notices(by, room))
        edits = self._edits(by, room, message.message_id)
        await by.reacts(room, message.message_id, SIGNS[choice])
        async with asyncio.timeout(TOLD):
            while True:
                if len(notices := self._notices(by, room)) > before:
                    return notices[-1].body
                if self._edits(by, room, message.message_id) > edits:
                    return ""
                await asyncio.sleep(0.02)

    def _room_of(self, message: Seen) -> str:
        return next(
            room for one in self._people.values() for room, heard in one.heard.items() if message.message_id in heard
        )

    def _edits(self, by: Person, room: str, event_id: str) -> int:
        return sum(
            (event["content"].get("m.relates_to") or {}).get("event_id") == event_id
            and (event["content"].get("m.relates_to") or {}).get("rel_type") == "m.replace"
            for event in by.raw
        )

    def _notices(self, by: Person, room: str) -> list[Heard]:
        return [one for one in by.from_others(room) if one.content.get("msgtype") == "m.notice"]

    def seen(self, user: str) -> tuple[Seen, ...]:
        by = self._people.get(user)
        if by is None:
            return ()
        heard = by.from_others(self._rooms[user])
        return tuple(self._seen(by, one) for one in heard if one.sender == self.user)

    def _seen(self, by: Person, heard: Heard) -> Seen:
        content = heard.content
        asks = "\n\nSigns: " in heard.body
        relates: dict[str, Any] = content.get("m.relates_to") or {}
        return Seen(
            message_id=heard.event_id,
            text=heard.body,
            raw=str(content.get("formatted_body", "")),
            buttons=tuple(choice for choice, sign in SIGNS.items() if asks and sign in heard.body),
            reply_to=str((relates.get("m.in_reply_to") or {}).get("event_id", "")),
            file_name=str(content.get("filename", "")),
            data=self._data(by, heard),
            edits=heard.edits,
        )

    def _data(self, by: Person, heard: Heard) -> bytes:
        locked = heard.content.get("file")
        if not locked:
            return b""
        if heard.event_id not in self._files:
            place = locked["url"].removeprefix("mxc://")
            request = urllib.request.Request(f"{self._synapse.url}/_matrix/client/v1/media/download/{place}")
            request.add_header("Authorization", f"Bearer {by.client.access_token}")
            with urllib.request.urlopen(request, timeout=60) as answer:
                self._files[heard.event_id] = decrypt_attachment(
                    answer.read(), locked["key"]["k"], locked["hashes"]["sha256"], locked["iv"]
                )
        return self._files[heard.event_id]

    def acknowledged(self, platform_id: str) -> bool:
        return self.front.acknowledged(platform_id.partition("~")[0])

    # --- fate -------------------------------------------------------------------------------------------

    async def goes_away(self) -> None:
        await self.front.stop()

    async def comes_back(self) -> None:
        await self.front.start()

    async def drops(self) -> None:
        self.front.cut()

    async def revokes(self) -> None:
        where = f"/_synapse/admin/v1/deactivate/{quote(self.user)}"
        await asyncio.to_thread(self._synapse.call, "POST", where, {"erase": False}, self._admins())

    def slows(self, seconds: float, times: int = 1) -> None:
        self.front.slow_downs.extend([seconds] * times)

    def holds(self, step: Step) -> None:
        self.front.hold.at(step)

    async def held(self) -> None:
        await self.front.hold.reached.wait()

    def releases(self) -> None:
        self.front.hold.release()
