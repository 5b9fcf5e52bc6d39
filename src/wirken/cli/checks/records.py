"""The record: does what was written last still hold?"""

from __future__ import annotations

import time
from collections.abc import Iterator

from wirken.cli.checks.finding import Finding, info, ok, red, yellow
from wirken.cli.checks.installation import Installation
from wirken.cli.records import Vault
from wirken.domain import limits
from wirken.domain.errors import WirkenError
from wirken.domain.events import Attestation, TurnEnded
from wirken.domain.ids import OPERATIONS, SessionId
from wirken.ipc.vault_client import VaultClient
from wirken.record.canonical import Unreadable, decode
from wirken.record.reader import NoRecord, RecordReader, SessionSummary
from wirken.record.verify import Report, Status, verify_session


def holds(home: Installation) -> Iterator[Finding]:
    """Do the last sessions verify?"""
    if not home.paths.audit_db.exists():
        yield info("there is no record yet", "The first message makes one.")
        return
    try:
        reader = RecordReader(home.paths.audit_db)
    except NoRecord as error:
        yield red("the record cannot be read", str(error), "Restore gateway/audit.db from a backup.")
        return
    client = _vault(home)
    try:
        chosen, left = _chosen(reader)
        reports = [_verified(reader, summary.session, Vault(client)) for summary in chosen]
    finally:
        reader.close()
        if client is not None:
            client.close()
    yield from _judged(reports, left, offline=client is None)


def attested(home: Installation) -> Iterator[Finding]:
    """Does the last finished turn of each of the last sessions have its signature?"""
    try:
        reader = RecordReader(home.paths.audit_db)
    except NoRecord:
        return
    try:
        chosen, _ = _chosen(reader)
        names = [summary.session for summary in chosen if summary.session != OPERATIONS]
        bare = [name for name in names if not _is_attested(reader, name)]
    finally:
        reader.close()
    if bare:
        yield yellow(
            f"without the agent's signature: {bare[0]}" + (f" and {len(bare) - 1} more" if bare[1:] else ""),
            "Up to its attestation, a turn could be rewritten by whoever can write the record.",
            "Start Wirken with an open vault: it attests what is missing before the next turn.",
        )
    elif names:
        yield ok(f"signed up to the last turn: {len(names)} of the last sessions")


def _judged(reports: list[Report], left: int, *, offline: bool) -> Iterator[Finding]:
    bad = [report for report in reports if report.status in (Status.BROKEN, Status.DIVERGENCE)]
    for report in bad:
        why = str(report.findings[0]) if report.findings else ""
        yield red(f"{report.session}: {report.status}", why, f"wirken sessions verify {report.session}")
    if not bad:
        rows = sum(report.rows for report in reports)
        more = f"; {left} older or longer ones: wirken audit verify" if left else ""
        how = ", without the vault's keys and heads" if offline else ""
        yield ok(f"verified: {len(reports)} of the last sessions, {rows} rows{how}{more}")


def _chosen(reader: RecordReader) -> tuple[list[SessionSummary], int]:
    """Return the last sessions that fit into the rows we may read, and how many others there are."""
    found = reader.sessions()
    chosen: list[SessionSummary] = []
    rows = 0
    for summary in found[: limits.DOCTOR_SESSIONS]:
        if rows + summary.rows <= limits.DOCTOR_ROWS:
            chosen.append(summary)
            rows += summary.rows
    return chosen, len(found) - len(chosen)


def _verified(reader: RecordReader, session: SessionId, vault: Vault) -> Report:
    """Verify; once more where a turn may just have ended and its signature was on its way."""
    report = verify_session(session, reader.rows(session), vault.known(session))
    if report.status is Status.DIVERGENCE and vault.client is not None:
        time.sleep(limits.VAULT_POLL)
        report = verify_session(session, reader.rows(session), vault.known(session))
    return report


def _is_attested(reader: RecordReader, session: SessionId) -> bool:
    signed = -1
    for row in reversed(reader.newest(limits.DOCTOR_ROWS, session)):
        try:
            fact = decode(row.payload).fact
        except Unreadable:
            continue
        if isinstance(fact, Attestation):
            signed = max(signed, fact.chain_head_seq)
        elif isinstance(fact, TurnEnded):
            return signed >= row.seq
    return True


def _vault(home: Installation) -> VaultClient | None:
    if home.running is None or home.running.vault is None:
        return None
    try:
        return VaultClient.connect(home.paths.vault_socket)
    except WirkenError:
        return None
