"""Matrix's events as what people said and how they reacted, and ids both ways. Computes and touches nothing."""

from __future__ import annotations

import re
from typing import Final, NamedTuple, TypeAlias

import msgspec

from wirken.channels.contract import Attachment, Choice, Received, Undeliverable
from wirken.channels.matrix_types import Event, Json, number, part, text
from wirken.domain import channel_limits as limits
from wirken.domain.ids import BadIdentifier, conversation_id
from wirken.domain.limits import PLATFORM_ID, SENDER_ID, SENDER_NAME
from wirken.domain.platforms import Matrix, SessionHandle
from wirken.domain.text import clean

Handle: TypeAlias = SessionHandle[Matrix]

SIGNS: Final[dict[Choice, str]] = {"once": "👍", "session": "🔁", "30d": "📅", "deny": "👎"}
"""What people react with."""

_DRESS: Final = re.compile("[\ufe0e\ufe0f\U0001f3fb-\U0001f3ff]")
"""Signs that choose how a picture is drawn, and skin tones."""
_ESCAPED: Final = re.compile(r"=([0-9a-f]{2})")
_PLAIN: Final = re.compile(r"[A-Za-z0-9._:+-]")
_QUOTED: Final = re.compile(r"\A(?:> [^\n]*(?:\n|\Z))+\n?")
_WORDS: Final = re.compile(r"!(?=(?:new|stop|status|help|whoami)\b)")
_USER: Final = re.compile(r"@[^\s:]{1,200}:[^\s]{1,200}")
_EDITED: Final = "~"
"""Between an edit's own id and that of what it edits; no event's id has one (they are Base64, or older and plain)."""

_FILES: Final = ("m.image", "m.file", "m.audio", "m.video")
_NAMES: Final = {"m.image": "image", "m.file": "file", "m.audio": "audio", "m.video": "video"}


class Place(NamedTuple):
    """Where a message goes: a room, and the first event of a thread of it or nothing."""

    room: str
    thread: str = ""


class Me(NamedTuple):
    """Who the bot is, and what it is called by."""

    user: str
    name: str
    prefix: str


class Encrypted(msgspec.Struct, frozen=True):
    """How a file is decrypted (client-server API, "EncryptedFile"), in Base64."""

    key: str
    iv: str
    sha256: str


class Reference(msgspec.Struct, frozen=True):
    """Where a file lies."""

    server: str
    media: str
    encrypted: Encrypted | None = None


class Reaction(NamedTuple):
    about: str
    choice: Choice


# --- ids ------------------------------------------------------------------------------------------------


def handle(place: Place) -> Handle:
    """Return the conversation of a room, `r<id>`, or of a thread, `r<id>@<event>`. Raises `BadIdentifier`.

    What a conversation's id may not have is written `=<hex>`; a room whose id becomes too long cannot be served.
    """
    named = f"r{_escape(place.room[1:])}"
    return SessionHandle(conversation_id(f"{named}@{_escape(place.thread[1:])}" if place.thread else named))


def place(conversation: Handle) -> Place:
    """Return the room of a conversation. Raises `Undeliverable` for one that is none of Matrix's."""
    room, at, thread = conversation.conversation.partition("@")
    if len(room) < 2 or not room.startswith("r") or bool(at) is not bool(thread):
        raise Undeliverable("This is no conversation of Matrix.")
    try:
        return Place(f"!{_plain(room[1:])}", f"${_plain(thread)}" if thread else "")
    except UnicodeDecodeError:
        raise Undeliverable("This is no conversation of Matrix.") from None


def _escape(name: str) -> str:
    return "".join(
        sign if _PLAIN.fullmatch(sign) else "".join(f"={byte:02x}" for byte in sign.encode("utf-8", "surrogatepass"))
        for sign in name
    )


def _plain(name: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), name).encode("latin-1").decode()


def original(platform_id: str) -> str:
    """Return the event that a message is, or edits: what can be replied to. Empty for what is no event's id."""
    found = platform_id.rpartition(_EDITED)[2]
    return found if found.startswith("$") else ""


# --- what people say ------------------------------------------------------------------------------------


def relation(event: Event) -> tuple[str, str]:
    """Return how an event relates to which other."""
    relates = event.part("m.relates_to")
    return text(relates, "rel_type"), text(relates, "event_id")


def replied_to(event: Event) -> str:
    """Return the event that this is a reply to; a message in a thread names the one before it for old clients."""
    relates = event.part("m.relates_to")
    if relates.get("is_falling_back") is True:
        return ""
    return text(part(relates, "m.in_reply_to"), "event_id")


