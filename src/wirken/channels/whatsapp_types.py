"""What is read of WhatsApp's webhooks (Cloud API, "Webhooks", field `messages`), checked as it is decoded."""

from __future__ import annotations

from typing import TypeVar

import msgspec


class Text(msgspec.Struct, frozen=True):
    body: str = ""


class Media(msgspec.Struct, frozen=True):
    """A file of any kind; its bytes, their number and their digest are asked for by `id`."""

    id: str = ""
    mime_type: str = ""
    caption: str = ""
    filename: str = ""
    voice: bool = False


class Location(msgspec.Struct, frozen=True):
    latitude: float
    longitude: float
    name: str = ""
    address: str = ""


class ContactName(msgspec.Struct, frozen=True):
    formatted_name: str = ""


class ContactPhone(msgspec.Struct, frozen=True):
    phone: str = ""


class Card(msgspec.Struct, frozen=True):
    """A contact that somebody sends."""

    name: ContactName = msgspec.field(default_factory=ContactName)
    phones: tuple[ContactPhone, ...] = ()


class Chosen(msgspec.Struct, frozen=True):
    """What a button or a row of ours carried."""

    id: str = ""


class Interactive(msgspec.Struct, frozen=True):
    button_reply: Chosen | None = None
    list_reply: Chosen | None = None


class Button(msgspec.Struct, frozen=True):
    """The quick reply of a template."""

    text: str = ""


class Context(msgspec.Struct, frozen=True):
    """The message that is answered, or pressed on."""

    id: str = ""


class Content(msgspec.Struct, frozen=True):
    """What a message says; `type` names the one part of it that is there."""

    type: str
    text: Text | None = None
    image: Media | None = None
    video: Media | None = None
    audio: Media | None = None
    document: Media | None = None
    sticker: Media | None = None
    location: Location | None = None
    contacts: tuple[Card, ...] = ()
    interactive: Interactive | None = None
    button: Button | None = None


class Edit(msgspec.Struct, frozen=True):
    message: Content


class Message(Content, frozen=True, kw_only=True, rename={"sender": "from", "sender_user": "from_user_id"}):
    id: str
    sender: str = ""
    """The number of who wrote, where WhatsApp shows it."""
    sender_user: str = ""
    """The id that WhatsApp has for the person towards one business ("Business-scoped user IDs")."""
    group_id: str = ""
    context: Context = msgspec.field(default_factory=Context)
    edit: Edit | None = None


class Failure(msgspec.Struct, frozen=True):
    code: int


class Status(msgspec.Struct, frozen=True):
    """What became of a message of ours: sent, delivered, read or failed."""

    id: str
    status: str
    errors: tuple[Failure, ...] = ()


class Profile(msgspec.Struct, frozen=True):
    name: str = ""


class Contact(msgspec.Struct, frozen=True):
    profile: Profile = msgspec.field(default_factory=Profile)
    wa_id: str = ""
    user_id: str = ""


class _Number(msgspec.Struct, frozen=True):
    phone_number_id: str = ""


class _Value(msgspec.Struct, frozen=True):
    metadata: _Number = msgspec.field(default_factory=_Number)
    contacts: tuple[msgspec.Raw, ...] = ()
    messages: tuple[msgspec.Raw, ...] = ()
    statuses: tuple[msgspec.Raw, ...] = ()


class _Change(msgspec.Struct, frozen=True):
    value: msgspec.Raw
    field: str = ""


class _Entry(msgspec.Struct, frozen=True):
    changes: tuple[_Change, ...] = ()


class _Envelope(msgspec.Struct, frozen=True):
    object: str
    entry: tuple[_Entry, ...] = ()


class Call(msgspec.Struct):
    """Everything for one number that one call of a webhook brought. `unread`: parts that made no sense."""

    messages: list[tuple[Message, str]] = msgspec.field(default_factory=list)
    """Each with the name that its sender chose."""
    statuses: list[Status] = msgspec.field(default_factory=list)
    unread: int = 0


class Nonsense(ValueError):
    """A call that WhatsApp cannot have made."""


T = TypeVar("T")


def call(body: bytes, phone_id: str) -> Call:
    """Return what a call says about the number `phone_id`; about others of the same app it says nothing to us.

    What is malformed is counted and left out. Raises `Nonsense` where nothing can be read.
    """
    envelope = _decoded(msgspec.Raw(body), _Envelope)
    if envelope is None or envelope.object != "whatsapp_business_account":
        raise Nonsense
    found = Call()
    for change in (change for entry in envelope.entry for change in entry.changes):
        if change.field == "messages":
            _read(change.value, phone_id, found)
    return found


def _read(raw: msgspec.Raw, phone_id: str, found: Call) -> None:
    value = _decoded(raw, _Value)
    if value is None:
        found.unread += 1
        return
    if value.metadata.phone_number_id != phone_id:
        return
    names = _names(value.contacts)
    for part in value.statuses:
        if (status := _decoded(part, Status)) is not None:
            found.statuses.append(status)
        else:
            found.unread += 1
    for part in value.messages:
        if (message := _decoded(part, Message)) is not None:
            found.messages.append((message, names.get(message.sender or message.sender_user, "")))
        else:
            found.unread += 1


def _names(contacts: tuple[msgspec.Raw, ...]) -> dict[str, str]:
    known = [contact for part in contacts if (contact := _decoded(part, Contact)) is not None]
    return {one: contact.profile.name for contact in known for one in (contact.wa_id, contact.user_id) if one}


def _decoded(raw: msgspec.Raw, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
