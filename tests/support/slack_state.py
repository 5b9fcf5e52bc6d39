"""What the simulated Slack remembers: people, conversations, messages, files, and how mrkdwn reads."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from typing import TypeAlias

Json: TypeAlias = dict[str, object]

TEXT = 40_000  # characters; chat.postMessage truncates what is longer
EDITED = 4000  # characters; chat.update refuses more
BLOCKS = 50
SECTION = 3000
BUTTON = 75  # characters of a button's text; its value has 2000, its action_id 255
EPHEMERAL = 40_000

_MARK = re.compile(r"<([^<>]+)>")
_STYLED = re.compile(r"(?<!\w)([*_~])(?=\S)([^\n]*?\S)\1(?!\w)")
_CODE = re.compile(r"```\n?(.*?)\n?```|`([^`\n]+)`", re.DOTALL)


@dataclass
class Person:
    id: str
    name: str

    @property
    def im(self) -> str:
        """The direct conversation with the bot."""
        return f"D{self.id[1:]}"


@dataclass
class Room:
    """A conversation; `kind` as `channel_type` says it."""

    id: str
    kind: str
    member: bool = True
    archived: bool = False
    assistant: bool = False
    """Its threads have a status."""


@dataclass
class Stored:
    """A message, whoever wrote it."""

    channel: str
    ts: str
    by: str
    raw: str = ""
    blocks: list[Json] = field(default_factory=list)
    thread: str = ""
    files: list[str] = field(default_factory=list)
    edits: int = 0
    edited: str = ""
    unfurls: bool = True
    client_id: str = ""
    calls: list[str] = field(default_factory=list)
    """Whom the markup calls: a bot's must call nobody."""

    @property
    def text(self) -> str:
        """What a reader sees."""
        shown = [str(dict(block["text"])["text"]) for block in self.blocks if block["type"] == "section"]  # type: ignore[call-overload]  # JSON
        return "".join(shown) if shown else read(self.raw, self.calls)

    @property
    def buttons(self) -> list[Json]:
        return [one for block in self.blocks if block["type"] == "actions" for one in block["elements"]]  # type: ignore[attr-defined]  # JSON


@dataclass
class Upload:
    """A file: of a user, or one of the bot's on its way. `claims` is the size that Slack says."""

    id: str
    name: str
    data: bytes = b""
    claims: int = -1
    mimetype: str = "application/octet-stream"
    mode: str = "hosted"
    url: str = ""

    def wire(self) -> Json:
        return {
            "id": self.id,
            "name": self.name,
            "title": self.name,
            "mimetype": self.mimetype,
            "size": len(self.data) if self.claims < 0 else self.claims,
            "mode": self.mode,
            "is_external": self.mode == "external",
            "url_private": self.url,
            "url_private_download": self.url,
        }


class Refusal(Exception):
    """`ok: false` with Slack's word for it."""

    def __init__(self, error: str, status: int = 200, **headers: str) -> None:
        super().__init__(error)
        self.error, self.status, self.headers = error, status, headers


def escaped(text: str) -> str:
    """Return typed text as clients send it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def read(markup: str, calls: list[str] | None = None) -> str:
    """Return what a reader of mrkdwn sees; `calls` takes whom it calls."""
    out, place = "", 0
    for found in _CODE.finditer(markup):
        out += _prose(markup[place : found.start()], calls) + _words(found[1] or found[2] or "", calls)
        place = found.end()
    return out + _prose(markup[place:], calls)


def _prose(markup: str, calls: list[str] | None) -> str:
    before = ""
    while before != markup:
        before, markup = markup, _STYLED.sub(r"\2", markup)
    return _words(markup, calls)


def _words(markup: str, calls: list[str] | None) -> str:
    def shown(found: re.Match[str]) -> str:
        target, _, label = found[1].partition("|")
        if target[0] in "@#!" and calls is not None:
            calls.append(target)
        return label or target

    return _MARK.sub(shown, markup).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


class State:
    """Everything that outlives a restart of the simulator."""

    def __init__(self) -> None:
        self.bot = Person("U0WIRKEN00", "wirken")
        self.people: dict[str, Person] = {}
        self.rooms: dict[str, Room] = {}
        self.messages: dict[tuple[str, str], Stored] = {}
        self.files: dict[str, Upload] = {}
        self.ephemerals: list[tuple[str, str, str, str]] = []
        """Channel, person, thread and text of what one person alone was shown."""
        self.statuses: list[tuple[str, str, str]] = []
        """Channel, thread and status, in order."""
        self.uploads: dict[str, Upload] = {}
        """The bot's files before they are completed, by id."""
        self._numbers = itertools.count(1)

    def next_ts(self) -> str:
        number = next(self._numbers)
        return f"{1_800_000_000 + number}.{number:06}"

    def next_file(self) -> str:
        return f"F{next(self._numbers):08}"

    def room(self, channel: object) -> Room:
        room = self.rooms.get(str(channel))
        if room is None:
            raise Refusal("channel_not_found")
        return room

    def writable(self, channel: object) -> Room:
        room = self.room(channel)
        if room.archived:
            raise Refusal("is_archived")
        if not room.member:
            raise Refusal("not_in_channel")
        return room

    def of_bot(self, channel: str) -> list[Stored]:
        """What the bot wrote into a conversation, as it is now."""
        return [one for (where, _), one in sorted(self.messages.items()) if where == channel and one.by == self.bot.id]
