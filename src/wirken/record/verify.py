"""Check a session offline: chain, attestations, requests, and each result against its call and permit.

Nothing is run again. The order of checks is the order of rows; a broken chain ends the reading, because what
stands behind it proves nothing.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, field

from nacl import bindings
from nacl.exceptions import BadSignatureError

from wirken.domain.attestation import attestation_message
from wirken.domain.events import Attestation, Fact
from wirken.domain.ids import SessionId
from wirken.record.canonical import Unreadable, decode
from wirken.record.chain import Head, leaf_hash, link_hash
from wirken.record.reader import StoredRow
from wirken.record.replay import Replay


class Status(enum.StrEnum):
    """What a verification says, each with the exit code of `wirken sessions verify`."""

    VERIFIED = "verified"
    DIVERGENCE = "divergence"
    UNVERIFIABLE = "unverifiable"
    BROKEN = "broken"
    EMPTY = "empty"

    @property
    def exit_code(self) -> int:
        """0 verified, 1 divergence, 2 unverifiable rows (counts under `--strict`), 3 broken, 4 empty."""
        return _EXIT_CODES[self]


_EXIT_CODES = {
    Status.VERIFIED: 0,
    Status.DIVERGENCE: 1,
    Status.UNVERIFIABLE: 2,
    Status.BROKEN: 3,
    Status.EMPTY: 4,
}


@dataclass(frozen=True, slots=True)
class Known:
    """What the verifier knows from elsewhere. `agent_key`: 32 bytes, or empty where it cannot be had.

    `head_seq` and `head_hash`: the last head that the vault signed (-1: it signed none); `head_known` is
    False where the vault could not be asked.
    """

    agent_key: bytes = b""
    head_known: bool = False
    head_seq: int = -1
    head_hash: str = ""
    contradiction: str = ""
    """What the vault found wrong with its own memory of this session; empty where nothing is."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong or cannot be checked. `seq` is -1 where it concerns no row."""

    status: Status
    seq: int
    said: str

    def __str__(self) -> str:
        return f"[{self.seq:2}] {self.said}" if self.seq >= 0 else self.said


@dataclass(slots=True)
class Report:
    """The verdict on one session."""

    session: SessionId
    rows: int = 0
    attestations: int = 0
    requests: int = 0
    tool_calls: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def status(self) -> Status:
        if self.rows == 0 and not self.findings:
            return Status.EMPTY
        for status in (Status.BROKEN, Status.DIVERGENCE, Status.UNVERIFIABLE):
            if any(finding.status is status for finding in self.findings):
                return status
        return Status.VERIFIED

    def add(self, status: Status, seq: int, said: str) -> None:
        self.findings.append(Finding(status, seq, said))


def verify_session(session: SessionId, rows: Iterable[StoredRow], known: Known) -> Report:
    """Return the report on one session's rows, which come in order of seq."""
    report = Report(session)
    head, replay, last_id = Head(), Replay(session), 0
    since_attestation: dict[int, str] = {}
    hash_at_vault_head = ""
    loose: list[int] = []
    for stored in rows:
        said = _broken(session, head, last_id, stored)
        if said:
            report.add(Status.BROKEN, stored.seq, said)
            return report
        if stored.seq == known.head_seq:
            hash_at_vault_head = stored.hash
        head, last_id = Head(stored.seq, stored.hash), stored.id
        report.rows += 1
        fact = _fact(report, stored)
        if fact is None:
            since_attestation[stored.seq] = stored.hash
            loose.append(stored.seq)
            replay.blind = True
            continue
        if isinstance(fact, Attestation):
            report.attestations += 1
            if _attested(report, stored.seq, fact, since_attestation, known):
                loose = [seq for seq in loose if seq > fact.chain_head_seq]
            since_attestation.clear()
        else:
            loose.append(stored.seq)
        since_attestation[stored.seq] = stored.hash
        for finding in replay.step(stored.seq, fact):
            report.add(Status.DIVERGENCE, stored.seq, finding)
    for finding in replay.ended():
        report.add(Status.DIVERGENCE, head.seq, finding)
    report.requests, report.tool_calls = replay.requests, replay.tool_calls
    _check_vault_head(report, head, known, hash_at_vault_head)
    if loose and not report.findings:  # nothing contradicts these rows, and nothing vouches for them either
        report.add(Status.UNVERIFIABLE, loose[0], f"no attestation covers rows {loose[0]} to {loose[-1]} yet")
    return report


