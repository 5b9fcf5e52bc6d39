"""What is read of Slack's JSON (docs.slack.dev/apis/events-api), each field checked as it is decoded."""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias, TypeVar

import msgspec

ConversationId: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"\A[CDG][A-Z0-9]{1,24}\Z")]
"""A channel (C), a direct message (D), a group of people or an old private channel (G)."""
UserId: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"\A[UW][A-Z0-9]{1,24}\Z")]
FileId: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"\AF[A-Z0-9]{1,24}\Z")]
Ts: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"\A([0-9]{1,12}\.[0-9]{1,8})?\Z")]
"""A time that names a message within its conversation; empty: none."""
EnvelopeId: TypeAlias = Annotated[str, msgspec.Meta(max_length=128)]

T = TypeVar("T")
_EMPTY: Final = msgspec.Raw(b"{}")


class File(msgspec.Struct, frozen=True):
    id: FileId
    name: str | None = ""
    title: str | None = ""
    mimetype: str | None = ""
    size: int | None = -1
    mode: str = ""
    """`external`: lies elsewhere; `tombstone`, `hidden_by_limit`: is no more."""
    url_private: str | None = ""
    url_private_download: str | None = ""


class Edited(msgspec.Struct, frozen=True):
    ts: Ts = ""


class Said(msgspec.Struct, frozen=True):
    """What all messages have, new or edited."""

    user: UserId | None = None
    bot_id: str | None = None
    subtype: str | None = None
    text: str | None = ""
    ts: Ts = ""
    thread_ts: Ts = ""
    parent_user_id: UserId | None = None
    """Who began the thread that this message stands in."""
    files: tuple[File, ...] = ()
    edited: Edited | None = None


class Event(Said, frozen=True):
    type: str = ""
    channel: ConversationId = ""
    message: Said | None = None
    """As it is now, in `message_changed`."""


class Events(msgspec.Struct, frozen=True):
    """The payload of an `events_api` envelope."""

    event: Event


class Kind(msgspec.Struct, frozen=True):
    type: str = ""


class Lifecycle(msgspec.Struct, frozen=True):
    """The same payload, read only as far as every event can be."""

    event: Kind


class User(msgspec.Struct, frozen=True):
    id: UserId


class Container(msgspec.Struct, frozen=True):
    channel_id: ConversationId = ""
    message_ts: Ts = ""
    thread_ts: Ts = ""


class Action(msgspec.Struct, frozen=True):
    action_id: str = ""
    value: str = ""


class Interaction(msgspec.Struct, frozen=True):
    """The payload of an `interactive` envelope."""

    type: str
    user: User
    container: Container = Container()
    message: Said | None = None
    actions: tuple[Action, ...] = ()


class Command(msgspec.Struct, frozen=True):
    """The payload of a `slash_commands` envelope."""

    user_id: UserId
    channel_id: ConversationId
    text: str = ""
    trigger_id: Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-zA-Z.]{1,100}\Z")] = ""


class Envelope(msgspec.Struct, frozen=True):
    type: str
    envelope_id: EnvelopeId = ""
    reason: str = ""
    """Of a `disconnect`."""
    payload: msgspec.Raw = _EMPTY


class Nonsense(ValueError):
    """JSON that Slack cannot have sent."""


def decoded(data: bytes | str | msgspec.Raw, kind: type[T]) -> T:
    """Return `data` as `kind`. Raises `Nonsense`."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        raise Nonsense from None
