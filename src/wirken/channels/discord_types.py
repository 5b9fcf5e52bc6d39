"""What is read of Discord's objects (docs.discord.com/developers/resources), each field checked as it is decoded."""

from __future__ import annotations

from typing import Annotated, TypeAlias, TypeVar

import msgspec

Snowflake: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"\A[0-9]{1,20}\Z")]
"""An id, 64 bits as decimal digits; later ones are greater ("Snowflakes")."""
Number: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**53)]

T = TypeVar("T")


class User(msgspec.Struct, frozen=True):
    id: Snowflake
    username: str = ""
    global_name: str | None = None
    bot: bool = False


class File(msgspec.Struct, frozen=True):
    """A file of a message. `size` is what Discord says, -1 where it does not."""

    url: str
    filename: str = ""
    size: int = -1
    content_type: str | None = None


class Sticker(msgspec.Struct, frozen=True):
    name: str = ""


class Replied(msgspec.Struct, frozen=True):
    """The message that another one answers, or that carries a button."""

    id: Snowflake
    author: User | None = None


class Forwarded(msgspec.Struct, frozen=True):
    content: str = ""
    attachments: tuple[File, ...] = ()


class Snapshot(msgspec.Struct, frozen=True):
    message: Forwarded


class Message(msgspec.Struct, frozen=True):
    id: Snowflake
    channel_id: Snowflake
    author: User | None = None
    guild_id: Snowflake | None = None
    """Not there in direct messages, and in no answer of the REST interface."""
    webhook_id: Snowflake | None = None
    type: int = 0
    content: str = ""
    edited_timestamp: str | None = None
    mentions: tuple[User, ...] = ()
    attachments: tuple[File, ...] = ()
    sticker_items: tuple[Sticker, ...] = ()
    referenced_message: Replied | None = None
    message_snapshots: tuple[Snapshot, ...] = ()


class Member(msgspec.Struct, frozen=True):
    user: User | None = None


class Chosen(msgspec.Struct, frozen=True):
    """What was chosen: a command by its name, or a button by what it carries."""

    name: str = ""
    custom_id: str = ""


class Interaction(msgspec.Struct, frozen=True):
    id: Snowflake
    token: Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9._~=-]{1,512}\Z")]
    application_id: Snowflake
    type: int
    channel_id: Snowflake | None = None
    guild_id: Snowflake | None = None
    member: Member | None = None
    """Who did it, in a guild."""
    user: User | None = None
    """Who did it, elsewhere."""
    data: Chosen | None = None
    message: Replied | None = None


class Application(msgspec.Struct, frozen=True):
    id: Snowflake
    flags: Number = 0


class StartLimit(msgspec.Struct, frozen=True):
    remaining: Number = 1
    reset_after: Number = 0
    """Milliseconds."""


class GatewayBot(msgspec.Struct, frozen=True):
    url: str
    session_start_limit: StartLimit = StartLimit()


class Sent(msgspec.Struct, frozen=True):
    id: Snowflake
    channel_id: Snowflake


# --- the gateway ----------------------------------------------------------------------------------------


class Frame(msgspec.Struct, frozen=True):
    """An event of the gateway ("Payload Structure"); `d` is read once `op` and `t` say what it is."""

    op: int
    d: msgspec.Raw = msgspec.Raw(b"null")
    s: Number | None = None
    t: str | None = None


class Hello(msgspec.Struct, frozen=True):
    heartbeat_interval: Number
    """Milliseconds."""


class Ready(msgspec.Struct, frozen=True):
    session_id: Annotated[str, msgspec.Meta(pattern=r"\A[!-~]{1,256}\Z")]
    resume_gateway_url: str


def decoded(data: bytes | str | msgspec.Raw, type_: type[T]) -> T | None:
    """Return JSON as an object; None for what is none of that kind, or is nested too deep."""
    try:
        return msgspec.json.decode(data, type=type_)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return None
