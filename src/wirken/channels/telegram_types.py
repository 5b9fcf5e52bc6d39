"""What is read of the Bot API's objects (core.telegram.org/bots/api), each field checked as it is decoded."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

Id: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**52), le=2**52)]
"""At most 52 significant bits ("Chat", `id`)."""


class User(msgspec.Struct, frozen=True):
    id: Id
    is_bot: bool = False
    first_name: str = ""
    last_name: str = ""
    username: str = ""


class Chat(msgspec.Struct, frozen=True):
    id: Id
    type: str = ""


class Entity(msgspec.Struct, frozen=True):
    """A part of a text that means something; in UTF-16 units."""

    type: str
    offset: Id
    length: Id
    user: User | None = None


class Media(msgspec.Struct, frozen=True):
    """A file of any kind. `file_size` is what Telegram says, -1 where it does not."""

    file_id: str
    file_size: Id = -1
    file_name: str = ""
    mime_type: str = ""
    emoji: str = ""
    is_animated: bool = False
    is_video: bool = False


class Location(msgspec.Struct, frozen=True):
    latitude: float
    longitude: float


class Venue(msgspec.Struct, frozen=True):
    title: str = ""
    address: str = ""


class Contact(msgspec.Struct, frozen=True):
    phone_number: str = ""
    first_name: str = ""
    last_name: str = ""


class PollOption(msgspec.Struct, frozen=True):
    text: str = ""


class Poll(msgspec.Struct, frozen=True):
    question: str = ""
    options: tuple[PollOption, ...] = ()


class Topic(msgspec.Struct, frozen=True):
    name: str = ""


class Replied(msgspec.Struct, frozen=True, rename={"sender": "from"}):
    """The message that another one answers."""

    message_id: Id
    sender: User | None = None
    forum_topic_created: Topic | None = None
    """There where a message in a topic answers nothing but the topic's first line."""


class Message(msgspec.Struct, frozen=True, rename={"sender": "from"}):
    message_id: Id
    chat: Chat
    sender: User | None = None
    sender_chat: Chat | None = None
    """The chat in whose name somebody wrote who stays unknown."""
    message_thread_id: Id = 0
    is_topic_message: bool = False
    is_automatic_forward: bool = False
    edit_date: Id = 0
    reply_to_message: Replied | None = None
    text: str = ""
    entities: tuple[Entity, ...] = ()
    caption: str = ""
    caption_entities: tuple[Entity, ...] = ()
    photo: tuple[Media, ...] = ()
    document: Media | None = None
    animation: Media | None = None
    audio: Media | None = None
    video: Media | None = None
    video_note: Media | None = None
    voice: Media | None = None
    sticker: Media | None = None
    location: Location | None = None
    venue: Venue | None = None
    contact: Contact | None = None
    poll: Poll | None = None


class CallbackQuery(msgspec.Struct, frozen=True, rename={"sender": "from"}):
    id: str
    sender: User
    message: Message | None = None
    """Of a message that is too old only the chat and the id are known."""
    data: str = ""


class Update(msgspec.Struct, frozen=True):
    update_id: Id
    message: Message | None = None
    edited_message: Message | None = None
    callback_query: CallbackQuery | None = None


class _Numbered(msgspec.Struct):
    update_id: Id


class _Answer(msgspec.Struct):
    ok: bool
    result: list[msgspec.Raw]


class Nonsense(ValueError):
    """An answer of the Bot API that it cannot have given."""


def updates(answer: bytes) -> list[Update]:
    """Return the updates of a successful `getUpdates`.

    One that is malformed is there with its number alone, so that it is confirmed like one that says nothing to us; one
    without a number is left out. Raises `Nonsense` for an answer that has no update to go on with, yet is not empty.
    """
    try:
        parts = msgspec.json.decode(answer, type=_Answer).result
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise Nonsense from None
    found = [update for part in parts if (update := _update(part)) is not None]
    if parts and not found:
        raise Nonsense
    return found


def _update(part: msgspec.Raw) -> Update | None:
    try:
        return msgspec.json.decode(part, type=Update)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        pass
    try:
        return Update(msgspec.json.decode(part, type=_Numbered).update_id)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
