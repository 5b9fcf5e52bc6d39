"""Characters of a message: what deceives becomes visible, what a platform would wake up on its own is put to sleep."""

from __future__ import annotations

import re
from typing import Final

from wirken.domain.text import clean, shown

GAP: Final = "\u200b"
"""Zero width space. Only we write it: `visible` turns those of a text into escapes. It parts what must not meet."""

_PICTURE: Final = "[\u203c-\u3299\U0001f000-\U0001faff]"
_AFTER_PICTURE: Final = "[\u203c-\u3299\U0001f000-\U0001faff\ufe0f]"
_JOINING: Final = "[\u0620-\u0669\u066e-\u06d3\u0710-\u074f\u0900-\u0dff\u1000-\u109f\u1780-\u17b3]"
_JOINER: Final = re.compile(f"((?<={_AFTER_PICTURE})\u200d(?={_PICTURE})|(?<={_JOINING})[\u200c\u200d](?={_JOINING}))")
"""Joiners in their office: between pictures, and between letters of scripts that need them (RFC 5892, appendix A)."""

_ADDRESS: Final = re.compile(r":(?=//)")
_MENTION: Final = re.compile(r"(?<!\w)@(?=\w)|@(?=everyone|here|channel|room)", re.IGNORECASE)


def visible(text: str) -> str:
    """Return `text` with what would deceive a reader as visible escapes (`domain.text.shown`).

    Line feeds, tabs, emoji selectors, and joiners in their office stay.
    """
    text = clean(text).replace("\r\n", "\n").replace("\r", "\n")
    if text.isascii() and text.isprintable():
        return text
    pieces = _JOINER.split(text)
    return "".join(piece if at % 2 else shown(piece, keep_newlines=True) for at, piece in enumerate(pieces))


def inert(text: str) -> str:
    """Return prose with a `GAP` wherever a platform would make a link or a mention of it by itself."""
    return _MENTION.sub(f"@{GAP}", _ADDRESS.sub(f":{GAP}", text))
