"""Mutual Ed25519 handshake, before the first frame of either side. Does no I/O.

    dialler  -> listener   HELLO     version, nonce_d (32), role
    listener -> dialler    CHALLENGE nonce_l (32), signature_l (64)
    dialler  -> listener   PROOF     signature_d (64)
    listener -> dialler    WELCOME   one byte

Each signs `domain ‖ side ‖ role ‖ nonce_d ‖ nonce_l`, every field with its length before it, so that neither
side's signature can serve as the other's and nothing can be moved between fields. The listener proves itself
first: a stranger on its path learns no more than a role's name. docs/adr/0003.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from nacl import bindings
from nacl.exceptions import BadSignatureError

from wirken.domain.errors import ProtocolError
from wirken.domain.ids import RoleName
from wirken.domain.secret import Secret

_DOMAIN: Final = b"wirken/handshake/1"
_VERSION: Final = b"\x01"
_DIALLER: Final = b"dialler"
_LISTENER: Final = b"listener"
WELCOME: Final = b"\x01"
NONCE: Final = 32
SIGNATURE: Final = 64
ROLE: Final = 64


class HandshakeFailed(ProtocolError):
    """The peer could not prove who it claims to be."""

    hint = "If this repeats, something else is on that socket: `wirken doctor`."


@dataclass(frozen=True, slots=True)
class Identity:
    """A process's own name and Ed25519 seed (32 bytes), and the 32-byte public key it expects of the gateway."""

    role: RoleName
    seed: Secret
    gateway_key: bytes


@dataclass(frozen=True, slots=True)
class Hello:
    role: RoleName
    nonce: bytes


def public_key(seed: Secret) -> bytes:
    """Return the 32-byte Ed25519 public key of a 32-byte seed."""
    public, _ = bindings.crypto_sign_seed_keypair(seed.reveal())
    return public


def hello(role: RoleName, nonce: bytes) -> bytes:
    """Return the dialler's first message."""
    return _VERSION + nonce + role.encode("ascii")


def read_hello(message: bytes) -> Hello:
    """Parse a HELLO. Raises `HandshakeFailed`; the role is a claim until PROOF was checked."""
    if message[:1] != _VERSION:
        raise HandshakeFailed("The peer speaks another version of the handshake.")
    nonce, role = message[1 : 1 + NONCE], message[1 + NONCE :]
    if len(nonce) != NONCE or not 0 < len(role) <= ROLE or not _plain(role):
        raise HandshakeFailed("The peer's first message is malformed.")
    return Hello(RoleName(role.decode("ascii")), nonce)


def challenge(seed: Secret, said: Hello, nonce: bytes) -> bytes:
    """Return the listener's answer: its nonce and its proof."""
    return nonce + _sign(seed, _signed(_LISTENER, said.role, said.nonce, nonce))


def prove(identity: Identity, own_nonce: bytes, message: bytes) -> bytes:
    """Check the CHALLENGE and return PROOF. Raises `HandshakeFailed` where the listener is not the gateway."""
    if len(message) != NONCE + SIGNATURE:
        raise HandshakeFailed("The gateway's challenge is malformed.")
    nonce, signature = message[:NONCE], message[NONCE:]
    _verify(identity.gateway_key, signature, _signed(_LISTENER, identity.role, own_nonce, nonce))
    return _sign(identity.seed, _signed(_DIALLER, identity.role, own_nonce, nonce))


def check_proof(key: bytes, said: Hello, nonce: bytes, message: bytes) -> None:
    """Check the dialler's PROOF against the key registered for its role. Raises `HandshakeFailed`."""
    if len(message) != SIGNATURE:
        raise HandshakeFailed("The peer's proof is malformed.")
    _verify(key, message, _signed(_DIALLER, said.role, said.nonce, nonce))


def _signed(side: bytes, role: RoleName, nonce_dialler: bytes, nonce_listener: bytes) -> bytes:
    fields = (_DOMAIN, side, role.encode("ascii"), nonce_dialler, nonce_listener)
    return b"".join(struct.pack(">I", len(field)) + field for field in fields)


def _sign(seed: Secret, message: bytes) -> bytes:
    _, secret = bindings.crypto_sign_seed_keypair(seed.reveal())
    return bindings.crypto_sign(message, secret)[:SIGNATURE]


def _verify(key: bytes, signature: bytes, message: bytes) -> None:
    if len(key) != bindings.crypto_sign_PUBLICKEYBYTES:
        raise HandshakeFailed("No key is registered for the role that the peer claims.")
    try:
        bindings.crypto_sign_open(signature + message, key)
    except BadSignatureError:
        raise HandshakeFailed("The peer's signature does not prove its role.") from None


def _plain(role: bytes) -> bool:
    return all(chr(byte) in "abcdefghijklmnopqrstuvwxyz0123456789-_:" for byte in role)
