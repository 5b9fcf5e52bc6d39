"""Slack's events as what people said and pressed. Computes and touches nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import sha256
from typing import Final, NamedTuple, TypeAlias

from wirken.channels.contract import CHOICES, Attachment, Choice, Press, Received, Undeliverable
from wirken.channels.slack_types import Command, Event, File, Interaction, Said
from wirken.domain import channel_limits as limits
from wirken.domain.ids import conversation_id
from wirken.domain.platforms import SessionHandle, Slack
from wirken.domain.text import clean

Handle: TypeAlias = SessionHandle[Slack]

WORDS: Final = ("new", "stop", "status", "whoami", "help")
"""What a slash command may say without its slash: Slack keeps slashes for itself."""

_TS: Final = r"[0-9]{1,12}\.[0-9]{1,8}"
_CONVERSATION: Final = re.compile(rf"([CDG][A-Z0-9]{{1,24}})(?::({_TS}))?")
_MESSAGE: Final = re.compile(rf"([CDG][A-Z0-9]{{1,24}}):({_TS})")
_APPROVAL: Final = re.compile(r"[A-Za-z0-9_-]{1,48}")
_ACTION: Final = "wirken-"
_MARK: Final = re.compile(r"<([^<>\n]*)>")
_HEARD: Final = (None, "file_share", "thread_broadcast", "me_message")
"""Subtypes of messages that people write; all others tell of something else."""
_GONE: Final = ("tombstone", "hidden_by_limit")


class Me(NamedTuple):
    """Who the bot is: its user id, and what it is called by in channels, if by anything beside its name."""

    user: str
    prefix: str = ""


class Place(NamedTuple):
    """Where a message goes: a conversation of Slack, and a thread of it or nothing."""

    channel: str
    thread: str = ""

    @property
    def group(self) -> bool:
        return not self.channel.startswith("D")


class MessageId(NamedTuple):
    channel: str
    ts: str

    def __str__(self) -> str:
        return f"{self.channel}:{self.ts}"


def handle(place: Place) -> Handle:
    """Return the conversation: the id that Slack gives it, `:<ts>` for a thread of it."""
    made: Handle = SessionHandle(conversation_id(":".join(part for part in place if part)))
    return made


def place(conversation: Handle) -> Place:
    """Return where a conversation is. Raises `Undeliverable` for one that is none of Slack's."""
    found = _CONVERSATION.fullmatch(conversation.conversation)
    if found is None:
        raise Undeliverable("This is no conversation of Slack.")
    return Place(found[1], found[2] or "")


def own_message(platform_id: str) -> MessageId:
    """Return which message of ours an id names. Raises `Undeliverable`."""
    found = _MESSAGE.fullmatch(platform_id)
    if found is None:
        raise Undeliverable("This is no message of Slack.")
    return MessageId(found[1], found[2])


def client_id(key: str) -> str:
    """Return a `client_msg_id` for a key, of the form of a random UUID (RFC 9562, 5.4): the same for the same."""
    digest = sha256(key.encode()).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-4{digest[12:15]}-8{digest[15:18]}-{digest[18:30]}"


# --- what people say ------------------------------------------------------------------------------------


def said(event: Event) -> Said | None:
    """Return the message that an event brings; None for what no person wrote.

    Bots are not heard, so that two of them cannot talk for ever. A message that Slack changed by itself, for a preview
    say, was not edited.
    """
    if event.type not in ("message", "app_mention") or not event.channel:
        return None
    message: Said = event
    if event.subtype == "message_changed":
        if event.message is None or event.message.edited is None or not event.message.edited.ts:
            return None
        message = event.message
    if message.bot_id or message.user is None or message.user == "USLACKBOT" or not message.ts:
        return None
    return message if message.subtype in _HEARD else None


def where(event: Event, message: Said) -> Place:
    """Return the conversation of a message: in a channel it is the thread that it stands in, or that it begins."""
    place = Place(event.channel, message.thread_ts)
    return Place(place.channel, message.ts) if place.group and not place.thread else place


def received(event: Event, message: Said, me: Me) -> Received[Slack] | None:
    """Return what a person said, whose name stays to be found; None for what says nothing."""
    files = tuple(_attachment(file) for file in message.files if file.mode not in (*_GONE, "external"))
    text, called = _addressed(message.text or "", me)
    text = "\n".join(part for part in (text, *_elsewhere(message.files)) if part)
    if message.user is None or message.user == me.user:
        return None
    if not (text or files):
        if not called:
            return None
        text = "/help"  # its name and nothing else
    at = where(event, message)
    edit = message.edited.ts if event.subtype == "message_changed" and message.edited is not None else ""
    return Received(
        platform_id=f"{MessageId(event.channel, message.ts)}:{edit}".rstrip(":"),
        conversation=handle(at),
        sender=message.user,
        sender_name=message.user,
        text=text,
        group=at.group,
        mentioned=at.group and (called or message.parent_user_id == me.user),
        edited=bool(edit),
        files=files,
    )


