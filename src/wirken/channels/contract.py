"""What a platform's file gives and gets: the port between one platform's library and the adapter that serves it.

A platform's file knows its library and nothing of the gateway. The adapter (`channels.adapter`) knows the gateway and
nothing of any library: it renders, splits, retries, streams, asks and obeys.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final, Generic, Literal, Protocol, TypeAlias

from wirken.channels.render.pieces import Piece
from wirken.domain.errors import Refused, Unavailable
from wirken.domain.platforms import P, SessionHandle

Choice: TypeAlias = Literal["once", "session", "30d", "deny"]

CHOICES: Final[dict[Choice, str]] = {
    "once": "Allow once",
    "session": "Allow for this session",
    "30d": "Allow for 30 days",
    "deny": "Deny",
}
"""What stands on a button."""


class PlatformAway(Unavailable):
    """The platform does not answer, or answers that it has trouble. What was tried may be tried again."""


class SlowDown(PlatformAway):
    """The platform wants a pause of `seconds` before more goes to this conversation; `everywhere`: to any."""

    def __init__(self, said: str, seconds: float, *, everywhere: bool = False) -> None:
        super().__init__(said)
        self.seconds: Final = seconds
        self.everywhere: Final = everywhere


class Revoked(Refused):
    """The platform refuses our token. Only a person can change that."""

    hint = "Store a new one: `wirken channel add` asks for it."


class Undeliverable(Refused):
    """This message will never arrive: the person blocked the bot, the window is closed, the chat is gone."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that came with a message; `fetch` of its platform gets the bytes."""

    name: str
    """As the sender called it: hostile text, a base name at most."""
    media_type: str
    size: int
    """Bytes as the platform claims; -1 where it does not say. What counts is what comes."""
    reference: str
    """Whatever the platform's file needs to fetch it."""


@dataclass(frozen=True)
class Received(Generic[P]):
    """A message of a person, as the platform reports it."""

    platform_id: str
    """Unique on this channel for ever; an edit has an id of its own."""
    conversation: SessionHandle[P]
    """Made with `domain.ids.conversation_id`; a thread is a conversation of its own."""
    sender: str
    """The account's permanent id, of the form of `domain.people.sender_id`; never a name that can be chosen."""
    sender_name: str
    text: str
    group: bool = False
    mentioned: bool = False
    """In a group: the bot was named, replied to, or called by its prefix. The mention itself is not in `text`."""
    edited: bool = False
    files: tuple[Attachment, ...] = ()


@dataclass(frozen=True)
class Press(Generic[P]):
    """Somebody pressed a button, or reacted with its sign."""

    sender: str
    conversation: SessionHandle[P]
    approval: str
    """What the button carries: the id of the question. Who may answer is the gateway's to say."""
    choice: Choice
    message_id: str = ""
    """The platform's id of the message with the button."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question to a person, ready to be shown: its text in pieces, the last of which carries the buttons."""

    approval: str
    pieces: tuple[Piece, ...]
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class Traits:
    """What a platform can do; all times in seconds."""

    dialect: str
    """The name of its markup in `channels.render.pieces.DIALECTS`."""
    edit_every: float = 0.0
    """The shortest time between two edits of one message; 0: messages cannot be edited, so nothing is streamed."""
    typing_every: float = 0.0
    """How often the sign that somebody is typing must be renewed; 0: there is none."""
    buttons: bool = True
    """Questions carry buttons; else people react or write `!approve <id>`."""
    file_most: int = 0
    """Bytes of a file that may be sent; 0: none."""


class Platform(Protocol[P]):
    """One platform, served by its own library.

    Methods raise `PlatformAway`, `SlowDown`, `Revoked`, `Undeliverable` and nothing else that is foreseen; each message
    of these is one sentence without secrets and without what the platform said raw. Any of them may be cancelled.
    """

    traits: Traits

    async def run(self, house: House[P]) -> None:
        """Be connected, hand everything that comes to `house`, until cancelled.

        Returns never; raises `PlatformAway` where the connection is lost and the library does not come back by itself
        (the adapter waits and calls `run` again), or `Revoked`.
        """
        ...

    async def send(self, conversation: SessionHandle[P], piece: Piece, key: str, reply_to: str = "") -> str:
        """Send one message and return the platform's id of it. `key`: the same again is the same message.

        `key` is at most 25 characters of a-z and 0-9, so that every platform's idempotency key can hold it.
        """
        ...

    async def edit(self, conversation: SessionHandle[P], message_id: str, piece: Piece) -> None:
        """Replace the text of a message of ours, and take its buttons away."""
        ...

    async def typing(self, conversation: SessionHandle[P]) -> None:
        """Show, for some seconds, that an answer is on its way."""
        ...

    async def ask(self, conversation: SessionHandle[P], question: Question, key: str, reply_to: str = "") -> str:
        """Send a question with its buttons; return the id of the message that carries them."""
        ...

    def fetch(self, file: Attachment) -> AsyncIterator[bytes]:
        """Yield the bytes of a file that came, in pieces of at most 1 MiB. The adapter counts and stops."""
        ...

    async def send_file(
        self,
        conversation: SessionHandle[P],
        name: str,
        media_type: str,
        data: bytes,
        caption: Piece | None,
        key: str,
        reply_to: str = "",
    ) -> str:
        """Send a file and return the platform's id of the message."""
        ...


class House(Protocol[P]):
    """The adapter, as a platform's file sees it."""

    async def message(self, received: Received[P]) -> None:
        """Take a message; returns once its row is on disk, or it was turned away for good: now acknowledge it.

        Raises `GatewayAway` when neither is known: do not acknowledge, hand it over again. Whatever answer there is,
        is sent by the adapter. The same `platform_id` again does no harm.
        """
        ...

    async def pressed(self, press: Press[P]) -> str:
        """Take an answer to a question; return what the person is told, briefly: it counts, or why not."""
        ...

    async def admits(self, sender: str) -> bool:
        """May this account bring the bot into a room? Whoever is not admitted is known to have asked from then on.

        Raises `GatewayAway`.
        """
        ...

    def connected(self, who: str) -> None:
        """The platform is there; `who` is the bot's name on it, for people."""
        ...

    def away(self, why: str) -> None:
        """The platform is not there now; the library goes on trying. One sentence without secrets."""
        ...


class GatewayAway(Unavailable):
    """There is no link to the gateway, or it went before it answered."""

    hint = "It is restarted by itself."
