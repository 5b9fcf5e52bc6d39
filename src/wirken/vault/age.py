"""An age file that one derived X25519 identity opens, and the text form of that identity."""

from __future__ import annotations

from typing import Final

import pyrage  # type: ignore[import-untyped]  # it ships no types; the two results are checked below

from wirken.domain.errors import Refused
from wirken.domain.secret import Secret

_HRP: Final = "age-secret-key-"
_BECH32: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)


class NotForThisIdentity(Refused):
    """The age file is damaged, or encrypted to somebody else."""


def encrypt(value: Secret, scalar: bytes) -> bytes:
    """Return a binary age file for the identity whose 32-byte X25519 scalar is given."""
    identity = pyrage.x25519.Identity.from_str(identity_text(scalar))
    return bytes(pyrage.encrypt(value.reveal(), [identity.to_public()]))


def decrypt(file: bytes, scalar: bytes) -> Secret:
    """Return what the file holds. Raises `NotForThisIdentity`."""
    identity = pyrage.x25519.Identity.from_str(identity_text(scalar))
    try:
        return Secret(bytes(pyrage.decrypt(file, [identity])))
    except pyrage.DecryptError:
        raise NotForThisIdentity("The age file does not open with this identity.") from None


def identity_text(scalar: bytes) -> str:
    """Return `AGE-SECRET-KEY-1…`, as `age -d -i FILE` reads it (age-encryption.org/v1, X25519)."""
    return bech32(_HRP, scalar).upper()


def bech32(prefix: str, data: bytes) -> str:
    """Return `data` in Bech32 (BIP 173, without its length limit): how age writes its keys."""
    values = _five_bits(data)
    expanded = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]
    checksum = _polymod(expanded + values + [0] * 6) ^ 1
    values += [(checksum >> 5 * (5 - i)) & 31 for i in range(6)]
    return prefix + "1" + "".join(_BECH32[value] for value in values)


def _five_bits(data: bytes) -> list[int]:
    bits = "".join(f"{byte:08b}" for byte in data)
    bits += "0" * (-len(bits) % 5)
    return [int(bits[i : i + 5], 2) for i in range(0, len(bits), 5)]


def _polymod(values: list[int]) -> int:
    checksum = 1
    for value in values:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for i, generator in enumerate(_GENERATOR):
            checksum ^= generator if (top >> i) & 1 else 0
    return checksum
