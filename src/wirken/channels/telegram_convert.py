"""Telegram's updates as what people said and pressed. Computes and touches nothing."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple, TypeAlias

from wirken.channels.contract import CHOICES, Attachment, Choice, Press, Received, Undeliverable
from wirken.channels.telegram_types import CallbackQuery, Chat, Entity, Media, Message, User
from wirken.domain import channel_limits
from wirken.domain.ids import conversation_id
from wirken.domain.limits import SENDER_NAME
from wirken.domain.platforms import SessionHandle, Telegram
from wirken.domain.text import clean

Handle: TypeAlias = SessionHandle[Telegram]

_CONVERSATION: Final = re.compile(r"(g?)([0-9]{1,16})(?::([0-9]{1,16}))?")
_MESSAGE: Final = re.compile(r"(-?[0-9]{1,16}):([0-9]{1,16})(?::[0-9a-f.]+)?")
_PRESSED: Final = re.compile(r"([A-Za-z0-9_-]{1,48}):(once|session|30d|deny)")
_START: Final = re.compile(r"/start(\s.*)?", re.DOTALL)
_GROUPS: Final = ("group", "supergroup")

_KINDS: Final = {
    "photo": ("photo.jpg", "image/jpeg"),
    "document": ("document", "application/octet-stream"),
    "animation": ("animation.mp4", "video/mp4"),
    "audio": ("audio.mp3", "audio/mpeg"),
    "video": ("video.mp4", "video/mp4"),
    "video_note": ("video.mp4", "video/mp4"),
    "voice": ("voice.ogg", "audio/ogg"),
    "sticker": ("sticker.webp", "image/webp"),
}
"""What a file is called and is, where Telegram does not say."""


class Place(NamedTuple):
    """Where a message goes: a chat, and a topic of it or 0."""

    chat: int
    thread: int = 0

    @property
    def group(self) -> bool:
        return self.chat < 0


class MessageId(NamedTuple):
    chat: int
    message: int

    def __str__(self) -> str:
        return f"{self.chat}:{self.message}"


def handle(place: Place) -> Handle:
    """Return the conversation of a chat: its id, `g` for the minus of a group's, `:<topic>` for a topic of it."""
    chat = f"{'g' if place.group else ''}{abs(place.chat)}"
    return SessionHandle(conversation_id(f"{chat}:{place.thread}" if place.thread else chat))


def place(conversation: Handle) -> Place:
    """Return the chat of a conversation. Raises `Undeliverable` for one that is none of Telegram's."""
    found = _CONVERSATION.fullmatch(conversation.conversation)
    if found is None:
        raise Undeliverable("This is no conversation of Telegram.")
    return Place(-int(found[2]) if found[1] else int(found[2]), int(found[3] or 0))


def message_id(platform_id: str) -> MessageId | None:
    """Return which message an id of ours names; None for anything else."""
    found = _MESSAGE.fullmatch(platform_id)
    return MessageId(int(found[1]), int(found[2])) if found else None


def received(message: Message, me: User, prefix: str, *, edited: bool = False) -> Received[Telegram] | None:
    """Return what a person said; None for what no person said, or what says nothing.

    Nobody answers for what is written in the name of a chat (channels, anonymous administrators), and bots are not
    heard, so that two of them cannot talk for ever.
    """
    sender = message.sender
    if sender is None or sender.is_bot or message.sender_chat is not None or message.is_automatic_forward:
        return None
    if message.chat.type not in ("private", *_GROUPS):
        return None
    files = tuple(_files(message))
    text, called = _addressed(message, me, prefix)
    if not (text or files):
        if not called:
            return None
        text = "/help"  # its name and nothing else
    group = message.chat.type in _GROUPS
    return Received(
        platform_id=_platform_id(message, edited),
        conversation=handle(_place(message)),
        sender=str(sender.id),
        sender_name=clean(f"{sender.first_name} {sender.last_name}".strip() or sender.username)[:SENDER_NAME],
        text=text,
        group=group,
        mentioned=group and (called or _answers(message, me)),
        edited=edited,
        files=files,
    )


def _platform_id(message: Message, edited: bool) -> str:
    """An edit is told by its time and its content: two may fall into one second, and one may come twice."""
    own = MessageId(message.chat.id, message.message_id)
    if not edited:
        return str(own)
    said = repr((message.text, message.caption, [file.reference for file in _files(message)]))
    digest = hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{own}:{message.edit_date}.{digest}"


def _place(message: Message) -> Place:
    return Place(message.chat.id, message.message_thread_id if message.is_topic_message else 0)


def _answers(message: Message, me: User) -> bool:
    """Is it a reply to the bot? In a topic, what answers nothing answers the topic's first line."""
    to = message.reply_to_message
    return to is not None and to.sender is not None and to.sender.id == me.id and to.forum_topic_created is None


# --- text -----------------------------------------------------------------------------------------------


