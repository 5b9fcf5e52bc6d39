"""Where a text may be cut so that no sign that a reader sees as one is torn apart."""

from __future__ import annotations

import unicodedata
from typing import Final

_JOINERS: Final = "\u200d\u200c"
_VIRAMA: Final = 9  # canonical combining class of the sign that joins two consonants (Unicode Standard, 4.3)


def may_cut(text: str, at: int) -> bool:
    """Return whether `text` may be parted before its character `at`, 0 < at < len(text).

    The rules of Unicode Standard Annex 29 for extended grapheme clusters, where unsure in favour of not cutting.
    """
    before, after = text[at - 1], text[at]
    if before == "\r" and after == "\n":
        return False
    if after in _JOINERS or before in _JOINERS or _extends(after):
        return False
    if unicodedata.combining(before) == _VIRAMA and after.isalpha():
        return False
    if _is_hangul(before) and _is_hangul(after):
        return not _hangul_joins(before, after)
    if _is_flag_half(before) and _is_flag_half(after):
        return _halves_before(text, at) % 2 == 0
    return True


def _extends(character: str) -> bool:
    if character.isascii():
        return False
    modifier = "\U0001f3fb" <= character <= "\U0001f3ff"
    return (
        modifier or unicodedata.category(character) in {"Mn", "Mc", "Me"} or "\U000e0020" <= character <= "\U000e007f"
    )


def _is_flag_half(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _halves_before(text: str, at: int) -> int:
    start = at
    while start and _is_flag_half(text[start - 1]):
        start -= 1
    return at - start


def _is_hangul(character: str) -> bool:
    return "\u1100" <= character <= "\u11ff" or "\ua960" <= character <= "\ua97c" or "\uac00" <= character <= "\ud7fb"


def _hangul_joins(before: str, after: str) -> bool:
    """A trailing vowel or consonant joins what is before it, anything joins a leading consonant (GB6 to GB8)."""
    leading = "\u1100" <= before <= "\u115f" or "\ua960" <= before <= "\ua97c"
    trailing = "\u1160" <= after <= "\u11ff" or "\ud7b0" <= after <= "\ud7fb"
    return leading or trailing
