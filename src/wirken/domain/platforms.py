"""The platforms, each as a type of its own: what belongs to a conversation on one is no argument for another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, Generic, TypeVar

from wirken.domain.ids import ChannelId, ConversationId


class Kind:
    """A platform. Nothing is ever made of these classes; mypy tells them apart."""

    CHANNEL: ClassVar[ChannelId]


class Telegram(Kind):
    CHANNEL = ChannelId("telegram")


class Discord(Kind):
    CHANNEL = ChannelId("discord")


class Slack(Kind):
    CHANNEL = ChannelId("slack")


class Teams(Kind):
    CHANNEL = ChannelId("teams")


class Matrix(Kind):
    CHANNEL = ChannelId("matrix")


class WhatsApp(Kind):
    CHANNEL = ChannelId("whatsapp")


KINDS: Final[dict[ChannelId, type[Kind]]] = {
    kind.CHANNEL: kind for kind in (Telegram, Discord, Slack, Teams, Matrix, WhatsApp)
}

P = TypeVar("P", bound=Kind)


@dataclass(frozen=True)  # with slots, SessionHandle[Telegram](...) would raise
class SessionHandle(Generic[P]):
    """A conversation on platform `P`. Invariant: no handle serves another platform (tests/shape/typing)."""

    conversation: ConversationId
