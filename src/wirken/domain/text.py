"""Hostile text made harmless: what a terminal or a prompt may show, and cuts that never split a character."""

from __future__ import annotations

import json
import unicodedata
from typing import Final

_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that move a cursor, reorder text, are invisible or have no agreed shape."""


def shown(text: str, *, keep_newlines: bool = False) -> str:
    """Return `text` with every character that could deceive a reader as a visible escape.

    Control, format (bidirectional and zero-width), surrogate, private and unassigned characters become
    `\\xNN`, `\\uNNNN` or `\\UNNNNNNNN`. With `keep_newlines`, line feeds and tabs stay.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character
        if (keep_newlines and character in "\n\t") or unicodedata.category(character) not in _HIDDEN
        else _escaped(character)
        for character in text
    )


def clip(text: str, limit: int) -> tuple[str, int]:
    """Return at most `limit` bytes of UTF-8 from the start of `text`, and how many bytes were left out.

    Never cuts inside a character.
    """
    raw = text.encode("utf-8", "surrogatepass")
    if len(raw) <= limit:
        return text, 0
    kept = raw[:limit].decode("utf-8", "ignore")
    return kept, len(raw) - len(kept.encode())


def clean(text: str) -> str:
    """Return `text` with lone surrogates replaced, so that it can be stored as UTF-8."""
    return text.encode("utf-8", "replace").decode()


def decoded(raw: bytes) -> str:
    """Return bytes of unknown origin as text; what is not UTF-8 becomes U+FFFD."""
    return raw.decode("utf-8", "replace")


def quoted(text: str) -> str:
    """Return `text` as a JSON string of visible characters only, for one-line prompts."""
    return shown(json.dumps(text, ensure_ascii=False))


def _escaped(character: str) -> str:
    point = ord(character)
    if point < 0x100:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"
