"""Discord: its Markdown, in which any sign may be escaped, and the forms that it takes for mentions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from wirken.channels.render.hygiene import GAP
from wirken.channels.render.lines import Style
from wirken.channels.render.markup import Dialect, parted_ticks, ticked, utf16
from wirken.domain import channel_limits as limits

_ACTS: Final = re.compile(r"[\\*_~`|\[\]<>]")
_STARTS: Final = re.compile(r"^(\s*)([#+-]|\d+(?=[.)]))")
_FORMS: Final = re.compile(r"<(?=[@#:/]|a:|t:|id:)|@(?=everyone|here)")
"""Mentions, emoji, times and commands (discord.com/developers/docs/reference#message-formatting)."""


def _calls_nobody(text: str) -> str:
    """Not even in code: who is called is found in the raw text."""
    return _FORMS.sub(lambda found: found[0] + GAP, text)


def _prose(text: str) -> str:
    return _ACTS.sub(r"\\\g<0>", _calls_nobody(text))


def _code(text: str) -> str:
    return ticked(_calls_nobody(text))


def _fence(text: str, language: str) -> str:
    return f"```{language}\n{parted_ticks(_calls_nobody(text))}\n```"


def _link(text: str, target: str) -> str:
    return f"<{target}>" if text == target else f"[{_prose(text)}](<{target}>)"


def _start(line: str) -> str:
    return _STARTS.sub(_escaped_start, line)


def _escaped_start(found: re.Match[str]) -> str:
    blank, sign = found.groups()
    return f"{blank}{sign}\\" if sign.isdigit() else f"{blank}\\{sign}"


def _heading(level: int, text: str) -> str:
    return f"{'#' * min(level, 3)} {text}"


def _quote(lines: Sequence[str]) -> str:
    return "\n".join(f"> {line}" for line in lines)


def _fits(markup: str, _plain: str) -> bool:
    return utf16(markup) <= limits.DISCORD_TEXT


DIALECT: Final = Dialect(
    name="discord",
    marks={Style.STRONG: ("**", "**"), Style.EMPHASIS: ("_", "_"), Style.STRIKE: ("~~", "~~")},
    prose=_prose,
    code=_code,
    fence=_fence,
    link=_link,
    start=_start,
    heading=_heading,
    quote=_quote,
    fits=_fits,
    most=limits.DISCORD_TEXT,
    gap=GAP,
)
