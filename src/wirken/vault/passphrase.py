"""A device key behind a passphrase: Argon2id makes an age identity of it, an age file holds the key.

The identity is X25519 and not age's own passphrase form, whose scrypt takes 1 GiB and 3 s here for a key that
Argon2id has already stretched. `age -d -i` opens the file with the identity of docs/vault.md.
"""

from __future__ import annotations

from typing import Final

import msgspec
from nacl import bindings

from wirken.domain import limits
from wirken.domain.errors import Refused, UsageError
from wirken.domain.secret import Secret

SALT: Final = bindings.crypto_pwhash_SALTBYTES


class WrongPassphrase(Refused):
    """The passphrase does not open the device key's file."""

    hint = "Try again; nobody can recover a forgotten passphrase."


class WeakPassphrase(UsageError):
    """The passphrase is too short, or not a passphrase at all."""


class Stretch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the passphrase becomes 32 bytes (Argon2id 1.3, one lane); stands beside the age file as JSON."""

    salt: str
    """32 hex digits."""
    memory: int = limits.ARGON2_MEMORY
    passes: int = limits.ARGON2_PASSES
    v: int = 1


class Locked(msgspec.Struct, frozen=True):
    """The two files' contents."""

    stretch: Stretch
    age: bytes


def read_stretch(text: bytes) -> Stretch:
    """Parse the file beside the age file. Raises `UsageError` where it is damaged."""
    try:
        stretch = msgspec.json.decode(text, type=Stretch)
        if stretch.v == 1 and len(bytes.fromhex(stretch.salt)) == SALT and _affordable(stretch):
            return stretch
    except (msgspec.DecodeError, ValueError):
        pass
    raise UsageError("device.key.salt is damaged.", hint="Restore it from a backup of the vault directory.")


def write_stretch(stretch: Stretch) -> bytes:
    """Return what `read_stretch` reads."""
    return msgspec.json.encode(stretch, order="sorted") + b"\n"


def checked(passphrase: bytes) -> Secret:
    """Return a new passphrase as a Secret. Raises `WeakPassphrase`."""
    if not limits.PASSPHRASE_SHORTEST <= len(passphrase) <= limits.PASSPHRASE:
        raise WeakPassphrase(
            f"A passphrase has {limits.PASSPHRASE_SHORTEST} to {limits.PASSPHRASE} bytes.",
            hint="Five or more random words are easy to keep in mind and hard to guess.",
        )
    return Secret(passphrase)


def lock(key: Secret, passphrase: Secret, stretch: Stretch) -> bytes:
    """Return an age file that holds the device key."""
    from wirken.vault import age  # its library costs 1 MB that an open vault does not need

    return age.encrypt(key, _stretched(passphrase, stretch))


def unlock(locked: Locked, passphrase: Secret) -> Secret:
    """Return the device key. Raises `WrongPassphrase`, also where the age file is damaged."""
    from wirken.vault import age

    try:
        return age.decrypt(locked.age, _stretched(passphrase, locked.stretch))
    except age.NotForThisIdentity:
        raise WrongPassphrase("This passphrase does not open the vault.") from None


def _affordable(stretch: Stretch) -> bool:
    """A file edited to ask for more than four times our own work would only serve to stall the vault."""
    return 8192 <= stretch.memory <= 4 * limits.ARGON2_MEMORY and 1 <= stretch.passes <= 4 * limits.ARGON2_PASSES


def _stretched(passphrase: Secret, stretch: Stretch) -> bytes:
    return bindings.crypto_pwhash_alg(
        32,
        passphrase.reveal(),
        bytes.fromhex(stretch.salt),
        stretch.passes,
        stretch.memory,
        bindings.crypto_pwhash_ALG_ARGON2ID13,
    )
