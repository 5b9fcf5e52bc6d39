"""What a simulated WhatsApp knows: people, messages of the bot, files, and calls of the webhook on their way."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from dataclasses import dataclass, field

Json = dict[str, object]

_MARKED = re.compile(r"(?<![\w*_~])([*_~])(?=\S)(.+?)(?<=\S)\1(?![\w*_~])")
_FENCE = re.compile(r"```\n?(.*?)\n?```", re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True)
class Person:
    """Somebody with WhatsApp; `number` is empty where it is not shown to the business."""

    name: str
    number: str
    user_id: str

    @property
    def id(self) -> str:
        return self.number or self.user_id


@dataclass
class Stored:
    """A message of the bot as its recipient has it."""

    id: str
    to: str
    kind: str
    raw: str
    content: Json
    context: str = ""
    file_name: str = ""
    data: bytes = b""
    media_type: str = ""

    @property
    def text(self) -> str:
        return read(self.raw)

    @property
    def carried(self) -> list[str]:
        """What its buttons or rows carry."""
        action = self.content.get("action")
        if not isinstance(action, dict):
            return []
        if self.content["type"] == "button":
            return [one["reply"]["id"] for one in action["buttons"]]
        return [row["id"] for section in action["sections"] for row in section["rows"]]


@dataclass
class Media:
    data: bytes
    media_type: str
    name: str = ""
    claims: int = -1
    digest: str = ""
    """What is told of it where that is not the truth."""

    @property
    def sha256(self) -> str:
        return self.digest or hashlib.sha256(self.data).hexdigest()


@dataclass
class Delivery:
    """One call of the webhook, made again until it is answered with 200."""

    body: bytes
    names: tuple[str, ...]
    """The ids of the messages in it."""
    answers: list[int] = field(default_factory=list)
    acknowledged: bool = False


@dataclass
class State:
    """Outlives any outage."""

    messages: list[Stored] = field(default_factory=list)
    media: dict[str, Media] = field(default_factory=dict)
    deliveries: list[Delivery] = field(default_factory=list)
    open: set[str] = field(default_factory=set)
    """People who wrote within the last 24 hours."""
    typing: list[str] = field(default_factory=list)
    """The messages under which the bot showed that it types."""
    number: int = 0

    def next_id(self, about: str) -> str:
        self.number += 1
        return "wamid." + base64.b64encode(f"{about}-{self.number:08}".encode()).decode()


class Hold:
    """A place where one request stops until it is released."""

    def __init__(self) -> None:
        self.step = ""
        self.reached = asyncio.Event()
        self._go = asyncio.Event()

    def at(self, step: str) -> None:
        self.release()
        self.step, self.reached, self._go = step, asyncio.Event(), asyncio.Event()

    def release(self) -> None:
        self.step = ""
        self._go.set()

    async def passes(self, step: str) -> bool:
        """Return at once, or once released; say whether it had to wait."""
        if self.step != step:
            return False
        self.step = ""
        self.reached.set()
        await self._go.wait()
        return True


def read(markup: str) -> str:
    """Return what a reader sees of a message ("Format your messages", WhatsApp's help)."""
    parts = _FENCE.split(markup)
    for number in range(0, len(parts), 2):
        kept = [_plain(part) if even else part for even, part in _by_code(parts[number])]
        parts[number] = "".join(kept)
    return "".join(parts)


def _by_code(text: str) -> list[tuple[bool, str]]:
    return [(number % 2 == 0, part) for number, part in enumerate(_CODE.split(text))]


def _plain(text: str) -> str:
    while (found := _MARKED.sub(r"\2", text)) != text:
        text = found
    return re.sub(r"^> ?", "", text, flags=re.MULTILINE)
