"""`wirken audit`: the whole record of this installation."""

from __future__ import annotations

import click

from wirken.cli import records
from wirken.cli.rows import headline, kind_of
from wirken.cli.sessions import AS_JSON, as_data, described, exit_code, here, payload_json, when
from wirken.domain.events import (
    ApprovalRefused,
    ApprovalRequested,
    Fact,
    GrantRevoked,
    PermissionApproved,
    RateLimited,
    SenderChanged,
    SenderRefused,
    UserMessageFact,
)
from wirken.domain.text import quoted
from wirken.record.canonical import Unreadable, decode
from wirken.record.reader import RecordReader, StoredRow
from wirken.record.verify import Status

_WHAT = 140  # characters of what a row says in one line of the log


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
    return str(row.id), when(row.ts), row.session, str(row.seq), kind_of(fact), said(fact)


def said(fact: Fact) -> str:
    """Return what a row says, as the beginning of one line; all of it stands in `sessions show`."""
    text = fact.text if isinstance(fact, UserMessageFact) else headline(fact) or _decided(fact)
    line = " ".join(text.split())
    return line if len(line) <= _WHAT else f"{line[:_WHAT]}…"


def _decided(fact: Fact) -> str:
    """Return who decided what. Nobody has to open a row to see that."""
    match fact:
        case ApprovalRequested():
            return f"{fact.tier}: {', '.join(fact.action_keys)}"
        case PermissionApproved():
            return f"{fact.scope}, by {fact.by} at {fact.surface}: {', '.join(fact.action_keys)}"
        case ApprovalRefused():
            return f"by {fact.by} at {fact.surface}: {fact.reason}"
        case GrantRevoked():
            return f"by {fact.by}: {fact.action_key} of {fact.principal} for {fact.agent} on {fact.channel}"
        case SenderChanged():
            who = f"{fact.principal} ({fact.role})" if fact.principal else "nobody"
            account = f"{fact.channel}:{fact.sender} " if fact.sender else ""
            return f"{account}{fact.change}: {who}, by {fact.by or 'a code'} at {fact.surface}"
        case SenderRefused():
            return f"{fact.channel}:{fact.sender}, who is called {quoted(fact.name)} there"
        case RateLimited():
            return f"{fact.what} of {fact.name}: more than {fact.per_minute} in a minute"
        case _:
            return ""
