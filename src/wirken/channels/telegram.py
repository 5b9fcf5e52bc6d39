"""Telegram, by long polling of the Bot API with python-telegram-bot."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Final, TypeVar

from wirken.channels.contract import (
    CHOICES,
    Attachment,
    House,
    PlatformAway,
    Question,
    Revoked,
    SlowDown,
    Traits,
    Undeliverable,
)
from wirken.channels.given import Given
from wirken.channels.recent import Recent
from wirken.channels.render.markup import utf16
from wirken.channels.render.pieces import Piece
from wirken.channels.telegram_convert import Handle, MessageId, Place, button, message_id, place
from wirken.channels.telegram_errors import BAD_MARKUP, UNCHANGED, Answered, telling
from wirken.channels.telegram_http import Polls, Wire, client
from wirken.channels.telegram_listen import Listening
from wirken.channels.telegram_types import User
from wirken.domain import channel_limits as limits
from wirken.domain.limits import SHARED_FILE
from wirken.domain.platforms import Telegram

from telegram import (  # isort: skip  # after telegram_errors, which imports it without what nobody needs
    Bot,
    BotCommand,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    LinkPreviewOptions,
    ReplyParameters,
)

T = TypeVar("T")

_HOSTED: Final = "https://api.telegram.org"
_COMMANDS: Final = (
    ("new", "Begin a new conversation"),
    ("stop", "Stop what is being done"),
    ("status", "What is going on"),
    ("whoami", "Who you are here"),
    ("help", "What you can say"),
)
_NO_PREVIEW: Final = LinkPreviewOptions(is_disabled=True)


def platform(given: Given) -> TelegramPlatform:
    """Return the platform; nothing is sent before it runs."""
    token = given.secrets["token"].reveal().decode()
    api = given.settings.get("api_url", _HOSTED).rstrip("/")
    http = client(given.proxy, given.ca_file)
    wire, polls = Wire(http), Polls(http)
    files = f"{api}/file/bot{token}/"
    bot = Bot(token, f"{api}/bot", f"{api}/file/bot", request=wire, get_updates_request=polls)
    return TelegramPlatform(given, bot, wire, polls, files)


class TelegramPlatform:
    """One bot. Message ids are `<chat>:<message>`; conversations are made by `telegram_convert.handle`."""

    traits = Traits(
        dialect="telegram",
        edit_every=limits.TELEGRAM_EDIT_EVERY,
        typing_every=limits.TELEGRAM_TYPING_EVERY,
        file_most=min(limits.TELEGRAM_UPLOAD, SHARED_FILE),
    )

    def __init__(self, given: Given, bot: Bot, wire: Wire, polls: Polls, files: str) -> None:
        self._bot, self._wire, self._polls, self._files = bot, wire, polls, files
        self._prefix = given.settings.get("prefix", "")
        self._clock = given.clock
        self._sent = Recent[str, str](limits.TELEGRAM_REMEMBERED)
        self._moved = Recent[int, int](limits.TELEGRAM_REMEMBERED)
        self._edited = Recent[int, float](limits.TELEGRAM_REMEMBERED)

    async def close(self) -> None:
        """Close the connections; the end of the process does that as well."""
        await self._wire.shutdown()

    async def run(self, house: House[Telegram]) -> None:
        with telling():
            known = await self._bot.get_me()
            me = User(known.id, is_bot=True, first_name=known.first_name, username=known.username or "")
            await self._bot.delete_webhook()  # with one set there is nothing to poll
        with suppress(PlatformAway, Undeliverable, Revoked), telling():  # a menu; what is wrong shows in the first poll
            await self._bot.set_my_commands([BotCommand(*command) for command in _COMMANDS])
        house.connected(f"@{me.username}")
        await Listening(self._bot, self._polls, house, me, self._prefix, self._clock).listen()

    # --- out --------------------------------------------------------------------------------------------

    async def send(self, conversation: Handle, piece: Piece, key: str, reply_to: str = "") -> str:
        return await self._send(conversation, piece, key, reply_to)

    async def ask(self, conversation: Handle, question: Question, key: str, reply_to: str = "") -> str:
        *before, last = question.pieces
        for number, piece in enumerate(before):
            await self._send(conversation, piece, f"{key}:{number}", reply_to)
        buttons = [
            InlineKeyboardButton(CHOICES[choice], callback_data=button(question.approval, choice))
            for choice in question.choices
        ]
        rows = InlineKeyboardMarkup([buttons[start : start + 2] for start in range(0, len(buttons), 2)])
        return await self._send(conversation, last, key, reply_to, rows)

    async def _send(
        self, conversation: Handle, piece: Piece, key: str, reply_to: str, rows: InlineKeyboardMarkup | None = None
    ) -> str:
        if (known := self._sent.get(key, None)) is not None:
            return known
        where = place(conversation)

        async def send(chat: int, text: str, mode: str | None) -> MessageId:
            sent = await self._bot.send_message(
                chat,
                text,
                parse_mode=mode,
                link_preview_options=_NO_PREVIEW,
                message_thread_id=where.thread or None,
                reply_parameters=_reply(reply_to),
                reply_markup=rows,
            )
            return MessageId(chat, sent.message_id)

        with telling():
            sent = await self._there(where.chat, lambda chat: _marked(piece, lambda *said: send(chat, *said)))
        return self._sent.put(key, str(sent))

    async def edit(self, conversation: Handle, message_id: str, piece: Piece) -> None:
        where = place(conversation)
        self._keep_pace(where)
        own = _own(message_id)

        async def edit(text: str, mode: str | None) -> None:
            await self._bot.edit_message_text(
                text, own.chat, own.message, parse_mode=mode, link_preview_options=_NO_PREVIEW
            )

        with telling():
            try:
                await _marked(piece, edit)
            except Answered as told:
                if not told.about(*UNCHANGED):
                    raise

    def _keep_pace(self, where: Place) -> None:
        """Raise `SlowDown` where a group's message is edited more often than Telegram bears with."""
        if not where.group:
            return
        now = self._clock.monotonic()
        left = self._edited.get(where.chat, 0.0) + limits.TELEGRAM_GROUP_EDIT_EVERY - now
        if left > 0:
            raise SlowDown("Telegram bears fewer edits in a group.", left)
        self._edited.put(where.chat, now)

    async def typing(self, conversation: Handle) -> None:
        where = place(conversation)
        with telling():
            await self._there(
                where.chat,
                lambda chat: self._bot.send_chat_action(chat, "typing", message_thread_id=where.thread or None),
            )

    async def _there(self, chat: int, act: Callable[[int], Awaitable[T]]) -> T:
        """Act in a chat, or in the one that it became: a group that grows gets another id."""
        try:
            return await act(self._moved.get(chat, chat))
        except Answered as told:
            if not told.migrate_to:
                raise
            return await act(self._moved.put(chat, told.migrate_to))

    # --- files ------------------------------------------------------------------------------------------

    async def fetch(self, file: Attachment) -> AsyncIterator[bytes]:
        with telling():
            address = (await self._bot.get_file(file.reference)).file_path or ""
            if not address.startswith(self._files):
                raise Undeliverable("Telegram says that the file lies somewhere else.")
            async for piece in self._wire.download(address):
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
        if (known := self._sent.get(key, None)) is not None:
            return known
        where = place(conversation)
        short = caption is not None and utf16(caption.plain) <= limits.TELEGRAM_CAPTION

        async def send(chat: int, text: str, mode: str | None) -> MessageId:
            sent = await self._bot.send_document(
                chat,
                data,
                filename=name,
                caption=text or None,
                parse_mode=mode,
                disable_content_type_detection=True,
                message_thread_id=where.thread or None,
                reply_parameters=_reply(reply_to),
            )
            return MessageId(chat, sent.message_id)

        said = caption if caption is not None and short else Piece("", "")
        with telling():
            sent = await self._there(where.chat, lambda chat: _marked(said, lambda *said: send(chat, *said)))
        self._sent.put(key, str(sent))
        if caption is not None and not short:
            await self._send(conversation, caption, f"{key}:caption", str(sent))
        return str(sent)


async def _marked(piece: Piece, act: Callable[[str, str | None], Awaitable[T]]) -> T:
    """Act with the markup, and with the plain text where Telegram refuses the markup."""
    try:
        return await act(piece.markup, "HTML")
    except Answered as told:
        if not told.about(*BAD_MARKUP):
            raise
        return await act(piece.plain, None)


def _reply(reply_to: str) -> ReplyParameters | None:
    """Answer the message if it is still there, and say it without where it is gone."""
    to = message_id(reply_to)
    if to is None or not Place(to.chat).group:
        return None  # with one person it is plain what is answered
    return ReplyParameters(to.message, allow_sending_without_reply=True)


def _own(platform_id: str) -> MessageId:
    own = message_id(platform_id)
    if own is None:
        raise Undeliverable("This is no message of Telegram.")
    return own
