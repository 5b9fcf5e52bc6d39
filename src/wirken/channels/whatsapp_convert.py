"""WhatsApp's webhooks as what people said and pressed, and questions as its buttons. Computes and touches nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, TypeAlias

from wirken.channels.contract import CHOICES, Attachment, Choice, Press, Received, Undeliverable
from wirken.channels.render.markup import utf16
from wirken.channels.whatsapp_types import Content, Media, Message
from wirken.domain import channel_limits as limits
from wirken.domain.ids import conversation_id
from wirken.domain.limits import SENDER_NAME
from wirken.domain.platforms import SessionHandle, WhatsApp
from wirken.domain.text import clean

Handle: TypeAlias = SessionHandle[WhatsApp]

_NUMBER: Final = re.compile(r"[0-9]{5,20}")
_USER: Final = re.compile(r"[A-Z]{2}(?:\.ENT)?\.[A-Za-z0-9]{1,100}")
_MESSAGE: Final = re.compile(r"[A-Za-z0-9._:+/=-]{1,256}")
_OURS: Final = re.compile(r"wamid\.[A-Za-z0-9+/=_-]{1,250}")
_FILE: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")
_PRESSED: Final = re.compile(r"([A-Za-z0-9_-]{1,48}):(once|session|30d|deny)")

_KINDS: Final = {
    "image": ("photo.jpg", "image/jpeg"),
    "video": ("video.mp4", "video/mp4"),
    "audio": ("audio.ogg", "audio/ogg"),
    "document": ("document", "application/octet-stream"),
    "sticker": ("sticker.webp", "image/webp"),
}
"""What a file is called and is, where WhatsApp does not say."""


class To(NamedTuple):
    """Who a message goes to: a number, or where WhatsApp shows none the id of the person towards this business."""

    number: str | None
    user: str | None


def sender(message: Message) -> str | None:
    """Return who wrote: the number where there is one. None for what no person wrote to the bot alone.

    A number has digits only and the other id begins with letters, so that neither can pass for the other.
    """
    if message.group_id:
        return None
    if _NUMBER.fullmatch(message.sender):
        return message.sender
    return message.sender_user if not message.sender and _USER.fullmatch(message.sender_user) else None


def handle(person: str) -> Handle:
    """Return a person's conversation; its id is the person's."""
    return SessionHandle(conversation_id(person))


def to(conversation: Handle) -> To:
    """Return who a conversation is with. Raises `Undeliverable` for one that is none of WhatsApp's."""
    person = conversation.conversation
    if _NUMBER.fullmatch(person):
        return To(person, None)
    if _USER.fullmatch(person):
        return To(None, person)
    raise Undeliverable("This is no conversation of WhatsApp.")


def is_message(platform_id: str) -> bool:
    """Can this be the id of a message on WhatsApp?"""
    return _MESSAGE.fullmatch(platform_id) is not None


def can_be_quoted(platform_id: str) -> bool:
    """Does this name a message of the Cloud API, as an answer to it must?"""
    return _OURS.fullmatch(platform_id) is not None


def received(message: Message, name: str) -> Received[WhatsApp] | None:
    """Return what a person said; None for what says nothing to us, such as reactions."""
    person = sender(message)
    if person is None or not is_message(message.id):
        return None
    content: Content = message if message.edit is None else message.edit.message
    files = tuple(_files(content))
    text = clean(_text(content)).strip()
    if not (text or files):
        return None
    return Received(
        platform_id=message.id,
        conversation=handle(person),
        sender=person,
        sender_name=clean(name).strip()[:SENDER_NAME],
        text=text,
        edited=message.edit is not None,
        files=files,
    )


def _text(content: Content) -> str:
    if content.text is not None:
        return content.text.body
    if content.button is not None:
        return content.button.text
    if content.location is not None:
        at = content.location
        where = ", ".join(filter(None, (at.name, at.address)))
        return f"[Location: {where + ' ' if where else ''}{at.latitude:.6f}, {at.longitude:.6f}]"
    if content.contacts:
        return "\n".join(
            f"[Contact: {', '.join((card.name.formatted_name, *(phone.phone for phone in card.phones)))}]"
            for card in content.contacts
        )
    return next((media.caption for _, media in _media(content) if media.caption), "")


def _media(content: Content) -> Iterator[tuple[str, Media]]:
    for kind in _KINDS:
        media: Media | None = getattr(content, kind)
        if media is not None:
            yield kind, media


def _files(content: Content) -> Iterator[Attachment]:
    for kind, media in _media(content):
        if _FILE.fullmatch(media.id) is None:
            continue
        name, media_type = _KINDS[kind]
        given = clean(media.filename).replace("\\", "/").rpartition("/")[2].strip(". ")
        said = clean(media.mime_type).partition(";")[0].strip()
        yield Attachment(given[-limits.WHATSAPP_NAME :] or name, said or media_type, -1, media.id)


# --- buttons --------------------------------------------------------------------------------------------


def press(message: Message) -> Press[WhatsApp] | None:
    """Return who pressed what; None for a message that is no press of a button of ours."""
    person = sender(message)
    if person is None or message.interactive is None or not is_message(message.id):
        return None
    chosen = message.interactive.button_reply or message.interactive.list_reply
    found = _PRESSED.fullmatch(chosen.id) if chosen is not None else None
    if found is None:
        return None
    choice = next(choice for choice in CHOICES if choice == found[2])
    about = message.context.id if is_message(message.context.id) else ""
    return Press(person, handle(person), found[1], choice, about)


def interactive(body: str, approval: str, choices: Sequence[Choice]) -> dict[str, object]:
    """Return a question with its answers: reply buttons where they have room, else a list that opens.

    Three buttons of 20 characters under 1024 characters are all that there may be; a list has ten rows of 24 under
    4096. Raises `Undeliverable` where an id fits neither.
    """
    carried = {choice: f"{approval}:{choice}" for choice in choices}
    if not all(_PRESSED.fullmatch(one) for one in carried.values()):
        raise Undeliverable("The question's id does not fit a button.")
    titles = {choice: CHOICES[choice] for choice in choices}
    fits = len(titles) <= limits.WHATSAPP_BUTTONS and utf16(body) <= limits.WHATSAPP_QUESTION
    if fits and all(len(title) <= limits.WHATSAPP_BUTTON for title in titles.values()):
        buttons = [{"type": "reply", "reply": {"id": carried[one], "title": titles[one]}} for one in choices]
        return {"type": "button", "body": {"text": body}, "action": {"buttons": buttons}}
    rows = [{"id": carried[one], "title": titles[one][: limits.WHATSAPP_ROW]} for one in choices]
    sections = [{"title": "Answers", "rows": rows}]
    return {"type": "list", "body": {"text": body}, "action": {"button": "Answer", "sections": sections}}
