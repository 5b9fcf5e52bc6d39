"""How one stored value is sealed: XChaCha20-Poly1305, bound to everything that names it (docs/vault.md)."""

from __future__ import annotations

import struct
from typing import Final

import msgspec
from nacl import bindings
from nacl.exceptions import CryptoError

from wirken.domain.errors import WirkenError
from wirken.domain.secret import Secret

FORMAT: Final = b"\x01"
KEY: Final = bindings.crypto_aead_xchacha20poly1305_ietf_KEYBYTES
NONCE: Final = bindings.crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
TAG: Final = bindings.crypto_aead_xchacha20poly1305_ietf_ABYTES

_DOMAIN: Final = b"wirken/vault/entry"


class NotAuthentic(WirkenError):
    """A stored value, its name or what is bound to it was changed, or belongs to another device key."""

    hint = "Somebody or something edited vault.db; restore the vault directory from a backup."


class Label(msgspec.Struct, frozen=True):
    """What a sealed value is bound to. `bound` holds further clear columns whose edit must be noticed."""

    kind: str
    name: str
    bound: bytes = b""

    def associated(self) -> bytes:
        """Return the associated data: domain, format and each field with its length before it."""
        fields = (_DOMAIN, FORMAT, self.kind.encode(), self.name.encode(), self.bound)
        return b"".join(struct.pack(">I", len(field)) + field for field in fields)


def seal(key: Secret, nonce: bytes, label: Label, value: Secret) -> bytes:
    """Return `FORMAT`, nonce (24 bytes, never used twice with this key), ciphertext and tag (16 bytes)."""
    sealed = bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(
        value.reveal() if value else b"", label.associated(), nonce, key.reveal()
    )
    return FORMAT + nonce + sealed


def open_sealed(key: Secret, label: Label, sealed: bytes) -> Secret:
    """Return the value that was sealed under exactly this label. Raises `NotAuthentic`."""
    if sealed[:1] != FORMAT or len(sealed) < len(FORMAT) + NONCE + TAG:
        raise NotAuthentic(f"The stored {label.kind} '{label.name}' has a form that this version does not know.")
    nonce, body = sealed[1 : 1 + NONCE], sealed[1 + NONCE :]
    try:
        return Secret(
            bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(body, label.associated(), nonce, key.reveal())
        )
    except CryptoError:
        raise NotAuthentic(f"The stored {label.kind} '{label.name}' is not authentic.") from None


def same(one: Secret, other: Secret) -> bool:
    """Compare in constant time, by libsodium: `Secret.matches` would load OpenSSL into this process."""
    return bool(one) and bool(other) and bindings.sodium_memcmp(one.reveal(), other.reveal())
