"""`wirken audit`: the whole record of this installation."""

from __future__ import annotations

import click

from wirken.cli import records
from wirken.cli.rows import headline, kind_of
from wirken.cli.sessions import AS_JSON, as_data, described, exit_code, here, payload_json, when
from wirken.domain.events import Fact, UserMessageFact
from wirken.record.canonical import Unreadable, decode
from wirken.record.reader import RecordReader, StoredRow
from wirken.record.verify import Status


@click.group("audit")
def command() -> None:
    """Read and verify the whole record."""


@command.command("log")
@click.option("-n", "--lines", "count", type=click.IntRange(1, 1_000_000), default=50, show_default=True)
@click.option("--session", help="Only this session (its id, the end of one, or `last`).")
@AS_JSON
def log_command(count: int, session: str | None, as_json: bool) -> None:
    """Show the newest rows, oldest first: position, time, session, kind, and what it says."""
    paths, out = here(as_json)
    reader = RecordReader(paths.audit_db)
    try:
        name = records.named(reader, session) if session else None
        rows = reader.newest(count, name)
    finally:
        reader.close()
    if as_json:
        for row in rows:
            out.value(
                {
                    "id": row.id,
                    "payload": payload_json(row.payload),
                    "leaf_hash": row.leaf_hash,
                    "prev_hash": row.prev_hash,
                    "hash": row.hash,
                }
            )
        return
    for line in out.table(("ID", "TIME", "SESSION", "SEQ", "KIND", "WHAT"), [_cells(row) for row in rows]):
        out.line(line)


@command.command("verify")
@click.option("--strict", is_flag=True, help="Count rows that cannot be checked as a failure (exit code 2).")
@click.option("--offline", is_flag=True, help="Read the file only; ask no vault for keys and heads.")
@AS_JSON
def verify_command(strict: bool, offline: bool, as_json: bool) -> int:
    """Verify every session on record. The exit code is the worst: 0, 1 divergence, 2 (--strict), 3 broken, 4 empty."""
    paths, out = here(as_json)
    reader = RecordReader(paths.audit_db)
    try:
        names = [summary.session for summary in reader.sessions()]
    finally:
        reader.close()
    reports = records.verified(paths, names, offline=offline, out=out)
    out.show([as_data(report) for report in reports], (line for report in reports for line in described(report)))
    return max((exit_code(report.status, strict=strict) for report in reports), default=Status.EMPTY.exit_code)


def _cells(row: StoredRow) -> tuple[str, ...]:
    try:
        fact = decode(row.payload).fact
    except Unreadable:
        return str(row.id), when(row.ts), row.session, str(row.seq), "unreadable", ""
    return str(row.id), when(row.ts), row.session, str(row.seq), kind_of(fact), _said(fact)


def _said(fact: Fact) -> str:
    text = fact.text if isinstance(fact, UserMessageFact) else headline(fact)
    return " ".join(text.split())[:100]
