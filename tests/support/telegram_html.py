"""Telegram's HTML style, read as strictly as the Bot API reads it (core.telegram.org/bots/api#html-style)."""

from __future__ import annotations

import re
from dataclasses import dataclass

TAGS = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "span": "spoiler",
    "tg-spoiler": "spoiler",
    "tg-emoji": "custom_emoji",
    "a": "text_link",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
}
MOST_ENTITIES = 100
_LITERAL = ("code", "pre")
"""Nothing else stands inside of these."""
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
_REFERENCE = re.compile(r"&(?:(lt|gt|amp|quot)|#(\d{1,7})|#x([0-9a-fA-F]{1,6}));?")
_TAG = re.compile(r"<(/?)([a-zA-Z0-9-]*)([^>]*)>")
_ATTRIBUTE = re.compile(r"""\s*([a-zA-Z-]+)(?:\s*=\s*("[^"]*"|'[^']*'|[^\s"'>]+))?""")


class Unparsable(Exception):
    """What the Bot API says after "can't parse entities: "."""


@dataclass(frozen=True)
class Entity:
    """Offsets and lengths in UTF-16 units."""

    type: str
    offset: int
    length: int
    url: str = ""
    language: str = ""

    def wire(self) -> dict[str, object]:
        extra = {"url": self.url} if self.url else {"language": self.language} if self.language else {}
        return {"type": self.type, "offset": self.offset, "length": self.length, **extra}


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _plain(text: str) -> str:
    def character(found: re.Match[str]) -> str:
        if found[1]:
            return _NAMED[found[1]]
        code = int(found[2]) if found[2] else int(found[3], 16)
        return chr(code) if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 else found[0]

    return _REFERENCE.sub(character, text)


class _Reader:
    def __init__(self) -> None:
        self.text = ""
        self.entities: list[Entity] = []
        self._open: list[tuple[str, str, int]] = []

    def words(self, text: str) -> None:
        self.text += _plain(text)

    def tag(self, found: re.Match[str], at: int) -> None:
        closing, name, rest = found[1], found[2].lower(), found[3]
        if closing:
            self._close(name, rest, at)
            return
        if name not in TAGS:
            raise Unparsable(f'Unsupported start tag "{name}" at byte offset {at}')
        argument = self._argument(name, rest, at)
        self._open.append((name, argument, units(self.text)))

    def _argument(self, name: str, rest: str, at: int) -> str:
        given: dict[str, str] = {}
        place = 0
        while rest[place:].strip():
            attribute = _ATTRIBUTE.match(rest, place)
            if attribute is None:
                raise Unparsable(f'Unexpected end tag at byte offset {at}; "{name}" has malformed attributes')
            given[attribute[1].lower()] = _plain((attribute[2] or "").strip("\"'"))
            place = attribute.end()
        if name == "span" and given.get("class") != "tg-spoiler":
            raise Unparsable(f'Tag "span" must have class "tg-spoiler" at byte offset {at}')
        if name == "a":
            return given.get("href", "")
        return given.get("class", "").removeprefix("language-") if name in ("code", "pre") else ""

    def _close(self, name: str, rest: str, at: int) -> None:
        if not self._open:
            raise Unparsable(f"Unexpected end tag at byte offset {at}")
        opened, argument, start = self._open.pop()
        if rest.strip() or (name and name != opened):
            raise Unparsable(f'Unmatched end tag at byte offset {at}, expected "</{opened}>", found "</{name}>"')
        length = units(self.text) - start
        if not length:
            return
        kind = TAGS[opened]
        if kind == "code" and self._open and self._open[-1][0] == "pre" and self._open[-1][2] == start:
            self._open[-1] = ("pre", argument, start)  # <pre><code class="language-x">: the language of the block
        elif kind == "text_link":
            self.entities.append(Entity(kind, start, length, url=argument))
        else:
            self.entities.append(Entity(kind, start, length, language=argument if kind == "pre" else ""))

    def done(self) -> None:
        if self._open:
            raise Unparsable(f'Can\'t find end tag corresponding to start tag "{self._open[-1][0]}"')


def parsed(markup: str) -> tuple[str, tuple[Entity, ...]]:
    """Return the text without its outer blanks and the entities that Telegram keeps. Raises `Unparsable`.

    Beyond 100 entities the rest is left out without a word, and so is what stands inside `code` or `pre`, or a quote
    inside a quote.
    """
    reader, place = _Reader(), 0
    while (start := markup.find("<", place)) >= 0:
        reader.words(markup[place:start])
        at = len(markup[:start].encode())
        found = _TAG.match(markup, start)
        if found is None:
            raise Unparsable(f"Unclosed start tag at byte offset {at}")
        reader.tag(found, at)
        place = found.end()
    reader.words(markup[place:])
    reader.done()
    return _trimmed(reader.text, reader.entities)


def _trimmed(text: str, entities: list[Entity]) -> tuple[str, tuple[Entity, ...]]:
    lead = units(text) - units(text.lstrip())
    kept = text.strip()
    inside: list[Entity] = []
    for entity in sorted(entities, key=lambda one: (one.offset, -one.length, one.type not in _LITERAL)):
        start = max(entity.offset - lead, 0)
        end = min(entity.offset + entity.length - lead, units(kept))
        if end > start and not any(_swallows(outer, start, entity.type) for outer in inside):
            inside.append(Entity(entity.type, start, end - start, entity.url, entity.language))
    return kept, tuple(inside[:MOST_ENTITIES])


def _swallows(outer: Entity, start: int, kind: str) -> bool:
    within = outer.offset <= start < outer.offset + outer.length
    return within and (outer.type in _LITERAL or outer.type == kind == "blockquote")
