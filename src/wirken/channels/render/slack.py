"""Slack: mrkdwn (docs.slack.dev, "Formatting message text"); what acts stands in angle brackets, which are escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from wirken.channels.render import starred
from wirken.channels.render.hygiene import GAP
from wirken.channels.render.lines import Style
from wirken.channels.render.markup import Dialect, parted_ticks, utf16
from wirken.domain import channel_limits as limits


def _escaped(text: str) -> str:
    return escape(text, quote=False)


def _prose(text: str) -> str:
    return _escaped(starred.prose(text))


def _code(text: str) -> str:
    return starred.code(_escaped(text))


def _fence(text: str, _language: str) -> str:
    return f"```\n{parted_ticks(_escaped(text))}\n```"


def _link(text: str, target: str) -> str:
    address = _escaped(target)
    return f"<{address}>" if text == target else f"<{address}|{_prose(text).replace('|', chr(0x2223))}>"


def _quote(lines: Sequence[str]) -> str:
    return "\n".join(f"> {line}" for line in lines)


def _fits(markup: str, _plain: str) -> bool:
    return utf16(markup) <= limits.SLACK_TEXT


DIALECT: Final = Dialect(
    name="slack",
    marks={Style.STRONG: ("*", "*"), Style.EMPHASIS: ("_", "_"), Style.STRIKE: ("~", "~")},
    prose=_prose,
    code=_code,
    fence=_fence,
    link=_link,
    start=starred.start,
    heading=None,
    quote=_quote,
    fits=_fits,
    most=limits.SLACK_TEXT,
    gap=GAP,
)
