"""What a message says, as a tree of frozen values: the few kinds of block and inline that are ever rendered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Text:
    """Characters that mean themselves; never markup, whatever they look like. May hold line feeds."""

    text: str


@dataclass(frozen=True, slots=True)
class Code:
    """Code within a line."""

    text: str


@dataclass(frozen=True, slots=True)
class Strong:
    parts: Inlines


@dataclass(frozen=True, slots=True)
class Emphasis:
    parts: Inlines


@dataclass(frozen=True, slots=True)
class Strike:
    parts: Inlines


@dataclass(frozen=True, slots=True)
class Link:
    """`target` passed `links.allowed`."""

    parts: Inlines
    target: str


Inline: TypeAlias = Text | Code | Strong | Emphasis | Strike | Link
Inlines: TypeAlias = tuple[Inline, ...]


@dataclass(frozen=True, slots=True)
class Paragraph:
    parts: Inlines


@dataclass(frozen=True, slots=True)
class Heading:
    """`level` is 1 to 6."""

    level: int
    parts: Inlines


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """`language` is empty, or a word of `limits.CODE_LANGUAGE` plain characters."""

    text: str
    language: str


@dataclass(frozen=True, slots=True)
class Quote:
    blocks: Blocks


@dataclass(frozen=True, slots=True)
class Items:
    """A list. `first` is the number of its first item, or None for bullets."""

    items: tuple[Blocks, ...]
    first: int | None


@dataclass(frozen=True, slots=True)
class Table:
    """Every row has as many cells as the head."""

    head: tuple[Inlines, ...]
    rows: tuple[tuple[Inlines, ...], ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """A thematic break."""


Block: TypeAlias = Paragraph | Heading | CodeBlock | Quote | Items | Table | Rule
Blocks: TypeAlias = tuple[Block, ...]
