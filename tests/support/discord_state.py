"""What the simulated Discord remembers: accounts, channels, messages, files, sessions of its gateway."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TypeAlias

Json: TypeAlias = dict[str, object]

DIRECT, TEXT, THREAD = 1, 0, 11
"""Types of channels."""
DIRECT_INTENT, GUILD_INTENT, CONTENT_INTENT = 1 << 12, 1 << 9, 1 << 15
CONTENT = 2000  # characters of a message of a bot
NONCE = 25  # characters
CUSTOM_ID = 100  # characters
UPLOAD = 10 * 2**20  # bytes


@dataclass
class Account:
    id: str
    username: str
    bot: bool = False

    def wire(self) -> Json:
        named: Json = {"bot": True} if self.bot else {}
        plain: Json = {"discriminator": "0", "avatar": None}
        return {"id": self.id, "username": self.username, "global_name": self.username.title(), **plain, **named}


@dataclass
class Channel:
    id: str
    type: int
    guild: str = ""
    blocked: tuple[int, int] | None = None
    """Status and code with which the bot's messages are refused."""


@dataclass
class Stored:
    """A message, whoever wrote it; `wire` is as the REST interface shows it."""

    channel: Channel
    id: str
    author: Account
    wire: Json
    body: Json = field(default_factory=dict)
    """What the bot sent or edited last."""
    data: bytes = b""
    edits: int = 0

    @property
    def content(self) -> str:
        return str(self.wire["content"])

    @property
    def custom_ids(self) -> list[str]:
        rows = self.wire.get("components", [])
        assert isinstance(rows, list)
        return [str(one["custom_id"]) for row in rows for one in row["components"]]


@dataclass
class Pressed:
    """An interaction: what the person sees of the bot's answer, None as long as there is none."""

    id: str
    token: str
    answer: str | None = None
    deferred: bool = False
    late: bool = False
    """Three seconds have passed."""


@dataclass
class Session:
    id: str
    intents: int
    events: list[tuple[int, str, object]] = field(default_factory=list)
    acknowledged: int = 0
    """What a heartbeat or a resume named last."""

    @property
    def seq(self) -> int:
        return len(self.events)

    def add(self, kind: str, content: object) -> int:
        self.events.append((self.seq + 1, kind, content))
        return self.seq


class Refusal(Exception):
    def __init__(self, status: int, code: int, message: str = "refused", **more: object) -> None:
        super().__init__(message)
        self.status, self.body = status, {"message": message, "code": code, **more}
        self.headers: dict[str, str] = {}


class State:
    """Everything that outlives a restart of the simulator."""

    def __init__(self) -> None:
        self._ids = itertools.count(1_300_000_000_000_000_000)
        self.bot = Account(self.snowflake(), "wirken_test_bot", bot=True)
        self.application = self.snowflake()
        self.flags = 1 << 19
        self.accounts: dict[str, Account] = {self.bot.id: self.bot}
        self.channels: dict[str, Channel] = {}
        self.messages: dict[tuple[str, str], Stored] = {}
        self.nonces: dict[str, Stored] = {}
        self.files: dict[str, bytes] = {}
        self.pressed: dict[str, Pressed] = {}
        self.sessions: dict[str, Session] = {}
        self.commands: list[Json] = []
        self.typing: list[str] = []

    def snowflake(self) -> str:
        return str(next(self._ids))

    def channel(self, number: str) -> Channel:
        if number not in self.channels:
            raise Refusal(404, 10003, "Unknown Channel")
        return self.channels[number]

    def message(self, channel: str, number: str) -> Stored:
        found = self.messages.get((self.channel(channel).id, number))
        if found is None:
            raise Refusal(404, 10008, "Unknown Message")
        return found

    def of_bot(self, channel: str) -> list[Stored]:
        return [one for _, one in sorted(self.messages.items()) if one.channel.id == channel and one.author is self.bot]

    def happens(self, kind: str, channel: Channel, content: Json) -> int:
        """Let every session hear of it that wants to; return the number in the last one."""
        wants = DIRECT_INTENT if channel.type == DIRECT else GUILD_INTENT
        number = 0
        for session in self.sessions.values():
            if kind == "INTERACTION_CREATE":
                number = session.add(kind, content)
            elif session.intents & wants:
                hides = not session.intents & CONTENT_INTENT and channel.type != DIRECT
                number = session.add(kind, {**content, "content": "", "attachments": []} if hides else content)
        return number
