"""Discord's messages and interactions as what people said and pressed. Computes and touches nothing."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Final, NamedTuple, TypeAlias

from wirken.channels.contract import CHOICES, Attachment, Choice, Press, Received, Undeliverable
from wirken.channels.discord_types import File, Interaction, Message, User
from wirken.domain import channel_limits as limits
from wirken.domain.ids import conversation_id
from wirken.domain.limits import SENDER_NAME
from wirken.domain.platforms import Discord, SessionHandle
from wirken.domain.text import clean

Handle: TypeAlias = SessionHandle[Discord]

COMMANDS: Final = {
    "new": "Begin a new conversation",
    "stop": "Stop what is being done",
    "status": "What is going on",
    "whoami": "Who you are here",
    "help": "What you can say",
}
"""Slash commands: what each does, in Discord's menu."""

_CONVERSATION: Final = re.compile(r"(g?)([0-9]{1,20})")
_MESSAGE: Final = re.compile(r"([0-9]{1,20}):([0-9]{1,20})(?::[0-9a-f]+)?")
_PRESSED: Final = re.compile(r"([A-Za-z0-9_-]{1,64}):(once|session|30d|deny)")
_MENTION: Final = re.compile(r"<@!?([0-9]{1,20})>")
_SAID: Final = (0, 19)
"""Types of messages that people write: plain ones and replies ("Message Types")."""
_COMMAND: Final = 2
_COMPONENT: Final = 3


class Place(NamedTuple):
    """Where a message goes. A thread is a channel of its own; `guild`: others listen there."""

    channel: str
    guild: bool = False


class MessageId(NamedTuple):
    channel: str
    message: str

    def __str__(self) -> str:
        return f"{self.channel}:{self.message}"


def handle(place: Place) -> Handle:
    """Return the conversation of a channel: its id, after a `g` in a guild."""
    return SessionHandle(conversation_id(f"{'g' if place.guild else ''}{place.channel}"))


def place(conversation: Handle) -> Place:
    """Return the channel of a conversation. Raises `Undeliverable` for one that is none of Discord's."""
    found = _CONVERSATION.fullmatch(conversation.conversation)
    if found is None:
        raise Undeliverable("This is no conversation of Discord.")
    return Place(found[2], bool(found[1]))


def message_id(platform_id: str) -> MessageId | None:
    """Return which message an id of ours names; None for anything else, such as a command."""
    found = _MESSAGE.fullmatch(platform_id)
    return MessageId(found[1], found[2]) if found else None


def received(message: Message, me: str, prefix: str, *, guild: bool, edited: bool = False) -> Received[Discord] | None:
    """Return what a person said; None for what no person said, or what says nothing.

    Bots and webhooks are not heard, so that two of them cannot talk for ever. Discord changes a message by itself, too,
    when it has looked at a link: that has no time of an edit, and is none. `me` is the account of the bot.
    """
    sender = message.author
    if sender is None or sender.bot or message.webhook_id is not None or message.type not in _SAID:
        return None
    if edited and not message.edited_timestamp:
        return None
    files = tuple(_files(message))
    text, called = _addressed(message, me, prefix)
    if not (text or files):
        if not called:
            return None
        text = "/help"  # its name and nothing else
    replied = message.referenced_message
    answers = replied is not None and replied.author is not None and replied.author.id == me
    return Received(
        platform_id=_platform_id(message, edited),
        conversation=handle(Place(message.channel_id, guild)),
        sender=sender.id,
        sender_name=_name(sender),
        text=text,
        group=guild,
        mentioned=guild and (called or answers),
        edited=edited,
        files=files,
    )


def _platform_id(message: Message, edited: bool) -> str:
    """An edit is told by its time and its content, for one may come twice."""
    own = MessageId(message.channel_id, message.id)
    if not edited:
        return str(own)
    said = repr((message.edited_timestamp, message.content, [file.filename for file in message.attachments]))
    return f"{own}:{hashlib.sha256(said.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def _name(user: User) -> str:
    return clean(user.global_name or user.username)[:SENDER_NAME]


