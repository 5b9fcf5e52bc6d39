"""Matrix: a plain body, and HTML of the tags that the client-server API suggests (`org.matrix.custom.html`)."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from html import escape
from typing import Final

from wirken.channels.render.hygiene import GAP
from wirken.channels.render.lines import Style
from wirken.channels.render.markup import Dialect
from wirken.domain import channel_limits as limits

_BREAKS: Final = re.compile(r"(?:<br>){1,2}(?=<(?:h[1-6]|pre|blockquote)>)|(</(?:h[1-6]|pre|blockquote)>)(?:<br>){1,2}")
"""Line breaks beside elements that begin and end a line by themselves."""

_PILL: Final = re.compile(r"https?://matrix\.to\.?(?:[:/?#]|$)|#/(?:[@#!+]|%40|%23|%21|%2b|user/|room/)", re.IGNORECASE)
"""A link that clients draw as a mention of a person or a room: matrix.to, and clients' own addresses of that form."""


def content(markup: str, plain: str) -> dict[str, object]:
    """Return the content of an `m.room.message` event. The empty `m.mentions` says that nobody is called by it."""
    return {
        "msgtype": "m.text",
        "body": plain.replace("@room", f"@{GAP}room"),
        "format": "org.matrix.custom.html",
        "formatted_body": markup,
        "m.mentions": {},
    }


def _prose(text: str) -> str:
    return escape(text).replace("\u00a0", "&nbsp;")


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>"


def _fence(text: str, language: str) -> str:
    kind = f' class="language-{escape(language)}"' if language else ""
    return f"<pre><code{kind}>{escape(text)}\n</code></pre>"


def _link(text: str, target: str) -> str:
    if _PILL.search(target):
        return escape(text.replace("://", f":{GAP}//"))
    return f'<a href="{escape(target)}">{escape(text)}</a>'


def _heading(level: int, text: str) -> str:
    return f"<h{level}>{text}</h{level}>"


def _quote(lines: Sequence[str]) -> str:
    return f"<blockquote>{'<br>'.join(lines)}</blockquote>"


def _tidy(markup: str) -> str:
    return _BREAKS.sub(lambda found: found[1] or "", markup)


def _fits(markup: str, plain: str) -> bool:
    return len(json.dumps(content(markup, plain), ensure_ascii=False).encode()) <= limits.MATRIX_CONTENT


DIALECT: Final = Dialect(
    name="matrix",
    marks={
        Style.STRONG: ("<strong>", "</strong>"),
        Style.EMPHASIS: ("<em>", "</em>"),
        Style.STRIKE: ("<del>", "</del>"),
    },
    prose=_prose,
    code=_code,
    fence=_fence,
    link=_link,
    start=str,
    heading=_heading,
    quote=_quote,
    fits=_fits,
    most=limits.MATRIX_CONTENT // 2,
    newline="<br>",
    tidy=_tidy,
)
