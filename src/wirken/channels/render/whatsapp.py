"""WhatsApp: bold, italic, struck, code and quotes; no links but bare addresses, no headings, no tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from wirken.channels.render import starred
from wirken.channels.render.hygiene import GAP
from wirken.channels.render.lines import Style
from wirken.channels.render.markup import Dialect, parted_ticks, utf16
from wirken.domain import channel_limits as limits


def _fence(text: str, _language: str) -> str:
    return f"```\n{parted_ticks(text)}\n```"


def _link(text: str, _target: str) -> str:
    return text


def _quote(lines: Sequence[str]) -> str:
    return "\n".join(f"> {line}" for line in lines)


def _fits(markup: str, _plain: str) -> bool:
    return utf16(markup) <= limits.WHATSAPP_TEXT


DIALECT: Final = Dialect(
    name="whatsapp",
    marks={Style.STRONG: ("*", "*"), Style.EMPHASIS: ("_", "_"), Style.STRIKE: ("~", "~")},
    prose=starred.prose,
    code=starred.code,
    fence=_fence,
    link=_link,
    start=starred.start,
    heading=None,
    quote=_quote,
    fits=_fits,
    most=limits.WHATSAPP_TEXT,
    gap=GAP,
    masked=False,
)
