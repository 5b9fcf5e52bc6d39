"""Microsoft Teams: `textFormat: markdown`, a subset without headings and lists, in which HTML would act too."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import Final

from wirken.channels.render.lines import Style
from wirken.channels.render.markup import Dialect, parted_ticks, ticked, utf16
from wirken.domain import channel_limits as limits

_ACTS: Final = re.compile(r"[\\*_~`\[\]|]")
_STARTS: Final = re.compile(r"^(\s*)([#+=-]|\d+(?=[.)]))")
_UNITS: Final = (limits.TEAMS_MESSAGE - limits.TEAMS_ENVELOPE) // 2


def _prose(text: str) -> str:
    return _ACTS.sub(r"\\\g<0>", escape(text, quote=False))


def _fence(text: str, language: str) -> str:
    return f"```{language}\n{parted_ticks(text)}\n```"


def _link(text: str, target: str) -> str:
    return f"[{_prose(text)}](<{target}>)"


def _start(line: str) -> str:
    return _STARTS.sub(_escaped_start, line)


def _escaped_start(found: re.Match[str]) -> str:
    blank, sign = found.groups()
    return f"{blank}{sign}\\" if sign.isdigit() else f"{blank}\\{sign}"


def _quote(lines: Sequence[str]) -> str:
    return "\n>\n".join(f"> {line}" for line in lines)


def _fits(markup: str, _plain: str) -> bool:
    return utf16(markup) <= _UNITS


DIALECT: Final = Dialect(
    name="teams",
    marks={Style.STRONG: ("**", "**"), Style.EMPHASIS: ("*", "*"), Style.STRIKE: ("~~", "~~")},
    prose=_prose,
    code=ticked,
    fence=_fence,
    link=_link,
    start=_start,
    heading=None,
    quote=_quote,
    fits=_fits,
    most=_UNITS,
    newline="\n\n",
    spaced=False,
)
