"""Who may do what: people, their roles, and the names they may bear. Pure.

A person is whoever the owner says that a platform's account belongs to; nothing a message says can change that.
"""

from __future__ import annotations

import enum
import hashlib
import re
from dataclasses import dataclass
from typing import Final, NamedTuple

from wirken.domain import limits
from wirken.domain.errors import UsageError
from wirken.domain.ids import (
    OPERATIONS,
    OWNER,
    TERMINAL,
    WEBCHAT,
    BadIdentifier,
    ChannelId,
    ConversationId,
    PrincipalId,
    channel_id,
    conversation_id,
)
from wirken.domain.text import shown

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_.:@+-]{0,63}")

_OURS: Final = frozenset({TERMINAL, WEBCHAT, ChannelId(OPERATIONS.split("/")[1])})
"""Channels without platform senders: their connections are the owner's, or nobody's."""


class Role(enum.StrEnum):
    """What a person is to this Wirken, the most trusted first."""

    OWNER = "owner"
    APPROVER = "approver"
    USER = "user"
    GUEST = "guest"

    @property
    def may_converse(self) -> bool:
        """May say something to an agent: every role. Who has none is not heard."""
        return True

    @property
    def may_use_tools(self) -> bool:
        """Is an agent that works for this person offered tools at all?"""
        return self is not Role.GUEST

    @property
    def may_answer(self) -> bool:
        """May answer the questions that calls raise."""
        return self in (Role.OWNER, Role.APPROVER)


class Spot(NamedTuple):
    """A conversation on a platform's channel, where a person can be asked."""

    channel: ChannelId
    conversation: ConversationId

    def __str__(self) -> str:
        return f"{self.channel}/{self.conversation}"


class Standing(enum.StrEnum):
    """What the owner decided about a platform's account, or has not yet."""

    ADMITTED = "admitted"
    PENDING = "pending"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is known: the principal that grants and budgets belong to, and the role."""

    principal: PrincipalId
    role: Role


THE_OWNER: Final = Person(OWNER, Role.OWNER)
"""Whoever sits at a terminal of the owner or at the page."""


class NotThatRole(UsageError):
    """The role cannot be given in this way."""


def person(principal: str, role: str) -> Person:
    """Return the person of that name and role. Raises `BadIdentifier`, `NotThatRole`."""
    if _NAME.fullmatch(principal) is None:
        raise BadIdentifier(
            "This person's name cannot be used.",
            hint="Allowed: 1 to 64 of a-z, 0-9 and . _ : @ + -, not starting with a sign.",
        )
    given = role_named(role)
    if principal == OWNER and given is not Role.OWNER:
        raise NotThatRole("The name 'owner' is the owner's.", hint="Choose another name, or --role owner.")
    return Person(PrincipalId(principal), given)


def role_named(text: str) -> Role:
    """Return the role of that name. Raises `NotThatRole`."""
    try:
        return Role(text)
    except ValueError:
        raise NotThatRole("There is no such role.", hint=f"Roles: {', '.join(Role)}.") from None


def platform(text: str) -> ChannelId:
    """Return `text` as the id of a channel with senders. Raises `BadIdentifier`, also for channels of our own."""
    channel = channel_id(text)
    if channel in _OURS:
        raise BadIdentifier("This channel is Wirken's own and has no senders.", hint="Its messages are the owner's.")
    return channel


def spot(text: str) -> Spot:
    """Return the conversation that `<channel>/<conversation>` names. Raises `BadIdentifier`."""
    channel, slash, conversation = text.partition("/")
    if not slash:
        raise BadIdentifier("A conversation is named by its channel and its id.", hint="For example telegram/12345.")
    return Spot(platform(channel), conversation_id(conversation))


def sender_id(text: str) -> str:
    """Return `text` as a platform's id of an account: visible characters, no spaces. Raises `BadIdentifier`."""
    if not 0 < len(text) <= limits.SENDER_ID or " " in text or shown(text) != text:
        raise BadIdentifier(
            "This sender id cannot be used.", hint=f"Allowed: up to {limits.SENDER_ID} visible characters, no spaces."
        )
    return text


def has_senders(channel: ChannelId) -> bool:
    """Do platform accounts speak on this channel? On the others whoever connects is the owner."""
    return channel not in _OURS


def name_for(channel: ChannelId, sender: str) -> PrincipalId:
    """Return a name for a person whom nobody named; two accounts never get the same one."""
    plain = f"{channel}:{sender}"
    if _NAME.fullmatch(plain):
        return PrincipalId(plain)
    kept = re.sub(r"[^a-z0-9_.@+-]", "-", sender.lower())
    digest = hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()
    return PrincipalId(f"{channel[:20]}:{kept[:24]}-{digest[:16]}")