def _addressed(message: Message, me: User, prefix: str) -> tuple[str, bool]:
    """Return the text without what called the bot, and whether something did."""
    text = clean(message.text or message.caption)
    marks = message.entities if message.text else message.caption_entities
    kept, called = unmentioned(text, marks, me)
    kept = kept.strip()
    if not called and prefix and kept.startswith(prefix):
        kept, called = kept.removeprefix(prefix).lstrip(), True
    if _START.fullmatch(kept):
        kept = "/help"  # what Telegram's own button sends; its parameter comes from a link, not from a person
    return "\n".join(filter(None, (kept, _told(message)))), called


def unmentioned(text: str, marks: Iterable[Entity], me: User) -> tuple[str, bool]:
    """Return `text` without the mentions of the bot, and whether there were any. `/cmd@bot` becomes `/cmd`.

    Offsets count UTF-16 units, and come from outside: one that points nowhere mentions nobody.
    """
    raw, called, ours = text.encode("utf-16-le"), False, f"@{me.username}".casefold()
    for mark in sorted(marks, key=lambda one: one.offset, reverse=True):
        start, end = mark.offset * 2, (mark.offset + mark.length) * 2
        if not 0 <= start < end <= len(raw):
            continue
        said = raw[start:end].decode("utf-16-le", "replace")
        kept = _without_name(mark, said, ours, me)
        if kept is None:
            continue
        called = True
        after = raw[end:]
        if not kept:  # the comma or the blank after a name goes with it
            after = after.decode("utf-16-le", "replace").lstrip(" ,:").encode("utf-16-le")
        raw = raw[:start] + kept.encode("utf-16-le") + after
    return raw.decode("utf-16-le", "replace"), called


def _without_name(mark: Entity, said: str, ours: str, me: User) -> str | None:
    """Return what stays of a part of a text that calls the bot; None if it does not."""
    match mark.type:
        case "mention" if said.casefold() == ours:
            return ""
        case "text_mention" if mark.user is not None and mark.user.id == me.id:
            return ""
        case "bot_command" if said.casefold().endswith(ours):
            return said[: -len(ours)]
        case _:
            return None


def _told(message: Message) -> str:
    """What is no text and no file, in words."""
    if message.venue is not None and message.location is not None:
        return clean(f"[Place: {message.venue.title}, {message.venue.address} {_spot(message)}]")
    if message.location is not None:
        return f"[Location: {_spot(message)}]" if not message.edit_date else ""  # a moving one is sent once
    if message.contact is not None:
        name = f"{message.contact.first_name} {message.contact.last_name}".strip()
        return clean(f"[Contact: {name}, {message.contact.phone_number}]")
    if message.poll is not None:
        options = "; ".join(option.text for option in message.poll.options)
        return clean(f"[Poll: {message.poll.question} ({options})]")
    if message.sticker is not None:
        return clean(f"[Sticker {message.sticker.emoji}]") if message.sticker.emoji else "[Sticker]"
    return ""


def _spot(message: Message) -> str:
    at = message.location
    return f"{at.latitude:.6f}, {at.longitude:.6f}" if at is not None else ""


# --- files ----------------------------------------------------------------------------------------------


def _files(message: Message) -> Iterator[Attachment]:
    if message.photo:
        yield _attachment("photo", max(message.photo, key=lambda size: size.file_size))
    elif message.animation is not None:  # has a document as well, the same
        yield _attachment("animation", message.animation)
    elif message.sticker is not None:
        yield _sticker(message.sticker)
    else:
        for kind in ("document", "audio", "video", "video_note", "voice"):
            media: Media | None = getattr(message, kind)
            if media is not None:
                yield _attachment(kind, media)


def _attachment(kind: str, media: Media) -> Attachment:
    name, media_type = _KINDS[kind]
    given = clean(media.file_name).replace("\\", "/").rpartition("/")[2].strip(". ")
    return Attachment(
        name=given[-channel_limits.TELEGRAM_NAME :] or name,
        media_type=clean(media.mime_type) or media_type,
        size=max(media.file_size, -1),
        reference=media.file_id,
    )


def _sticker(media: Media) -> Attachment:
    if media.is_animated:
        return Attachment("sticker.tgs", "application/x-tgsticker", max(media.file_size, -1), media.file_id)
    if media.is_video:
        return Attachment("sticker.webm", "video/webm", max(media.file_size, -1), media.file_id)
    return _attachment("sticker", media)


# --- buttons --------------------------------------------------------------------------------------------


def button(approval: str, choice: Choice) -> str:
    """Return what a button carries. Raises `Undeliverable` where that would be more than Telegram takes."""
    data = f"{approval}:{choice}"
    if len(data.encode()) > channel_limits.TELEGRAM_CALLBACK or _PRESSED.fullmatch(data) is None:
        raise Undeliverable("The question's id does not fit a button.")
    return data


def press(query: CallbackQuery) -> Press[Telegram] | None:
    """Return who pressed what; None for a button that is none of ours."""
    found = _PRESSED.fullmatch(query.data)
    if found is None or query.message is None or query.sender.is_bot or not _speaks(query.message.chat):
        return None
    choice = next(choice for choice in CHOICES if choice == found[2])
    own = MessageId(query.message.chat.id, query.message.message_id)
    return Press(str(query.sender.id), handle(_place(query.message)), found[1], choice, str(own))


def _speaks(chat: Chat) -> bool:
    return chat.type in ("", "private", *_GROUPS)
