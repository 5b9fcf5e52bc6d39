"""What is read of the Bot Connector's objects, each field checked as it is decoded (Bot Framework, "Activity")."""

from __future__ import annotations

from typing import TypeVar

import msgspec

T = TypeVar("T")


class Account(msgspec.Struct, frozen=True):
    """`id` is Teams' own name of an account, `29:…` of a person, `28:…` of a bot; the other is Entra's."""

    id: str = ""
    name: str | None = None
    aad_object_id: str | None = msgspec.field(name="aadObjectId", default=None)


class Conversation(msgspec.Struct, frozen=True):
    id: str = ""
    kind: str | None = msgspec.field(name="conversationType", default=None)
    """`personal`, `groupChat` or `channel`."""
    tenant: str | None = msgspec.field(name="tenantId", default=None)


class Tenant(msgspec.Struct, frozen=True):
    id: str | None = None


class ChannelData(msgspec.Struct, frozen=True):
    tenant: Tenant | None = None
    event: str | None = msgspec.field(name="eventType", default=None)


class Entity(msgspec.Struct, frozen=True):
    """A part of a text that means something; only mentions are looked at."""

    type: str = ""
    text: str | None = None
    mentioned: Account | None = None


class Attached(msgspec.Struct, frozen=True):
    kind: str = msgspec.field(name="contentType", default="")
    url: str | None = msgspec.field(name="contentUrl", default=None)
    name: str | None = None
    content: msgspec.Raw = msgspec.Raw(b"null")


class Download(msgspec.Struct, frozen=True):
    """The content of a file that a person attached."""

    url: str = msgspec.field(name="downloadUrl", default="")


class Activity(msgspec.Struct, frozen=True):
    type: str
    id: str | None = None
    channel: str = msgspec.field(name="channelId", default="")
    service: str = msgspec.field(name="serviceUrl", default="")
    sender: Account = msgspec.field(name="from", default=Account())
    recipient: Account = Account()
    conversation: Conversation = Conversation()
    channel_data: ChannelData | None = msgspec.field(name="channelData", default=None)
    timestamp: str | None = None
    name: str | None = None
    """Of an invoke: what is invoked."""
    text: str | None = None
    reply_to: str | None = msgspec.field(name="replyToId", default=None)
    entities: tuple[Entity, ...] | None = None
    attachments: tuple[Attached, ...] | None = None
    value: msgspec.Raw = msgspec.Raw(b"null")


class Button(msgspec.Struct, frozen=True):
    """What our own buttons carry."""

    approval: str
    choice: str


class Action(msgspec.Struct, frozen=True):
    data: Button


class Pressed(msgspec.Struct, frozen=True):
    """The value of an invoke `adaptiveCard/action`."""

    action: Action


class Offer(msgspec.Struct, frozen=True):
    """The context of a file that we offer."""

    offered: str


class UploadInfo(msgspec.Struct, frozen=True):
    name: str = ""
    upload_url: str = msgspec.field(name="uploadUrl", default="")
    content_url: str = msgspec.field(name="contentUrl", default="")
    unique_id: str = msgspec.field(name="uniqueId", default="")
    file_type: str = msgspec.field(name="fileType", default="")


class Consent(msgspec.Struct, frozen=True):
    """The value of an invoke `fileConsent/invoke`."""

    action: str
    context: Offer
    upload: UploadInfo | None = msgspec.field(name="uploadInfo", default=None)


class Key(msgspec.Struct, frozen=True):
    """A signing key (RFC 7517), with the channels that it may sign for."""

    kid: str
    kty: str = ""
    n: str = ""
    e: str = ""
    endorsements: tuple[str, ...] = ()


class Keys(msgspec.Struct, frozen=True):
    keys: tuple[msgspec.Raw, ...]


class Metadata(msgspec.Struct, frozen=True):
    """An OpenID provider's description of itself."""

    issuer: str
    jwks_uri: str


class Token(msgspec.Struct, frozen=True):
    """A token that was issued to us; `expires_in` counts seconds."""

    access_token: str
    expires_in: int


class RefusedToken(msgspec.Struct, frozen=True):
    """What Microsoft Entra says instead of a token (RFC 6749, 5.2)."""

    error: str


class Resource(msgspec.Struct, frozen=True):
    """What the Connector answers: the id of what was made."""

    id: str = ""


class _Trouble(msgspec.Struct, frozen=True):
    code: str = ""


class Refusal(msgspec.Struct, frozen=True):
    """What the Connector says instead."""

    error: _Trouble | None = None
    message: str | None = None


class Nonsense(ValueError):
    """Something that the platform cannot have said."""


def read(data: bytes | msgspec.Raw, kind: type[T]) -> T:
    """Return what JSON says, as `kind`. Raises `Nonsense`."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise Nonsense from None
