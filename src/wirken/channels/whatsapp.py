"""WhatsApp, by the Cloud API with pywa, and by the webhook that it calls."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

import msgspec

from wirken.channels.contract import (
    Attachment,
    House,
    PlatformAway,
    Press,
    Question,
    Revoked,
    Traits,
    Undeliverable,
)
from wirken.channels.given import Given
from wirken.channels.lean import without
from wirken.channels.recent import Recent
from wirken.channels.render import whatsapp as dialect
from wirken.channels.render.markup import utf16
from wirken.channels.render.pieces import Piece, literal
from wirken.channels.webhook import serving
from wirken.channels.whatsapp_convert import Handle, can_be_quoted, interactive, to
from wirken.channels.whatsapp_errors import BAD_CONTENT, Answered, said, telling
from wirken.channels.whatsapp_fates import Fates
from wirken.channels.whatsapp_hook import Hook
from wirken.channels.whatsapp_http import DOWNLOAD, client
from wirken.channels.whatsapp_media import sent_as
from wirken.domain import channel_limits as limits
from wirken.domain.errors import Refused
from wirken.domain.limits import SHARED_FILE
from wirken.domain.platforms import WhatsApp
from wirken.domain.text import brief

with without("click", "rich", "pygments", "fastapi", "flask", "starlette", "cryptography"):
    from pywa_async.client import WhatsApp as Client

import httpx  # noqa: TID251  # isort: skip  # pywa speaks through it; after whatsapp_errors, which loads it lean

_HOSTED: Final = "https://graph.facebook.com"
_FILES: Final = "https://lookaside.fbsbx.com"
"""Where files that people send lie; the token goes there and nowhere else (Cloud API, "Media")."""


class NotProven(Refused):
    """Without a secret anybody could call the webhook in WhatsApp's name."""

    hint = "Store it: `wirken channel add whatsapp` asks for it."


class NoPort(Refused):
    """Nobody can call: the supervisor gave no listener."""

    hint = "The port of the webhook is taken, or this was not started by `wirken run`."


class _Number(msgspec.Struct):
    display_phone_number: str = ""
    verified_name: str = ""


class _Taken(msgspec.Struct):
    id: str


class _Sent(msgspec.Struct):
    messages: tuple[_Taken, ...]


class _File(msgspec.Struct):
    url: str
    sha256: str


def platform(given: Given) -> WhatsAppPlatform:
    """Return the platform; nothing is sent before it runs. Raises `NotProven` without app secret or verify token."""
    if not (given.secrets.get("app_secret") and given.secrets.get("verify_token")):
        raise NotProven("WhatsApp's app secret or verify token is empty, so no call could be told from a forged one.")
    if given.listener is None:
        raise NoPort("WhatsApp's webhook has no port.")
    return WhatsAppPlatform(given, client(given.proxy, given.ca_file), given.listener)