# --- text -----------------------------------------------------------------------------------------------


def _addressed(message: Message, me: str, prefix: str) -> tuple[str, bool]:
    """Return the text without what called the bot, and whether something did."""
    kept, called = unmentioned(clean(message.content), me, {user.id: _name(user) for user in message.mentions})
    if not called and prefix and kept.startswith(prefix):
        kept, called = kept.removeprefix(prefix).lstrip(), True
    return "\n".join(filter(None, (kept, *_told(message)))), called


def unmentioned(text: str, me: str, names: dict[str, str]) -> tuple[str, bool]:
    """Return `text` without the mentions of the bot, and whether there were any; others become `@name`.

    The comma or the blank after a mention of the bot goes with it.
    """
    called = False

    def replaced(found: re.Match[str]) -> str:
        nonlocal called
        if found[1] != me:
            return f"@{names[found[1]]}" if found[1] in names else found[0]
        called = True
        return "\0"

    kept = _MENTION.sub(replaced, text)
    return re.sub(r"\0[ ,:]*", "", kept).strip(), called


def _told(message: Message) -> Iterator[str]:
    """What is no text and no file, in words."""
    for snapshot in message.message_snapshots:
        yield f"[Forwarded] {clean(snapshot.message.content)}".rstrip()
    for sticker in message.sticker_items:
        yield clean(f"[Sticker {sticker.name}]")


def _files(message: Message) -> Iterator[Attachment]:
    yield from map(_attachment, message.attachments)
    for snapshot in message.message_snapshots:
        yield from map(_attachment, snapshot.message.attachments)


def _attachment(file: File) -> Attachment:
    name = clean(file.filename).replace("\\", "/").rpartition("/")[2].strip(". ")
    return Attachment(
        name=name[-limits.DISCORD_NAME :] or "file",
        media_type=clean(file.content_type or "").partition(";")[0].strip() or "application/octet-stream",
        size=max(file.size, -1),
        reference=file.url,
    )


# --- interactions ---------------------------------------------------------------------------------------


def button(approval: str, choice: Choice) -> str:
    """Return what a button carries. Raises `Undeliverable` where that would be more than Discord takes."""
    data = f"{approval}:{choice}"
    if len(data) > limits.DISCORD_BUTTON or _PRESSED.fullmatch(data) is None:
        raise Undeliverable("The question's id does not fit a button.")
    return data


def actor(interaction: Interaction) -> User | None:
    """Return who did it, as Discord reports it; None where it does not, and for bots."""
    user = interaction.member.user if interaction.member is not None else interaction.user
    return None if user is None or user.bot else user


def press(interaction: Interaction) -> Press[Discord] | None:
    """Return who pressed what; None for a button that is none of ours."""
    user, data, message, channel = (
        actor(interaction),
        interaction.data,
        interaction.message,
        interaction.channel_id,
    )
    if interaction.type != _COMPONENT or user is None or data is None or message is None or channel is None:
        return None
    found = _PRESSED.fullmatch(data.custom_id)
    if found is None:
        return None
    choice = next(choice for choice in CHOICES if choice == found[2])
    where = handle(Place(channel, interaction.guild_id is not None))
    return Press(user.id, where, found[1], choice, str(MessageId(channel, message.id)))


def command(interaction: Interaction) -> Received[Discord] | None:
    """Return a slash command as the word that it is; None for one that is none of ours."""
    user, data, channel = actor(interaction), interaction.data, interaction.channel_id
    if interaction.type != _COMMAND or user is None or channel is None or data is None or data.name not in COMMANDS:
        return None
    guild = interaction.guild_id is not None
    return Received(
        platform_id=f"{channel}:i{interaction.id}",
        conversation=handle(Place(channel, guild)),
        sender=user.id,
        sender_name=_name(user),
        text=f"/{data.name}",
        group=guild,
        mentioned=guild,
    )
