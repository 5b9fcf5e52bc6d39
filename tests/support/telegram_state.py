"""What the simulated Bot API remembers: people, chats, messages, files, and updates that wait for a bot."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TypeAlias

Json: TypeAlias = dict[str, object]

DOWNLOAD = 20 * 10**6  # bytes; getFile of the hosted Bot API refuses more
UPLOAD = 50 * 10**6  # bytes of a document that a bot may send
TEXT = 4096  # UTF-16 units after parsing
CAPTION = 1024
CALLBACK_DATA = 64  # bytes
ANSWER = 200  # characters of the answer to a callback query


@dataclass
class Person:
    id: int
    first_name: str
    username: str = ""
    is_bot: bool = False

    def wire(self) -> Json:
        named: Json = {"username": self.username} if self.username else {}
        return {"id": self.id, "is_bot": self.is_bot, "first_name": self.first_name, **named}


@dataclass
class Room:
    """A private chat, a group or a supergroup."""

    id: int
    type: str
    title: str = ""
    topics: set[int] = field(default_factory=set)
    blocked: str = ""
    """Why the bot may not write here, as the Bot API says it; empty: it may."""
    moved_to: int = 0
    privacy: bool = False
    """The bot's privacy mode: in a group it gets commands for it and replies to it."""

    def wire(self) -> Json:
        extra: Json = {"title": self.title} if self.title else {"first_name": "Somebody"}
        return {"id": self.id, "type": self.type, **extra, **({"is_forum": True} if self.topics else {})}


@dataclass
class Stored:
    """A message, whoever wrote it."""

    chat: int
    id: int
    by: int
    wire: Json
    raw: str = ""
    """The markup as the bot sent it."""
    markup: list[list[Json]] = field(default_factory=list)
    reply_to: int = 0
    file_name: str = ""
    data: bytes = b""
    edits: int = 0
    preview: bool = True

    @property
    def text(self) -> str:
        return str(self.wire.get("text", self.wire.get("caption", "")))


@dataclass
class Upload:
    """A file of a user: `claims` is the size that Telegram says."""

    path: str
    data: bytes
    claims: int


@dataclass
class Query:
    """A pressed button: what the bot answered, None as long as it did not."""

    id: str
    answer: str | None = None
    alert: bool = False
    expired: bool = False


@dataclass
class Answer:
    """An answer of the Bot API that is no success."""

    code: int
    description: str
    parameters: Json = field(default_factory=dict)


class Refusal(Exception):
    def __init__(self, code: int, description: str, **parameters: object) -> None:
        super().__init__(description)
        self.answer = Answer(code, description, parameters)


class State:
    """Everything that outlives a restart of the simulator."""

    def __init__(self, bot: Person) -> None:
        self.bot = bot
        self.people: dict[int, Person] = {bot.id: bot}
        self.rooms: dict[int, Room] = {}
        self.messages: dict[tuple[int, int], Stored] = {}
        self.files: dict[str, Upload] = {}
        self.queries: dict[str, Query] = {}
        self.updates: dict[int, Json] = {}
        """Not yet confirmed, by id."""
        self.allowed: list[str] = []
        self.commands: list[Json] = []
        self.typing: list[tuple[int, int]] = []
        self.now = 1_800_000_000
        self.webhook = ""
        self._message_ids = itertools.count(1)
        self._update_ids = itertools.count(700_000_001)

    def room(self, chat: int) -> Room:
        if chat not in self.rooms:
            raise Refusal(400, "Bad Request: chat not found")
        return self.rooms[chat]

    def next_message(self) -> int:
        return next(self._message_ids)

    def push(self, kind: str, content: Json) -> int:
        """Keep an update for the bot, unless it asked for other kinds; return its id, 0 if it is not kept."""
        if self.allowed and kind not in self.allowed:
            return 0
        number = next(self._update_ids)
        self.updates[number] = {"update_id": number, kind: content}
        return number

    def confirm(self, offset: int) -> None:
        """Forget what a poll with this offset confirms; negative ones count from the end."""
        if offset < 0:
            kept = sorted(self.updates)[offset:]
            self.updates = {number: self.updates[number] for number in kept}
        elif offset:
            self.updates = {number: update for number, update in self.updates.items() if number >= offset}

    def waiting(self, limit: int) -> list[Json]:
        return [self.updates[number] for number in sorted(self.updates)[:limit]]

    def of_bot(self, chat: int) -> list[Stored]:
        return [stored for (where, _), stored in sorted(self.messages.items()) if where == chat and self._ours(stored)]

    def _ours(self, stored: Stored) -> bool:
        return stored.by == self.bot.id