class WhatsAppPlatform:
    """One phone number. Message ids are WhatsApp's own; a conversation's id is the person's number, or user id."""

    traits = Traits(
        dialect="whatsapp",
        typing_every=limits.WHATSAPP_TYPING_EVERY,
        file_most=min(limits.WHATSAPP_DOCUMENT, SHARED_FILE),
    )

    def __init__(self, given: Given, http: httpx.AsyncClient, listener: socket.socket) -> None:
        self._phone_id = given.settings["phone_id"]
        self._secrets = given.secrets["app_secret"], given.secrets["verify_token"]
        self._http, self._listener = http, listener
        token = given.secrets["token"].reveal().decode()
        self._api = Client(self._phone_id, token, session=http).api
        self._files = httpx.URL(_FILES)
        if own := given.settings.get("api_url", "").rstrip("/"):
            http.base_url = httpx.URL(str(http.base_url).replace(_HOSTED, own))
            self._files = httpx.URL(own)
        self._fates = Fates()
        self._sent = Recent[str, str](limits.WHATSAPP_REMEMBERED)
        self._uploaded = Recent[str, str](limits.WHATSAPP_REMEMBERED)
        self._last = Recent[str, str](limits.WHATSAPP_REMEMBERED)

    async def close(self) -> None:
        """Close the connections; the end of the process does that as well."""
        await self._http.aclose()

    async def run(self, house: House[WhatsApp]) -> None:
        """Be called, and look from time to time whether the token still holds: no call says that it does not."""
        hook = Hook(self._phone_id, self._secrets, house, self._fates, self._last, self._tell)
        async with serving(self._listener, hook, limits.WHATSAPP_CALL, head_proves=False):
            while True:
                try:
                    house.connected(await self._number())
                except PlatformAway as away:
                    house.away(str(away))
                    await asyncio.sleep(limits.WHATSAPP_CHECK_AGAIN)
                except Undeliverable as refused:
                    raise Revoked(str(refused)) from None
                else:
                    await asyncio.sleep(limits.WHATSAPP_CHECK)

    async def _number(self) -> str:
        with telling():
            asked = ("display_phone_number", "verified_name")
            known = msgspec.convert(await self._api.get_business_phone_number(self._phone_id, asked), _Number)
        return brief(f"{known.display_phone_number} {known.verified_name}".strip()) or self._phone_id

    # --- out --------------------------------------------------------------------------------------------

    async def send(self, conversation: Handle, piece: Piece, key: str, reply_to: str = "") -> str:
        quoted = self._quoted(conversation, reply_to)
        return await self._send(conversation, "text", _text(piece), key, quoted)

    async def ask(self, conversation: Handle, question: Question, key: str, reply_to: str = "") -> str:
        *before, last = question.pieces
        for number, piece in enumerate(before):
            await self.send(conversation, piece, f"{key}:{number}", reply_to)
        shown = interactive(last.markup, question.approval, question.choices)
        return await self._send(conversation, "interactive", shown, key, self._quoted(conversation, reply_to))

    async def edit(self, conversation: Handle, message_id: str, piece: Piece) -> None:
        """Say it in a message that quotes the one that it is about: nothing can be edited here."""
        about = message_id if can_be_quoted(message_id) else ""
        await self._send(conversation, "text", _text(piece), f"edit:{message_id}:{piece.plain}", about)

    async def typing(self, conversation: Handle) -> None:
        """Show it under the newest message, which counts as read then, if there was one since the process began."""
        newest = self._last.get(conversation.conversation, "")
        if newest:
            with telling():
                await self._api.set_indicator(self._phone_id, newest, "text")

    def _quoted(self, conversation: Handle, reply_to: str) -> str:
        """Return what an answer quotes: nothing where it follows what it answers."""
        follows = self._last.get(conversation.conversation, "") == reply_to
        return "" if follows or not can_be_quoted(reply_to) else reply_to

    async def _send(self, conversation: Handle, kind: str, content: dict[str, object], key: str, quoted: str) -> str:
        """Return the message's id once WhatsApp has sent it on; raise where it says that it will not."""
        known = self._sent.get(key, "")
        if known:
            return known
        sent = await self._taken(conversation, kind, content, quoted)
        self._sent.put(key, sent)
        code = await self._fates.of(sent)
        if code:
            self._sent.put(key, "")
            raise said(code)
        return sent

    async def _taken(self, conversation: Handle, kind: str, content: dict[str, object], quoted: str) -> str:
        """Return the message's id once the Graph API has it. What it quotes may be gone; then it quotes nothing."""
        person = to(conversation)

        async def post(about: str | None) -> object:
            return await self._api.send_message(
                self._phone_id, person.number, person.user, "individual", kind, content, about
            )

        with telling():
            try:
                answer = await post(quoted or None)
            except Answered as told:
                if not quoted or told.code not in BAD_CONTENT:
                    raise
                answer = await post(None)
            (sent,) = msgspec.convert(answer, _Sent).messages
        return sent.id

    async def _tell(self, pressed: Press[WhatsApp], platform_id: str, words: str) -> None:
        """Tell who pressed a button what became of it, if that can be done at once."""
        pieces = literal(words, dialect.DIALECT)
        with suppress(PlatformAway, Undeliverable, Revoked, TimeoutError):
            async with asyncio.timeout(limits.WHATSAPP_TELL):
                await self._taken(pressed.conversation, "text", _text(pieces[0]), platform_id)

    # --- files ------------------------------------------------------------------------------------------

    async def fetch(self, file: Attachment) -> AsyncIterator[bytes]:
        digest = hashlib.sha256()
        with telling():
            there = msgspec.convert(await self._api.get_media_url(file.reference), _File)
            address = httpx.URL(there.url)
            if (address.scheme, address.netloc, address.userinfo) != (self._files.scheme, self._files.netloc, b""):
                raise Undeliverable("WhatsApp says that the file lies somewhere else.")
            async with self._http.stream("GET", address, extensions={DOWNLOAD: True}) as response:
                async for piece in response.aiter_raw(2**20):
                    digest.update(piece)
                    yield piece
        if digest.digest() not in _digests(there.sha256):
            raise PlatformAway("A file came other than WhatsApp says it is.")

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
        shape, kind = sent_as(media_type, data)
        short = caption is not None and shape != "audio" and utf16(caption.markup) <= limits.WHATSAPP_CAPTION
        content: dict[str, object] = {"id": await self._upload(name, kind, data, key)}
        if shape == "document":
            content["filename"] = name
        if caption is not None and short:
            content["caption"] = caption.markup
        sent = await self._send(conversation, shape, content, key, self._quoted(conversation, reply_to))
        if caption is not None and not short:
            await self._send(conversation, "text", _text(caption), f"{key}:caption", sent)
        return sent

    async def _upload(self, name: str, kind: str, data: bytes, key: str) -> str:
        known = self._uploaded.get(key, "")
        if known or self._sent.get(key, ""):
            return known
        with telling():
            answer = await self._api.upload_media(self._phone_id, data, kind, name)
            taken = msgspec.convert(answer, _Taken)
        return self._uploaded.put(key, taken.id)


def _text(piece: Piece) -> dict[str, object]:
    return {"body": piece.markup, "preview_url": False}


def _digests(told: str) -> tuple[bytes, ...]:
    """Return what a digest may mean: it is told in hexadecimal or in Base64."""
    found = []
    with suppress(ValueError):
        found.append(bytes.fromhex(told))
    with suppress(ValueError, binascii.Error):
        found.append(base64.b64decode(told, validate=True))
    return tuple(found)