def _addressed(text: str, me: Me) -> tuple[str, bool]:
    """Return the text as it reads, without the bot's name, and whether it calls the bot."""
    ours = re.compile(rf"<@{re.escape(me.user)}(?:\|[^<>]*)?>[ ,:]*")
    text, named = ours.subn("", text)
    text = plain(text).strip()
    if me.prefix and (text == me.prefix or text.startswith((f"{me.prefix} ", f"{me.prefix}\n"))):
        return text[len(me.prefix) :].strip(), True
    return text, bool(named)


def plain(text: str) -> str:
    """Return Slack's text as it reads: names and links for what stands in angle brackets, signs for entities."""
    text = _MARK.sub(lambda found: _named(found[1]), text)
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _named(mark: str) -> str:
    target, _, label = mark.partition("|")
    match target[:1]:
        case "@" | "#":
            return f"{target[0]}{label.lstrip('@#') or target[1:]}"
        case "!":
            return label or f"@{target[1:].partition('^')[0]}"
        case _:
            address = target.removeprefix("mailto:")
            return address if label in ("", address, _bare(address)) else f"{label} ({address})"


def _bare(address: str) -> str:
    return address.removeprefix("https://").removeprefix("http://").rstrip("/")


# --- files ----------------------------------------------------------------------------------------------


def _attachment(file: File) -> Attachment:
    given = clean(file.name or file.title or "").replace("\\", "/").rpartition("/")[2].strip(". ")
    return Attachment(
        name=given[-limits.SLACK_FILE_NAME :] or "file",
        media_type=clean(file.mimetype or "") or "application/octet-stream",
        size=max(file.size if file.size is not None else -1, -1),
        reference=file.id,
    )


def _elsewhere(files: tuple[File, ...]) -> Iterator[str]:
    """Files that Slack only links to: fetching them would show our token to whoever has them."""
    for file in files:
        if file.mode == "external":
            yield f"[File elsewhere: {clean(file.title or file.name or '')} {clean(file.url_private or '')}]"


# --- buttons and commands -------------------------------------------------------------------------------


def buttons(approval: str, choices: tuple[Choice, ...]) -> dict[str, object]:
    """Return the block with a question's buttons. Raises `Undeliverable` for an id that is none."""
    if _APPROVAL.fullmatch(approval) is None:
        raise Undeliverable("The question's id does not fit a button.")
    return {
        "type": "actions",
        "elements": [
            {
                "type": "button",
                "text": {"type": "plain_text", "text": CHOICES[choice], "emoji": False},
                "action_id": f"{_ACTION}{choice}",
                "value": approval,
                **({"style": "danger"} if choice == "deny" else {}),
            }
            for choice in choices
        ],
    }


def sections(text: str) -> list[dict[str, object]]:
    """Return text that is shown as it stands, in blocks that take it."""
    size = limits.SLACK_SECTION
    return [
        {"type": "section", "text": {"type": "plain_text", "text": text[start : start + size], "emoji": False}}
        for start in range(0, len(text), size)
    ]


def press(told: Interaction) -> Press[Slack] | None:
    """Return who pressed what; None for a button that is none of ours."""
    at = told.container
    if told.type != "block_actions" or len(told.actions) != 1 or not at.channel_id or not at.message_ts:
        return None
    (action,) = told.actions
    choice = next((choice for choice in CHOICES if action.action_id == f"{_ACTION}{choice}"), None)
    if choice is None or _APPROVAL.fullmatch(action.value) is None:
        return None
    thread = at.thread_ts or (told.message.thread_ts if told.message is not None else "")
    own = MessageId(at.channel_id, at.message_ts)
    return Press(told.user.id, handle(Place(at.channel_id, thread)), action.value, choice, str(own))


def commanded(command: Command, name: str) -> Received[Slack]:
    """Return what somebody said by a slash command: one of our words without its slash, or anything else."""
    text = plain(command.text).strip()
    if not text:
        text = "/help"
    elif text.split(maxsplit=1)[0].casefold() in WORDS:
        text = f"/{text}"
    at = Place(command.channel_id)
    return Received(
        platform_id=f"{command.channel_id}:command:{command.trigger_id}",
        conversation=handle(at),
        sender=command.user_id,
        sender_name=name,
        text=text,
        group=at.group,
        mentioned=at.group,
    )
