"""Markdown as models write it, read into a tree: CommonMark and GitHub's tables; HTML in it is text.

The parser is markdown-it-py: linear on hostile input where measured, with a token stream instead of HTML. Reference
definitions are off: they would hide text, and a link would depend on lines that another message may hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

from wirken.channels.render import links
from wirken.channels.render.hygiene import visible
from wirken.channels.render.tree import (
    Block,
    Blocks,
    Code,
    CodeBlock,
    Emphasis,
    Heading,
    Inline,
    Inlines,
    Items,
    Link,
    Paragraph,
    Quote,
    Rule,
    Strike,
    Strong,
    Table,
    Text,
)
from wirken.domain import channel_limits as limits

_LANGUAGE: Final = re.compile(rf"[A-Za-z0-9_+#.-]{{1,{limits.CODE_LANGUAGE}}}")
_SPANS: Final[dict[str, type[Strong | Emphasis | Strike]]] = {
    "strong_open": Strong,
    "em_open": Emphasis,
    "s_open": Strike,
}


def read(source: str) -> Blocks:
    """Return what `source` says. Text beyond the bounds of `channel_limits` is one paragraph of itself."""
    if len(source) > limits.MARKUP_SOURCE:
        return verbatim(source)
    tokens = _parser().parse(source)
    # Where the parser reaches its depth it drops the rest of the block without a word.
    if len(tokens) > limits.MARKUP_TOKENS or any(token.level >= limits.MARKUP_DEPTH - 1 for token in tokens):
        return verbatim(source)
    return _blocks(_Reading(tokens, source.splitlines(keepends=True)), "")


def verbatim(source: str) -> Blocks:
    """Return `source` as text that means itself."""
    return (Paragraph((Text(visible(source)),)),)


class _Reading:
    """The tokens that are left, and the lines they came from."""

    def __init__(self, tokens: Sequence[Token], lines: list[str]) -> None:
        self.tokens = iter(tokens)
        self.lines = lines

    def until(self, end: str) -> Iterator[Token]:
        """Yield tokens up to the one of kind `end`, which is taken too."""
        for token in self.tokens:
            if token.type == end:
                return
            yield token


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": limits.MARKUP_DEPTH})
    parser.enable(["table", "strikethrough"]).disable("reference")
    parser.validateLink = lambda url: links.allowed(url) is not None  # type: ignore[method-assign]  # the documented way
    return parser


def _blocks(reading: _Reading, end: str) -> Blocks:
    return tuple(block for token in reading.until(end) if (block := _block(token, reading)) is not None)


def _block(token: Token, reading: _Reading) -> Block | None:
    match token.type:
        case "paragraph_open":
            return Paragraph(_within(reading, "paragraph_close"))
        case "heading_open":
            return Heading(int(token.tag[1:]), _within(reading, "heading_close"))
        case "fence" | "code_block":
            word = token.info.strip().split(maxsplit=1)[:1]
            language = word[0] if word and _LANGUAGE.fullmatch(word[0]) else ""
            return CodeBlock(visible(token.content.removesuffix("\n")), language)
        case "blockquote_open":
            return Quote(_blocks(reading, "blockquote_close"))
        case "bullet_list_open" | "ordered_list_open":
            return _items(token, reading)
        case "table_open":
            return _table(token, reading)
        case "hr":
            return Rule()
        case _:
            return None


def _items(opening: Token, reading: _Reading) -> Items:
    ordered = opening.type == "ordered_list_open"
    end = opening.type.replace("open", "close")
    items = tuple(_blocks(reading, "list_item_close") for token in reading.until(end) if token.type == "list_item_open")
    return Items(items, int(opening.attrs.get("start", 1)) if ordered else None)


def _table(opening: Token, reading: _Reading) -> Table | CodeBlock:
    rows: list[list[Inlines]] = []
    for token in reading.until("table_close"):
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            rows[-1].append(_inlines(iter(token.children or ()), ""))
    head, *body = map(tuple, rows)
    if len(rows) * len(head) > limits.TABLE_CELLS:
        start, stop = opening.map or [0, 0]
        return CodeBlock(visible("".join(reading.lines[start:stop]).removesuffix("\n")), "")
    return Table(head, tuple(body))


def _within(reading: _Reading, end: str) -> Inlines:
    return tuple(
        part
        for token in reading.until(end)
        if token.type == "inline"
        for part in _inlines(iter(token.children or ()), "")
    )


def _inlines(tokens: Iterator[Token], end: str) -> Inlines:
    parts: list[Inline] = []
    for token in tokens:
        if token.type == end:
            break
        parts.extend(_inline(token, tokens))
    return tuple(parts)


def _inline(token: Token, tokens: Iterator[Token]) -> Inlines:
    match token.type:
        case "code_inline":
            return (Code(visible(token.content)),)
        case "softbreak" | "hardbreak":
            return (Text("\n"),)
        case "strong_open" | "em_open" | "s_open":
            kind = _SPANS[token.type]
            return (kind(_inlines(tokens, token.type.replace("open", "close"))),)
        case "link_open":
            return _link(_inlines(tokens, "link_close"), str(token.attrs["href"]))
        case "image":
            return _link((Text(visible(token.content)),), str(token.attrs["src"]))
        case _:
            return _text(token.content)


def _text(content: str) -> Inlines:
    """Text, and the bare addresses in it as links."""
    return tuple(
        Text(visible(part)) if target is None else Link((Text(part),), target)
        for part, target in links.bare(content)
        if part
    )


def _link(parts: Inlines, address: str) -> Inlines:
    target = links.allowed(address)
    return parts if target is None else (Link(parts, target),)
