"""What an agent's key signs after a turn: the exact bytes, for the vault, the gateway and every verifier."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from wirken.domain.errors import ProtocolError

DOMAIN: Final = b"wirken/attestation/v1\0"
"""Before the fields, so that this signature can never serve as another kind of signature."""

_HEAD: Final = re.compile(r"[0-9a-f]{64}")
_LARGEST_SEQ: Final = 2**53 - 1  # the largest integer that every JSON reader keeps exact (RFC 8785, 3.2.2.3)

_encoder: Final = msgspec.json.Encoder(order="sorted")


class NotAHead(ProtocolError):
    """A sequence number or a hash does not have the form of a chain head."""


class _Attested(msgspec.Struct, frozen=True):
    session: str
    seq: int
    head: str


def attestation_message(session: str, seq: int, head: str) -> bytes:
    """Return `DOMAIN` and the canonical JSON (RFC 8785) of `{"head","seq","session"}` (docs/vault.md).

    `head` is 64 lower-case hex digits, `seq` the row it belongs to. Raises `NotAHead`.
    """
    if not 0 <= seq <= _LARGEST_SEQ or _HEAD.fullmatch(head) is None:
        raise NotAHead("A chain head is a row number from 0 and 64 lower-case hex digits.")
    return DOMAIN + _encoder.encode(_Attested(session, seq, head))
