"""What the gateway asks of a platform's adapter beside what it shows, and what adapters say about themselves."""

from __future__ import annotations

from typing import TypeAlias

import msgspec


class Deliver(msgspec.Struct, frozen=True, kw_only=True, tag="deliver"):
    """Send this to a conversation, and answer once the platform has it or never will.

    The same `key` again is the same message: it was sent before, and nobody knows whether it came through. An adapter
    hands the key to the platform where that knows such keys. While the platform is away the answer waits.
    """

    key: str
    """`<session>:<seq>` of the row that says this; the correlation id on record."""
    conversation: str
    text: str
    """Markdown; for a `file` its caption, which may be empty."""
    reply_to: str = ""
    """The platform's id of the message that led here, empty where there is none."""
    file: str = ""
    """The name of the file that is sent, empty for a message. Its bytes come with the question as a sealed memfd."""
    media_type: str = ""


class Delivered(msgspec.Struct, frozen=True, kw_only=True):
    """What became of it. `failed` says, in a sentence without secrets, why it will never be delivered; else empty."""

    platform_ids: tuple[str, ...] = ()
    failed: str = ""


AdapterQuestion: TypeAlias = Deliver
"""Everything that the gateway asks an adapter. Tagged, so that a further question is no change of this one."""


class ChannelState(msgspec.Struct, frozen=True, kw_only=True, tag="channel_state"):
    """What an adapter says about its platform, whenever it changes; the answer is `Acknowledged`."""

    connected: bool
    detail: str = ""
    """Why it is not connected, or as whom it is: one line, without secrets."""
    revoked: bool = False
    """The platform refuses the token: nothing will work until somebody stores a new one."""


class FilesFrom(msgspec.Struct, frozen=True, tag="files_from"):
    """Are files of this account of the connection's platform taken? Asked before anything is fetched for nothing."""

    sender: str


class FilesTaken(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to `FilesFrom`. `said` is what the sender is told where they are not taken; empty: nothing."""

    taken: bool
    said: str = ""


class ShowChannels(msgspec.Struct, frozen=True, tag="show_channels"):
    """The channels whose adapters have been here since the gateway started, or whose answers wait (operator)."""


class ChannelRow(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a channel. Times are ms since the epoch, 0: never since the gateway started."""

    channel: str
    attached: bool
    """Its adapter is connected to the gateway."""
    connected: bool
    """The adapter says that it is connected to its platform."""
    since: int
    """Since when that is so, or not so."""
    last_message: int
    """When it handed over a message last."""
    undelivered: int
    """Answers that the platform has not confirmed."""
    detail: str
    """In the adapter's words, made harmless: as whom it is connected, or why not."""
    revoked: bool


class ChannelRows(msgspec.Struct, frozen=True):
    channels: tuple[ChannelRow, ...]
