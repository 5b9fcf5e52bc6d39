"""Telegram: the Bot API's HTML style (core.telegram.org/bots/api#html-style)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import Final

from wirken.channels.render.hygiene import GAP
from wirken.channels.render.lines import Style
from wirken.channels.render.markup import Dialect, utf16
from wirken.domain import channel_limits as limits

_COMMAND: Final = re.compile(r"(?<![\w/<>])/(?=\w{1,64}(?![\w/<>]))")
"""A bot's command: one tap would send it as the reader's own message."""


def _prose(text: str) -> str:
    return escape(_COMMAND.sub(f"/{GAP}", text))


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>"


def _fence(text: str, language: str) -> str:
    if language:
        return f'<pre><code class="language-{escape(language)}">{escape(text)}</code></pre>'
    return f"<pre>{escape(text)}</pre>"


def _link(text: str, target: str) -> str:
    return f'<a href="{escape(target)}">{escape(text)}</a>'


def _quote(lines: Sequence[str]) -> str:
    return f"<blockquote>{chr(10).join(lines)}</blockquote>"


def _fits(markup: str, plain: str) -> bool:
    return utf16(plain) <= limits.TELEGRAM_TEXT and markup.count("</") <= limits.TELEGRAM_ENTITIES


DIALECT: Final = Dialect(
    name="telegram",
    marks={Style.STRONG: ("<b>", "</b>"), Style.EMPHASIS: ("<i>", "</i>"), Style.STRIKE: ("<s>", "</s>")},
    prose=_prose,
    code=_code,
    fence=_fence,
    link=_link,
    start=str,
    heading=None,
    quote=_quote,
    fits=_fits,
    most=limits.TELEGRAM_TEXT,
)