def _broken(session: SessionId, head: Head, last_id: int, stored: StoredRow) -> str:
    """Return what breaks the chain at this row, or nothing."""
    if stored.session != session:
        return f"row {stored.seq} belongs to another session"
    if stored.seq < 0:
        return f"the row with the id {stored.id} has no number in its session"
    if stored.seq != head.seq + 1:
        return f"row {head.seq + 1} is missing or out of order: row {stored.seq} stands in its place"
    if stored.prev_hash != head.hash:
        return f"row {stored.seq} does not follow from the row before it"
    if leaf_hash(stored.payload) != stored.leaf_hash:
        return f"row {stored.seq} was changed: its payload does not have its leaf hash"
    if link_hash(stored.prev_hash, stored.leaf_hash) != stored.hash:
        return f"row {stored.seq} was changed: its hash does not follow from its parts"
    if stored.id <= last_id:
        return f"row {stored.seq} was moved: the record counts it before the row that it follows"
    return ""


def _fact(report: Report, stored: StoredRow) -> Fact | None:
    """Return the row's fact when its payload is of a known form and agrees with its columns."""
    try:
        row = decode(stored.payload)
    except Unreadable as error:
        report.add(Status.UNVERIFIABLE, stored.seq, str(error))
        return None
    said = (row.session, row.seq, row.ts, row.trust)
    if said != (stored.session, stored.seq, stored.ts, stored.trust):
        report.add(Status.BROKEN, stored.seq, f"row {stored.seq}: its columns disagree with its payload")
    return row.fact


def _attested(report: Report, seq: int, fact: Attestation, hashes: dict[int, str], known: Known) -> bool:
    """Return whether the agent vouches for the rows up to the head that the attestation names.

    `hashes`: of the rows since the attestation before; messages may have arrived while the vault signed."""
    if hashes.get(fact.chain_head_seq) != fact.chain_head_hash:
        report.add(Status.DIVERGENCE, seq, "the attestation names a head that this record does not have")
        return False
    if len(known.agent_key) != bindings.crypto_sign_PUBLICKEYBYTES:
        report.add(Status.UNVERIFIABLE, seq, "the agent's key is not known here, so its signature proves nothing")
        return False
    if fact.signer_pubkey != known.agent_key.hex():
        report.add(Status.DIVERGENCE, seq, "the attestation was signed by another key than the agent's")
        return False
    message = attestation_message(report.session, fact.chain_head_seq, fact.chain_head_hash)
    if not _is_signature(fact.signature, message, known.agent_key):
        report.add(Status.DIVERGENCE, seq, "the attestation's signature is not the agent's")
        return False
    return True


def _is_signature(text: str, message: bytes, key: bytes) -> bool:
    try:
        signature = bytes.fromhex(text)
        bindings.crypto_sign_open(signature + message, key)
    except (BadSignatureError, ValueError):
        return False
    return signature.hex() == text and len(signature) == bindings.crypto_sign_BYTES


def _check_vault_head(report: Report, head: Head, known: Known, found: str) -> None:
    if known.contradiction:
        report.add(Status.DIVERGENCE, -1, f"the vault: {known.contradiction}")
    if not known.head_known or known.head_seq < 0:
        return
    if head.seq < known.head_seq:
        report.add(
            Status.DIVERGENCE,
            head.seq,
            f"rows are missing at the end: the vault signed row {known.head_seq}, the record ends at {head.seq}",
        )
    elif found != known.head_hash:
        report.add(Status.DIVERGENCE, known.head_seq, "this row is not the one whose head the vault signed")
