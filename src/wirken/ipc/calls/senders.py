"""What the owner asks about platform accounts: who they belong to, and who is not heard."""

from __future__ import annotations

import msgspec


class ListSenders(msgspec.Struct, frozen=True, tag="list_senders"):
    """Platform accounts: all, or those of one standing (`admitted`, `pending`, `blocked`). The page: pending ones."""

    standing: str = ""


class SenderRow(msgspec.Struct, frozen=True, kw_only=True):
    """`name` is what the platform last showed, made visible. Times in ms since the epoch; 0: never heard of."""

    channel: str
    sender: str
    standing: str
    principal: str
    role: str
    name: str
    first_seen: int
    last_seen: int
    turned_away: int
    by: str


class SenderRows(msgspec.Struct, frozen=True):
    """At most `limits.SENDERS_LISTED`."""

    senders: tuple[SenderRow, ...]


class AllowSender(msgspec.Struct, frozen=True, kw_only=True, tag="allow_sender"):
    """Say who an account belongs to, or change it. An empty principal: named after the account.

    The page may admit accounts that wait, as users or guests.
    """

    channel: str
    sender: str
    role: str
    principal: str = ""


class BlockSender(msgspec.Struct, frozen=True, kw_only=True, tag="block_sender"):
    """Never hear an account again, and do not answer it. The page: one that waits."""

    channel: str
    sender: str


class RemoveSender(msgspec.Struct, frozen=True, kw_only=True, tag="remove_sender"):
    """Forget an account: it is unknown again (operator)."""

    channel: str
    sender: str


class OfferPairing(msgspec.Struct, frozen=True, kw_only=True, tag="offer_pairing"):
    """Make a one-time code that an unknown sender sends to be admitted (operator). No owner is made by a code."""

    role: str
    principal: str = ""
    channel: str = ""
    """Empty: good on every channel."""


class PairingCode(msgspec.Struct, frozen=True):
    """Shown once, stored as its hash. `expires` in ms since the epoch."""

    code: str
    expires: int
