"""Hostile text made harmless: what a terminal or a prompt may show, and cuts that never split a character."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from wirken.domain import limits

_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that move a cursor, reorder text, are invisible or have no agreed shape."""

_UNSEEN: Final = frozenset(
    map(
        chr,
        (
            *(
                0x034F,
                0x115F,
                0x1160,
                0x17B4,
                0x17B5,
                0x180F,
                0x2800,
                0x3164,
                0xFFA0,
                0x13441,
                0x13442,
                0x16FE4,
                0x1D159,
            ),
            *range(0x180B, 0x180E),
            *range(0xFE00, 0xFE10),
            *range(0xE0100, 0xE01F0),
        ),
    )
)
"""Letters, marks and symbols that draw nothing: Default_Ignorable_Code_Point (Unicode Standard, 5.21) outside the
categories above, and the blank signs of Braille, hieroglyphs, Khitan and music. A text can be hidden in them."""

_MARKS: Final = frozenset({"Mn", "Me"})
"""Categories of marks that are drawn over the sign before them."""

_BLANK: Final = "[ \t\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]"
_PADDING: Final = re.compile(f"(?P<lines>\n(?:{_BLANK}*\n){{3,}})|(?P<blanks>{_BLANK}{{3,}})|(?P<mark>[«»])")

_RUNNING: Final = "\n\t\ufe0f"
"""What running text may keep: line feeds, tabs, and the selector that gives the sign before it its colour."""


def shown(text: str, *, keep_newlines: bool = False) -> str:
    """Return `text` with every character that could deceive a reader as a visible escape.

    Control, format (bidirectional and zero-width), blank, surrogate, private and unassigned characters become
    `\\xNN`, `\\uNNNN` or `\\UNNNNNNNN`, and so do marks beyond `limits.MARKS` on one sign, which would be drawn over
    other lines. With `keep_newlines`, line feeds, tabs and emoji selectors stay.
    """
    if text.isascii() and text.isprintable():
        return text
    kept = _RUNNING if keep_newlines else ""
    return "".join(_escaped(character) if hidden else character for character, hidden in _looked_at(text, kept))


def unpadded(text: str) -> str:
    """Return `text` with its padding counted instead of drawn, so that none moves the rest out of sight.

    Three or more blanks become `«80 blanks»`, three or more empty lines `«80 empty lines»` on a line of its own. The
    marks are ours alone: those of the text itself become `\\xab` and `\\xbb`.
    """
    return _PADDING.sub(_counted, text)


def shown_json(document: str) -> str:
    """Return JSON text with what `shown` would escape as JSON's own escapes; it has the same value as before.

    `document` is valid JSON without blanks other than spaces between its values.
    """
    if document.isascii() and document.isprintable():
        return document
    return "".join(_json_escaped(character) if hidden else character for character, hidden in _looked_at(document))


def brief(text: str, limit: int = limits.SENTENCE) -> str:
    """Return a peer's `text` as it may be stored: Unicode, and at most `limit` bytes with a note on what is gone."""
    kept, cut = clip(clean(text), limit)
    return f"{kept} [{cut} bytes left out]" if cut else kept


def clip(text: str, limit: int) -> tuple[str, int]:
    """Return at most `limit` bytes of UTF-8 from the start of `text`, and how many bytes were left out.

    Never cuts inside a character; a lone surrogate counts as the three bytes it would take.
    """
    raw = text.encode("utf-8", "surrogatepass")
    if len(raw) <= limit:
        return text, 0
    while limit and raw[limit] & 0xC0 == 0x80:  # 10xxxxxx continues a character (RFC 3629, section 3)
        limit -= 1
    return raw[:limit].decode("utf-8", "surrogatepass"), len(raw) - limit


def clean(text: str) -> str:
    """Return `text` with lone surrogates replaced, so that it can be stored as UTF-8."""
    return text.encode("utf-8", "replace").decode()


def decoded(raw: bytes) -> str:
    """Return bytes of unknown origin as text; what is not UTF-8 becomes U+FFFD."""
    return raw.decode("utf-8", "replace")


def quoted(text: str) -> str:
    """Return `text` as a JSON string of visible characters only, for one-line prompts."""
    return shown(json.dumps(text, ensure_ascii=False))


def _deceives(character: str) -> bool:
    return unicodedata.category(character) in _HIDDEN or character in _UNSEEN


def _counted(found: re.Match[str]) -> str:
    whole = found[0]
    match found.lastgroup:
        case "mark":
            return _escaped(whole)
        case "lines":
            lines = whole.count("\n") - 1
            return f"\n«{lines} empty lines»\n"
        case _:
            return f"«{len(whole)} blanks»"


def _looked_at(text: str, kept: str = "") -> Iterator[tuple[str, bool]]:
    """Yield each character of `text`, and whether it may deceive a reader; those of `kept` may not."""
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.category(character) in _MARKS else 0
        yield character, marks > limits.MARKS or (_deceives(character) and character not in kept)


def _json_escaped(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def _escaped(character: str) -> str:
    point = ord(character)
    if point < 0x100:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"
