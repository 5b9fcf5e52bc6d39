"""Matrix, by the client-server API, with end-to-end encryption by matrix-nio's Olm machine (vodozemac)."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Final
from urllib.parse import urlsplit

import msgspec

from wirken.channels.contract import (
    CHOICES,
    Attachment,
    House,
    PlatformAway,
    Question,
    Traits,
    Undeliverable,
)
from wirken.channels.given import Given
from wirken.channels.keys import short_key
from wirken.channels.matrix_convert import SIGNS, Handle, Me, Place, Reference, original, place
from wirken.channels.matrix_errors import Answered, Insecure, telling
from wirken.channels.matrix_files import decrypted
from wirken.channels.matrix_http import Wire, client, path, read
from wirken.channels.matrix_keys import Keys
from wirken.channels.matrix_listen import Listening
from wirken.channels.matrix_machine import Machine
from wirken.channels.matrix_nio import encrypt_attachment
from wirken.channels.matrix_reading import APPROVAL, Reading
from wirken.channels.matrix_rooms import Rooms
from wirken.channels.matrix_session import Asked, Session
from wirken.channels.matrix_state import State
from wirken.channels.matrix_types import Json, Profile, Sent
from wirken.channels.render.matrix import content as marked
from wirken.channels.render.pieces import Piece
from wirken.domain import channel_limits as limits
from wirken.domain.limits import SHARED_FILE
from wirken.domain.platforms import Matrix
from wirken.domain.text import clean

_NOT_YET: Final = "The bot is not logged in yet."
_MESSAGE: Final = "m.room.message"


def platform(given: Given) -> MatrixPlatform:
    """Return the platform; nothing is sent before it runs."""
    home = given.settings["homeserver"].rstrip("/")
    wire = Wire(client(given.proxy, given.ca_file), home, given.settings["user"], given.secrets["password"])
    return MatrixPlatform(given, wire)


class MatrixPlatform:
    """One account, one device. Message ids are event ids; conversations are made by `matrix_convert.handle`."""

    traits = Traits(
        dialect="matrix",
        edit_every=limits.MATRIX_EDIT_EVERY,
        typing_every=limits.MATRIX_TYPING_EVERY,
        buttons=False,
        file_most=min(limits.MATRIX_UPLOAD, SHARED_FILE),
    )

    def __init__(self, given: Given, wire: Wire) -> None:
        self._given, self._wire = given, wire
        self._session: Session | None = None
        self._edits = 0

    async def close(self) -> None:
        """Close the connections and the store; the end of the process does that as well."""
        if self._session is not None:
            self._session.machine.close()
        await self._wire.close()

    # --- in ---------------------------------------------------------------------------------------------

    async def run(self, house: House[Matrix]) -> None:
        if not _is_safe(self._given.settings["homeserver"]):
            raise Insecure("The homeserver's address is not https, and it is not on this machine.")
        if self._session is None:
            with telling():
                self._session = await self._log_in()
        session = self._session
        reading = Reading(session, house, self._says, self._given.clock)
        await Listening(session, house, reading).listen(lambda: house.connected(session.me.user))

    async def _log_in(self) -> Session:
        given, folder = self._given, self._given.state
        assert folder is not None, "this kind keeps state"
        state = State(folder, given.settings["user"])
        self._wire.device = state.device
        user = await self._wire.log_in()
        state.is_device(self._wire.device)
        machine = Machine(user, self._wire.device, folder, given.secrets["store_key"])
        keys = Keys(self._wire, machine, user, self._wire.device, given.clock.now())
        try:
            await keys.settle()
            me = Me(user, await self._name(user), given.settings.get("prefix", ""))
        except BaseException:
            machine.close()
            raise
        return Session(me, self._wire, machine, keys, Rooms(self._wire, machine), state)

    async def _name(self, user: str) -> str:
        try:
            answer = await self._wire.call("GET", path("profile", user, "displayname"))
        except Answered:
            return ""
        return clean(read(answer, Profile).displayname or "")

    def _at(self) -> Session:
        if self._session is None:
            raise PlatformAway(_NOT_YET)
        return self._session

    # --- out --------------------------------------------------------------------------------------------

    async def send(self, conversation: Handle, piece: Piece, key: str, reply_to: str = "") -> str:
        return await self._send(conversation, marked(piece.markup, piece.plain), key, reply_to)

    async def _says(self, conversation: Handle, text: str, key: str, reply_to: str) -> None:
        content: Json = {"msgtype": "m.notice", "body": text, "m.mentions": {}}
        await self._send(conversation, content, short_key(key), reply_to)

    async def ask(self, conversation: Handle, question: Question, key: str, reply_to: str = "") -> str:
        *before, last = question.pieces
        for number, piece in enumerate(before):
            await self.send(conversation, piece, f"{key}.{number}", reply_to)
        signs = [f"{SIGNS[choice]} {CHOICES[choice]}" for choice in question.choices]
        content = marked(
            f"{last.markup}<br><br>Signs: {' · '.join(signs)}", f"{last.plain}\n\nSigns: {' · '.join(signs)}"
        )
        content[APPROVAL] = question.approval
        sent = await self._send(conversation, content, key, reply_to)
        self._at().questions.put(sent, Asked(question.approval, conversation))
        return sent

    async def edit(self, conversation: Handle, message_id: str, piece: Piece) -> None:
        about = original(message_id)
        if not about:
            raise Undeliverable("This is no message of Matrix.")
        fresh = marked(piece.markup, piece.plain)
        content: Json = {
            **fresh,
            "body": f"* {fresh['body']}",
            "formatted_body": f"* {fresh['formatted_body']}",
            "m.new_content": fresh,
            "m.relates_to": {"rel_type": "m.replace", "event_id": about},
        }
        self._edits += 1
        with telling():
            await self._put(place(conversation).room, _MESSAGE, content, f"{self._given.clock.now()}.{self._edits}")

    async def _send(self, conversation: Handle, content: Json, key: str, reply_to: str) -> str:
        where = place(conversation)
        with telling():
            if relation := await self._relation(where, original(reply_to)):
                content = {**content, "m.relates_to": relation}
            return await self._put(where.room, _MESSAGE, content, key)

    async def _relation(self, where: Place, reply_to: str) -> Json:
        """Return where in a room a message belongs. With one person it is plain what is answered."""
        if where.thread:
            told: Json = {"event_id": reply_to or where.thread}
            return {
                "rel_type": "m.thread",
                "event_id": where.thread,
                "is_falling_back": not reply_to,
                "m.in_reply_to": told,
            }
        if reply_to and await self._at().rooms.is_group(where.room):
            return {"m.in_reply_to": {"event_id": reply_to}}
        return {}

    async def _put(self, room: str, kind: str, content: Json, key: str) -> str:
        """Send an event, encrypted where the room is. `key` is its transaction id: the same again is the same event."""
        at = self._at()
        if await at.rooms.is_encrypted(room):
            content = await at.keys.encrypted(room, await at.rooms.members(room), kind, content)
            kind = "m.room.encrypted"
        sent = read(await self._wire.call("PUT", path("rooms", room, "send", kind, key), content), Sent).event_id
        at.ours.put(sent, True)
        return sent

    async def typing(self, conversation: Handle) -> None:
        where = path("rooms", place(conversation).room, "typing", self._at().me.user)
        with telling():
            await self._wire.call("PUT", where, {"typing": True, "timeout": int(limits.MATRIX_TYPING * 1000)})

    # --- files ------------------------------------------------------------------------------------------

    async def fetch(self, file: Attachment) -> AsyncIterator[bytes]:
        try:
            lies = msgspec.json.decode(file.reference, type=Reference)
        except msgspec.DecodeError:
            raise Undeliverable("This is no file of Matrix.") from None
        with telling():
            async with aclosing(self._wire.download(lies.server, lies.media)) as raw:
                pieces = raw if lies.encrypted is None else decrypted(raw, lies.encrypted)
                async for piece in pieces:
                    yield piece

    async def send_file(
        self,
        conversation: Handle,
        name: str,
        media_type: str,
        data: bytes,
        caption: Piece | None,
        key: str,
        reply_to: str = "",
    ) -> str:
        room = place(conversation).room
        with telling():
            locked = None
            if await self._at().rooms.is_encrypted(room):
                data, locked = encrypt_attachment(data)
            address = await self._wire.upload(data, "application/octet-stream" if locked else media_type)
        content: Json = {
            "msgtype": "m.file",
            "body": name,
            "filename": name,
            "info": {"size": len(data), "mimetype": media_type},
            "m.mentions": {},
        }
        if caption is not None and caption.plain:
            said = marked(caption.markup, caption.plain)
            content.update({name: said[name] for name in ("body", "format", "formatted_body")})
        content.update({"file": {**locked, "url": address}} if locked else {"url": address})
        return await self._send(conversation, content, key, reply_to)


def _is_safe(address: str) -> bool:
    """Does nobody on the way read what goes there: by TLS, or because it stays on this machine?"""
    parts = urlsplit(address)
    if parts.scheme == "https":
        return True
    host = parts.hostname or ""
    if parts.scheme != "http":
        return False
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
