"""A first look at a new passphrase: too short is refused, weak is said."""

from __future__ import annotations

import math
from typing import Final

from wirken.domain import limits
from wirken.domain.errors import UsageError
from wirken.domain.secret import Secret

_CLASSES: Final = ((b"abcdefghijklmnopqrstuvwxyz", 26), (b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", 26), (b"0123456789", 10))
_SIGNS: Final = 33  # printable ASCII that is neither letter nor digit
_OTHER: Final = 64  # what a byte above ASCII adds at most to what has to be tried


class TooShort(UsageError):
    """A passphrase that is guessed in hours even though it is stretched."""

    hint = "Five or more random words are easy to keep in mind and hard to guess."


def judged(passphrase: Secret) -> str:
    """Return a sentence about the passphrase. Raises `TooShort`."""
    length = len(passphrase.view())
    if not limits.PASSPHRASE_SHORTEST <= length <= limits.PASSPHRASE:
        raise TooShort(f"A passphrase has {limits.PASSPHRASE_SHORTEST} to {limits.PASSPHRASE} bytes.")
    if bits_at_best(passphrase.view()) < limits.PASSPHRASE_BITS:
        return "That is a weak passphrase: whoever gets a copy of the vault can hope to guess it. More words help."
    return "Length and variety look good; a well-known sentence would still be guessed."


def bits_at_best(text: memoryview) -> float:
    """Return the bits of a passphrase whose characters were drawn at random; a person's choice has fewer.

    A character that comes again, or follows its neighbour in the alphabet, counts nothing.
    """
    bytes_used = set(text)
    size = sum(width for members, width in _CLASSES if bytes_used & set(members))
    if any(32 <= byte < 127 and not chr(byte).isalnum() for byte in bytes_used):
        size += _SIGNS
    if any(byte >= 127 for byte in bytes_used):
        size += _OTHER
    fresh = sum(1 for index, byte in enumerate(text) if index == 0 or abs(byte - text[index - 1]) > 1)
    return min(fresh, 2 * len(bytes_used)) * math.log2(max(size, 2))
