"""Slack, by Socket Mode and the Web API with slack-sdk."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

from wirken.channels.contract import (
    Attachment,
    House,
    PlatformAway,
    Question,
    SlowDown,
    Traits,
    Undeliverable,
)
from wirken.channels.given import Given
from wirken.channels.recent import Recent
from wirken.channels.render.pieces import Piece
from wirken.channels.slack_convert import (
    Handle,
    Me,
    MessageId,
    Place,
    buttons,
    client_id,
    own_message,
    place,
    sections,
)
from wirken.channels.slack_errors import NoAnswer, telling
from wirken.channels.slack_listen import Listening
from wirken.channels.slack_pace import Pace
from wirken.channels.slack_people import Names, Threads
from wirken.channels.slack_socket import connected
from wirken.channels.slack_web import Wire
from wirken.domain import channel_limits as limits
from wirken.domain.limits import SHARED_FILE
from wirken.domain.platforms import Slack

_HOSTED: Final = "https://slack.com/api"
_USER: Final = re.compile(r"[UW][A-Z0-9]{1,24}")
_TS: Final = re.compile(r"[0-9]{1,12}\.[0-9]{1,8}")
_FILE: Final = re.compile(r"F[A-Z0-9]{1,24}")


def platform(given: Given) -> SlackPlatform:
    """Return the platform; nothing is sent before it runs. Wants a running event loop."""
    token = given.secrets["bot_token"].reveal().decode()
    api = given.settings.get("api_url", _HOSTED).rstrip("/")
    return SlackPlatform(given, Wire(token, api, given.proxy, given.ca_file))


class SlackPlatform:
    """One app in one workspace. Message ids are `<channel>:<ts>`; conversations are made by `slack_convert.handle`."""

    traits = Traits(
        dialect="slack",
        edit_every=limits.SLACK_EDIT_EVERY,
        typing_every=limits.SLACK_TYPING_EVERY,
        file_most=SHARED_FILE,
    )

    def __init__(self, given: Given, wire: Wire) -> None:
        self._given, self._wire = given, wire
        self._names = Names(wire)
        self._edits = Pace(given.clock, limits.SLACK_EDITS, limits.SLACK_EDIT_GAP)
        self._sent = Recent[str, str](limits.SLACK_REMEMBERED)
        self._threads = Threads(wire, given.clock)
        self._status = Recent[str, bool](limits.SLACK_REMEMBERED)
        """Threads: does a status stand there that a new message would take away? Those that have none are False."""

    async def close(self) -> None:
        """Close the connections; the end of the process does that as well."""
        await self._wire.close()

    async def run(self, house: House[Slack]) -> None:
        try:
            await self._listen(house)
        except Undeliverable as refused:
            raise PlatformAway(str(refused)) from None

    async def _listen(self, house: House[Slack]) -> None:
        with telling():
            known = await self._wire.auth_test()
            user, name = known.get("user_id"), known.get("user")
            if not isinstance(user, str) or _USER.fullmatch(user) is None or not isinstance(name, str):
                raise NoAnswer("Slack does not say who the bot is.")
        token = self._given.secrets["app_token"]
        socket = await connected(self._wire, token)
        house.connected(f"@{name}")
        me = Me(user, self._given.settings.get("prefix", ""))
        await Listening(self._wire, token, house, me, self._names, self._threads, self._given.clock).listen(socket)

    # --- out --------------------------------------------------------------------------------------------

    async def send(self, conversation: Handle, piece: Piece, key: str, reply_to: str = "") -> str:
        return await self._send(conversation, piece, key)

    async def ask(self, conversation: Handle, question: Question, key: str, reply_to: str = "") -> str:
        *before, last = question.pieces
        row = buttons(question.approval, question.choices)
        for number, piece in enumerate(before):
            await self._send(conversation, piece, f"{key}:{number}")
        return await self._send(conversation, last, key, [*sections(last.plain), row])

    async def _send(
        self, conversation: Handle, piece: Piece, key: str, blocks: list[dict[str, object]] | None = None
    ) -> str:
        """Send one message: no previews, no names looked up, nothing linked that we did not link."""
        if (known := self._sent.get(key, None)) is not None:
            return known
        at = place(conversation)
        with telling():
            sent = await self._wire.chat_postMessage(
                channel=at.channel,
                text=piece.markup,
                blocks=blocks,
                thread_ts=at.thread or None,
                unfurl_links=False,
                unfurl_media=False,
                link_names=False,
                parse="none",
                client_msg_id=client_id(key),
            )
            ts = sent.get("ts")
            if not isinstance(ts, str) or _TS.fullmatch(ts) is None:
                raise NoAnswer("Slack does not say which message it has sent.")
        self._spoken(conversation, at)
        return self._sent.put(key, str(MessageId(at.channel, ts)))

    def _spoken(self, conversation: Handle, at: Place) -> None:
        if at.thread:
            self._threads.joined(conversation)
            if self._status.get(conversation.conversation, False):
                self._status.put(conversation.conversation, False)

    async def edit(self, conversation: Handle, message_id: str, piece: Piece) -> None:
        own, at = own_message(message_id), place(conversation)
        left = self._edits.take()
        if left > 0:
            raise SlowDown("Slack bears fewer edits.", left)
        with telling():
            await self._wire.chat_update(
                channel=own.channel, ts=own.ts, text=piece.markup, blocks=[], link_names=False, parse="none"
            )
        if self._status.get(conversation.conversation, False):  # an edit does not take it away
            self._status.put(conversation.conversation, False)
            await self._set_status(at, "")

    async def typing(self, conversation: Handle) -> None:
        """Show a status; Slack has one in threads alone, and where the app may not set it nobody misses it."""
        at = place(conversation)
        if at.thread and await self._set_status(at, "is working on it…"):
            self._status.put(conversation.conversation, True)

    async def _set_status(self, at: Place, status: str) -> bool:
        with suppress(PlatformAway, Undeliverable), telling():
            await self._wire.assistant_threads_setStatus(channel_id=at.channel, thread_ts=at.thread, status=status)
            return True
        return False

    # --- files ------------------------------------------------------------------------------------------

    async def fetch(self, file: Attachment) -> AsyncIterator[bytes]:
        with telling():
            told = (await self._wire.files_info(file=file.reference)).get("file")
            url = (told.get("url_private_download") or told.get("url_private")) if isinstance(told, dict) else None
            if not isinstance(url, str):
                raise Undeliverable("Slack has this file no more.")
            async for piece in self._wire.download(url, file.media_type):
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
        """Send a file. Its caption goes before it: a comment of a file cannot be kept from showing previews."""
        if (known := self._sent.get(key, None)) is not None:
            return known
        at = place(conversation)
        if caption is not None:
            await self._send(conversation, caption, f"{key}:caption")
        with telling():
            given = await self._wire.files_getUploadURLExternal(filename=name, length=len(data))
            url, file = given.get("upload_url"), given.get("file_id")
            if not isinstance(url, str) or not isinstance(file, str) or _FILE.fullmatch(file) is None:
                raise NoAnswer("Slack does not say where it wants the file.")
            await self._wire.upload(url, data)
            await self._wire.files_completeUploadExternal(
                files=[{"id": file, "title": name}], channel_id=at.channel, thread_ts=at.thread or None
            )
        self._spoken(conversation, at)
        return self._sent.put(key, f"{at.channel}:{file}")
