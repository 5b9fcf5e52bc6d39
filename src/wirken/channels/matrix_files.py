"""Files of encrypted rooms: AES-CTR, with a hash of what is encrypted (client-server API, "EncryptedFile")."""

from __future__ import annotations

import binascii
import hashlib
import hmac
from base64 import b64decode, urlsafe_b64decode
from collections.abc import AsyncIterator
from typing import Final

from wirken.channels.contract import Undeliverable
from wirken.channels.lean import without
from wirken.channels.matrix_convert import Encrypted

with without("cffi", "pycparser"):
    from Crypto.Cipher import AES

_KEY: Final = 32
_IV: Final = 16


async def decrypted(pieces: AsyncIterator[bytes], by: Encrypted) -> AsyncIterator[bytes]:
    """Yield a file in clear. Raises `Undeliverable` at its end if it is not the one that was sent."""
    try:
        key, iv = urlsafe_b64decode(_padded(by.key)), b64decode(_padded(by.iv))
        expected = b64decode(_padded(by.sha256))
    except (binascii.Error, ValueError):
        raise Undeliverable("The file's key makes no sense.") from None
    if len(key) != _KEY or len(iv) != _IV:
        raise Undeliverable("The file's key makes no sense.")
    cipher = AES.new(key, AES.MODE_CTR, nonce=iv[:8], initial_value=iv[8:])
    seen = hashlib.sha256()
    async for piece in pieces:
        seen.update(piece)
        yield cipher.decrypt(piece)
    if not hmac.compare_digest(seen.digest(), expected):
        raise Undeliverable("The file is not the one that was sent.")


def _padded(text: str) -> str:
    """Matrix writes Base64 without the signs at its end."""
    return text + "=" * (-len(text) % 4)
