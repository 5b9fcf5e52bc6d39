"""Bot Connector's signing keys and its tokens, rightly and wrongly made."""

from __future__ import annotations

import base64
import functools
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ISSUER = "https://api.botframework.com"


@functools.cache
def rsa(number: int, bits: int = 2048) -> RSAPrivateKey:
    """Return the same key for the same number; making one takes its time."""
    assert number >= 0
    return generate_private_key(65537, bits)


@dataclass(frozen=True)
class Signer:
    """A key as the Connector publishes it."""

    kid: str
    number: int = 0
    bits: int = 2048
    endorsements: tuple[str, ...] = ("msteams", "webchat")

    @property
    def private(self) -> RSAPrivateKey:
        return rsa(self.number, self.bits)

    def published(self) -> dict[str, object]:
        numbers = self.private.public_key().public_numbers()
        return {
            "kty": "RSA",
            "use": "sig",
            "kid": self.kid,
            "x5t": self.kid,
            "n": _number(numbers.n),
            "e": _number(numbers.e),
            "endorsements": list(self.endorsements),
        }


def _number(value: int) -> str:
    return _text(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def claims(app_id: str, service: str, **changed: object) -> dict[str, object]:
    """Return what the Connector says of a call; a changed claim that is None is left out."""
    now = int(time.time())
    said: dict[str, object] = {
        "serviceurl": service,
        "nbf": now - 10,
        "exp": now + 3600,
        "iss": ISSUER,
        "aud": app_id,
        **changed,
    }
    return {name: value for name, value in said.items() if value is not None}


def signed(said: Mapping[str, object], signer: Signer, **head: object) -> str:
    """Return a token as RFC 7515 and RFC 7518 (3.3) have it, put together without the library that checks it."""
    plain = f"{_part({'alg': 'RS256', 'typ': 'JWT', 'kid': signer.kid, 'x5t': signer.kid, **head})}.{_part(said)}"
    return f"{plain}.{_text(signer.private.sign(plain.encode(), PKCS1v15(), SHA256()))}"


def unsigned(said: Mapping[str, object], kid: str, alg: str = "none") -> str:
    """Return a token whose head says that nobody signed it."""
    return f"{_part({'alg': alg, 'typ': 'JWT', 'kid': kid})}.{_part(said)}."


def with_public_key_as_secret(said: Mapping[str, object], signer: Signer) -> str:
    """Return a token that takes the published key for a shared secret (CVE-2016-5431)."""
    secret = signer.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    plain = f"{_part({'alg': 'HS256', 'typ': 'JWT', 'kid': signer.kid})}.{_part(said)}"
    return f"{plain}.{_text(hmac.digest(secret, plain.encode(), 'sha256'))}"


def _part(value: Mapping[str, object]) -> str:
    return _text(json.dumps(value).encode())


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
