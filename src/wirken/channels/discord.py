"""Discord, by its gateway and its REST interface, over aiohttp (docs/adr/0027-discord-without-a-library.md)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final, TypeAlias

from wirken.channels.contract import (
    CHOICES,
    Attachment,
    Choice,
    House,
    PlatformAway,
    Question,
    Revoked,
    Traits,
    Undeliverable,
)
from wirken.channels.discord_convert import COMMANDS, Handle, MessageId, button, message_id, place
from wirken.channels.discord_errors import INTENT_OFF
from wirken.channels.discord_http import Upload, Wire
from wirken.channels.discord_listen import Listening
from wirken.channels.discord_pace import Route
from wirken.channels.discord_replies import NOBODY
from wirken.channels.discord_session import Session
from wirken.channels.discord_state import load
from wirken.channels.discord_types import Application, Sent, User
from wirken.channels.given import Given
from wirken.channels.keys import short_key
from wirken.channels.recent import Recent
from wirken.channels.render.pieces import Piece
from wirken.domain import channel_limits as limits
from wirken.domain.limits import SHARED_FILE
from wirken.domain.platforms import Discord
from wirken.domain.text import clean

Body: TypeAlias = dict[str, object]

_ME: Final = Route("GET", "/users/@me", "/users/@me")
_APPLICATION: Final = Route("GET", "/applications/@me", "/applications/@me")
_CONTENT_FLAGS: Final = 1 << 18 | 1 << 19
"""The application may read what messages say: verified, or in few servers ("Application Flags")."""
_NO_PREVIEW: Final = 1 << 2
"""Message flag SUPPRESS_EMBEDS."""
_ROW, _BUTTON = 1, 2
_GREEN, _GREY, _RED = 3, 2, 4
_IN_A_NAME: Final = re.compile(r'[\x00-\x1f\x7f"\\/]')


def platform(given: Given) -> DiscordPlatform:
    """Return the platform; nothing is sent before it runs."""
    token = given.secrets["token"].reveal().decode()
    wire = Wire(token, given.settings.get("api_url", ""), given.proxy, given.ca_file, given.clock)
    return DiscordPlatform(given, wire, token)


class DiscordPlatform:
    """One bot. Message ids are `<channel>:<message>`; conversations are made by `discord_convert.handle`."""

    traits = Traits(
        dialect="discord",
        edit_every=limits.DISCORD_EDIT_EVERY,
        typing_every=limits.DISCORD_TYPING_EVERY,
        file_most=min(limits.DISCORD_UPLOAD, SHARED_FILE),
    )

    def __init__(self, given: Given, wire: Wire, token: str) -> None:
        self._given, self._wire, self._token = given, wire, token
        self._sent = Recent[str, str](limits.DISCORD_KNOWN)
        self._listening: Listening | None = None
        self._name = ""

    async def close(self) -> None:
        """Close the connections; the end of the process does that as well."""
        await self._wire.close()

    async def run(self, house: House[Discord]) -> None:
        if self._listening is None:
            self._listening = await self._introduced()
        await self._listening.listen(house, self._name)

    async def _introduced(self) -> Listening:
        """Learn who we are, and whether people's messages can be read; put the commands into the menu."""
        me = await self._wire.get(_ME, User)
        application = await self._wire.get(_APPLICATION, Application)
        if not application.flags & _CONTENT_FLAGS:
            raise PlatformAway(INTENT_OFF)
        with suppress(PlatformAway, Undeliverable, Revoked):  # a menu; what is wrong shows in what follows
            path = f"/applications/{application.id}/commands"
            await self._wire.call(Route("PUT", path, "/applications/commands"), _commands())
        self._name = clean(me.username)
        given = self._given
        session = Session(load(given.state, me.id))
        return Listening(self._wire, session, given.state, given.settings.get("prefix", ""), self._token, given.clock)

    # --- out --------------------------------------------------------------------------------------------

    async def send(self, conversation: Handle, piece: Piece, key: str, reply_to: str = "") -> str:
        return await self._create(conversation, {"content": piece.markup}, key, reply_to)

    async def ask(self, conversation: Handle, question: Question, key: str, reply_to: str = "") -> str:
        *before, last = question.pieces
        for number, piece in enumerate(before):
            await self.send(conversation, piece, short_key(key, number), reply_to)
        row = {"type": _ROW, "components": [_button(question.approval, choice) for choice in question.choices]}
        components = [row] if question.choices else []
        return await self._create(conversation, {"content": last.markup, "components": components}, key, reply_to)

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
        file = Upload(_IN_A_NAME.sub("_", name), "application/octet-stream", data)
        body: Body = {"attachments": [{"id": 0, "filename": file.name}]}
        if caption is not None:
            body["content"] = caption.markup
        return await self._create(conversation, body, key, reply_to, file)

    async def _create(
        self, conversation: Handle, body: Body, key: str, reply_to: str, file: Upload | None = None
    ) -> str:
        """Send a message, or return the one that was sent with this key (`nonce`)."""
        if (known := self._sent.get(key, None)) is not None:
            return known
        where = place(conversation)
        body |= {"nonce": key, "enforce_nonce": True, "allowed_mentions": NOBODY, "flags": _NO_PREVIEW}
        to = message_id(reply_to)
        if to is not None and where.guild and to.channel == where.channel:  # with one person it is plain what is meant
            body["message_reference"] = {"message_id": to.message, "fail_if_not_exists": False}
        route = Route("POST", f"/channels/{where.channel}/messages", "/channels/messages", where.channel)
        sent = await self._wire.put(route, body, Sent, file)
        return self._sent.put(key, str(MessageId(sent.channel_id, sent.id)))

    async def edit(self, conversation: Handle, message_id: str, piece: Piece) -> None:
        own = _own(message_id)
        path = f"/channels/{own.channel}/messages/{own.message}"
        route = Route("PATCH", path, "/channels/messages/message", own.channel)
        body = {"content": piece.markup, "components": [], "allowed_mentions": NOBODY, "flags": _NO_PREVIEW}
        await self._wire.call(route, body)

    async def typing(self, conversation: Handle) -> None:
        channel = place(conversation).channel
        await self._wire.call(Route("POST", f"/channels/{channel}/typing", "/channels/typing", channel))

    def fetch(self, file: Attachment) -> AsyncIterator[bytes]:
        return self._wire.download(file.reference)


def _own(platform_id: str) -> MessageId:
    own = message_id(platform_id)
    if own is None:
        raise Undeliverable("This is no message of Discord.")
    return own


def _button(approval: str, choice: Choice) -> Body:
    style = _RED if choice == "deny" else _GREEN if choice == "once" else _GREY
    return {"type": _BUTTON, "style": style, "label": CHOICES[choice], "custom_id": button(approval, choice)}


def _commands() -> list[Body]:
    """Commands of the application, in servers that it is in and in direct messages with it."""
    return [
        {"name": name, "type": 1, "description": told, "contexts": [0, 1], "integration_types": [0]}
        for name, told in COMMANDS.items()
    ]