def received(
    room: str, event: Event, me: Me, *, group: bool, name: str = "", replies: bool = False
) -> Received[Matrix] | None:
    """Return what a person said; None for what no person said, or what says nothing.

    `replies`: it is a reply to the bot. `m.notice` is what bots say; they are not heard, so that two of them cannot
    talk for ever.
    """
    content, edits = _said(event)
    kind = text(content, "msgtype")
    if event.type != "m.room.message" or kind == "m.notice" or not _can_be(event):
        return None
    files = tuple(_files(content, kind))
    said, called = _addressed(content, kind, me)
    if not said and not files:
        if not called:
            return None
        said = "/help"  # its name and nothing else
    how, root = relation(event)
    try:
        conversation = handle(Place(room, root if how == "m.thread" else ""))
    except BadIdentifier:
        return None
    return Received(
        platform_id=f"{event.event_id}{_EDITED}{edits}" if edits else event.event_id,
        conversation=conversation,
        sender=event.sender,
        sender_name=clean(name or event.sender)[:SENDER_NAME],
        text=said,
        group=group,
        mentioned=group and (called or replies),
        edited=bool(edits),
        files=files,
    )


def _can_be(event: Event) -> bool:
    """Are these ids that can go further?"""
    own, sender = event.event_id, event.sender
    return (
        own.startswith("$")
        and _EDITED not in own
        and 2 * len(own) < PLATFORM_ID
        and len(sender) <= SENDER_ID
        and _USER.fullmatch(sender) is not None
    )


def _said(event: Event) -> tuple[Json, str]:
    """Return the content that counts, and the event that it takes the place of, if it does."""
    how, about = relation(event)
    if how != "m.replace":
        return event.content, ""
    return event.part("m.new_content"), about if about.startswith("$") and 2 * len(about) < PLATFORM_ID else ""


def _addressed(content: Json, kind: str, me: Me) -> tuple[str, bool]:
    """Return the text without what called the bot, and whether something did."""
    said = _text(content, kind)
    called = me.user in _mentions(content)
    for own in filter(None, (me.user, me.name, me.user[1:].partition(":")[0])):
        head = said[: len(own)]
        rest = said[len(own) :]
        if head.casefold() == own.casefold() and (not rest or not rest[0].isalnum()):
            said, called = rest.lstrip(" ,:"), True
            break
    if me.user in said:
        said, called = said.replace(me.user, "").strip(), True
    if not called and me.prefix and said.startswith(me.prefix):
        said, called = said.removeprefix(me.prefix).lstrip(), True
    return _WORDS.sub("/", said, count=1) if said.startswith("!") else said, called


def _text(content: Json, kind: str) -> str:
    body = clean(text(content, "body"))
    if part(part(content, "m.relates_to"), "m.in_reply_to"):
        body = _QUOTED.sub("", body)  # older clients quote what they reply to
    body = body.strip()
    if kind in _FILES:
        named = text(content, "filename")
        return body if named and named != text(content, "body") else ""  # else the body is the file's name
    if kind == "m.location":
        return clean(f"[Location: {text(content, 'geo_uri')} {body}]")
    return body


def _mentions(content: Json) -> tuple[object, ...]:
    users = part(content, "m.mentions").get("user_ids")
    return tuple(users) if isinstance(users, list) else ()


# --- files ----------------------------------------------------------------------------------------------


def _files(content: Json, kind: str) -> list[Attachment]:
    if kind not in _FILES:
        return []
    info, locked = part(content, "info"), part(content, "file")
    address = text(locked, "url") if locked else text(content, "url")
    server, slash, media = address.removeprefix("mxc://").partition("/")
    if not address.startswith("mxc://") or not (server and slash and media):
        return []
    encrypted = None
    if locked:
        encrypted = Encrypted(
            text(part(locked, "key"), "k"), text(locked, "iv"), text(part(locked, "hashes"), "sha256")
        )
    given = clean(text(content, "filename") or text(content, "body")).replace("\\", "/").rpartition("/")[2].strip(". ")
    return [
        Attachment(
            name=given[-limits.MATRIX_NAME :] or _NAMES[kind],
            media_type=clean(text(info, "mimetype")) or "application/octet-stream",
            size=max(number(info, "size"), -1),
            reference=msgspec.json.encode(Reference(server, media, encrypted)).decode(),
        )
    ]


# --- questions ------------------------------------------------------------------------------------------


def reaction(event: Event) -> Reaction | None:
    """Return what somebody answered to which message by reacting; None for what is no answer."""
    how, about = relation(event)
    sign = _DRESS.sub("", text(event.part("m.relates_to"), "key"))
    choice = next((choice for choice, ours in SIGNS.items() if ours == sign), None)
    if event.type != "m.reaction" or how != "m.annotation" or choice is None or not _can_be(event):
        return None
    return Reaction(about, choice)
