"""What is where in the simulated Teams: people, conversations, messages."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TypeAlias

from markdown_it import MarkdownIt

Json: TypeAlias = dict[str, object]
_READER = MarkdownIt("commonmark").enable("strikethrough")


@dataclass(frozen=True)
class Person:
    """`aad`: what Microsoft Entra calls the account; `id`: what Teams calls it to this bot."""

    name: str
    aad: str
    id: str

    def wire(self) -> Json:
        return {"id": self.id, "name": self.name, "aadObjectId": self.aad}


def person(name: str) -> Person:
    made = uuid.uuid5(uuid.NAMESPACE_DNS, name)
    return Person(name, str(made), f"29:1{made.hex}{made.hex}_-{made.hex[:20]}")


@dataclass(frozen=True)
class Room:
    id: str
    kind: str
    person: Person | None = None
    """With whom, where it is a conversation with one person."""


@dataclass
class Stored:
    """A message of the bot as it is now."""

    room: str
    id: str
    wire: Json
    edits: int = 0
    data: bytes = b""
    """Of a file that was offered and taken."""

    @property
    def raw(self) -> str:
        return str(self.wire.get("text", ""))

    @property
    def text(self) -> str:
        return visible(self.raw) if self.wire.get("textFormat") == "markdown" else self.raw

    @property
    def attachments(self) -> list[Json]:
        found = self.wire.get("attachments", [])
        assert isinstance(found, list)
        return found

    def buttons(self) -> list[Json]:
        """The actions of its card."""
        for attached in self.attachments:
            content = attached.get("content")
            if attached["contentType"] == "application/vnd.microsoft.card.adaptive" and isinstance(content, dict):
                return list(content["actions"])
        return []


@dataclass
class State:
    rooms: dict[str, Room] = field(default_factory=dict)
    messages: dict[tuple[str, str], Stored] = field(default_factory=dict)
    typing: list[str] = field(default_factory=list)
    number: int = 1_700_000_000_000

    def next_id(self) -> str:
        self.number += 1
        return str(self.number)

    def seen(self, room: str) -> list[Stored]:
        return [stored for stored in self.messages.values() if stored.room == room]


def visible(markup: str) -> str:
    """Return what a reader sees of Markdown."""
    said: list[str] = []
    for token in _READER.parse(markup):
        if token.type in ("fence", "code_block"):
            said.append(token.content)
        for child in token.children or ():
            if child.type in ("softbreak", "hardbreak"):
                said.append("\n")
            elif child.type in ("text", "code_inline", "html_inline"):
                said.append(child.content)
        if token.type == "inline":
            said.append("\n")
    return "".join(said).strip()
