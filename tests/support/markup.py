"""What a platform would make of our markup: tags, links and visible text, found by parsers that are not ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

from markdown_it import MarkdownIt

TELEGRAM_TAGS = {"b", "i", "s", "a", "code", "pre", "blockquote"}
MATRIX_TAGS = {"strong", "em", "del", "a", "code", "pre", "blockquote", "br", *(f"h{level}" for level in range(1, 7))}
ATTRIBUTES = {"a": {"href"}, "code": {"class"}}
GAP = "\u200b"


class Page(HTMLParser):
    """The tags, the links and the text of a piece of HTML; fails where a tag is not closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open, html

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert {name for name, _ in attrs} <= ATTRIBUTES.get(tag, set())
        self.links.extend(value or "" for name, value in attrs if name == "href")
        if tag == "br":
            self.words.append("\n")
        else:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return "".join(self.words)


def markdown_links(markup: str) -> list[str]:
    """Where links lead in Markdown as Discord and Teams have it; fails if any HTML would act."""
    parser = MarkdownIt("commonmark", {"html": True}).enable("strikethrough").disable(["reference", "code"])
    tokens = [child for token in parser.parse(markup) for child in (token, *(token.children or ()))]
    assert not [token.content for token in tokens if token.type.startswith("html")]
    assert not [token for token in tokens if token.type == "image"]
    return [str(token.attrs["href"]) for token in tokens if token.type == "link_open"]


def slack_links(markup: str) -> Iterator[str]:
    """Where links lead in mrkdwn; everything in angle brackets must be one."""
    for found in re.findall(r"<([^>]*)>", markup):
        yield found.partition("|")[0].replace("&amp;", "&")
    assert "<" not in re.sub(r"<[^<>]*>", "", markup)


def dense(text: str) -> str:
    """`text` without blanks and without the gaps that we write."""
    return "".join(text.replace(GAP, "").split())
