"""What Slack and WhatsApp share: marks of one sign around words, and no way to escape one."""

from __future__ import annotations

import re
from typing import Final

from wirken.channels.render.hygiene import GAP

_PAIR: Final = re.compile(r"(?<!\w)([*_~])(?=\S)([^\n]*?\S)\1(?!\w)")
_ALIKE: Final = {"*": "\u2217", "_": "\uff3f", "~": "\u223c"}
_TICK: Final = "\u02cb"


def prose(text: str) -> str:
    """Return `text` with signs that would act as a pair of marks, and backticks, as signs that look alike.

    Markdown has taken such pairs already, so what is left was escaped on purpose or is hostile.
    """
    return _PAIR.sub(_alike, text.replace("`", _TICK))


def code(text: str) -> str:
    """Return code within a line; a backtick in it would end it."""
    return f"`{text.replace('`', _TICK)}`"


def start(line: str) -> str:
    """Return a line of prose that does not begin as a quote does."""
    return GAP + line if line.lstrip().startswith((">", "&gt;")) else line


def _alike(found: re.Match[str]) -> str:
    sign = _ALIKE[found[1]]
    return f"{sign}{found[2]}{sign}"
