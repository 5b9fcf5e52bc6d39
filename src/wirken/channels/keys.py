"""Short idempotency keys for platforms, from what is delivered and which part of it. Pure."""

from __future__ import annotations

import hashlib
from typing import Final

KEY: Final = 25
"""Characters; as many as Discord's nonce holds. 129 bits."""
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


def short_key(key: str, part: int = 0) -> str:
    """Return 25 characters of a-z and 0-9 for the message `part` of what is delivered under `key`."""
    number = int.from_bytes(hashlib.sha256(f"{part}\n{key}".encode("utf-8", "surrogatepass")).digest(), "big")
    digits = []
    for _ in range(KEY):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(digits)
