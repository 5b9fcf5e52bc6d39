"""A fact and its envelope to the canonical JSON (RFC 8785) that is stored and hashed, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from wirken.domain import limits
from wirken.domain.errors import WirkenError
from wirken.domain.events import FORMAT, Fact, Trust, UserMessageFact
from wirken.domain.ids import SessionId

# Integers beyond this lose digits in JSON readers that use doubles (RFC 8785, section 3.2.2.3).
_SAFE_INTEGER: Final = 2**53 - 1


class NotCanonical(WirkenError):
    """A fact holds a value that canonical JSON cannot carry: a lone surrogate, or an integer over 2^53 - 1."""


class RowTooLong(NotCanonical):
    """A fact is longer than a row may be; nothing that Wirken itself lets in comes near that."""


class Unreadable(WirkenError):
    """A stored payload is no row that this version knows."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the record: a fact and where, when and on whose word it stands. `ts` in ms since the epoch."""

    session: SessionId
    seq: int
    ts: int
    trust: Trust
    fact: Fact


class _Envelope(msgspec.Struct, frozen=True):
    v: int
    session: str
    seq: int
    ts: int
    trust: Trust


_encoder: Final = msgspec.json.Encoder(order="sorted")
_envelope: Final = msgspec.json.Decoder(_Envelope)
_fact: Final[msgspec.json.Decoder[Fact]] = msgspec.json.Decoder(Fact)


def encode(row: Row) -> bytes:
    """Return the row's payload: canonical JSON of the fact's fields together with the envelope.

    Raises `NotCanonical`, and `RowTooLong` over `limits.ROW` bytes.
    """
    fields = msgspec.to_builtins(row.fact)
    fields.update(v=FORMAT, session=row.session, seq=row.seq, ts=row.ts, trust=row.trust.value)
    for value in fields.values():
        if isinstance(value, int) and abs(value) > _SAFE_INTEGER:
            raise NotCanonical("A row holds an integer beyond 2^53 - 1.")
    try:
        payload = _encoder.encode(fields)
    except (UnicodeEncodeError, ValueError, TypeError) as error:
        raise NotCanonical("A row holds text that is not Unicode.") from error
    if len(payload) > limits.ROW:
        raise RowTooLong(f"A row of {len(payload)} bytes passes the limit of {limits.ROW}.")
    return payload


def decode(payload: bytes) -> Row:
    """Return the row that a stored payload is. Raises `Unreadable`."""
    try:
        envelope = _envelope.decode(payload)
        fact = _fact.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable("A row's payload is of no known form.") from error
    if envelope.v != FORMAT:
        raise Unreadable(f"A row has the format version {envelope.v}; this program knows {FORMAT}.")
    return Row(SessionId(envelope.session), envelope.seq, envelope.ts, envelope.trust, fact)


def canonical_json(value: object) -> bytes:
    """Return canonical JSON of a Struct or of plain values without floats."""
    return _encoder.encode(value)


def title_of(payload: bytes | None) -> str:
    """Return the beginning of a session's first message, for lists."""
    if payload is None:
        return ""
    try:
        fact = decode(payload).fact
    except Unreadable:
        return ""
    if not isinstance(fact, UserMessageFact):
        return ""
    return " ".join((fact.text or " ".join(file.name for file in fact.files)).split())[:80]
