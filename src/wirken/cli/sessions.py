"""`wirken sessions`: what was said and done, and whether the record of it holds."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator

import click
import msgspec

from wirken.cli import daemon, gateway, records
from wirken.cli.output import Line, Output, Styled
from wirken.cli.rows import lines
from wirken.config.paths import Paths, data_dir
from wirken.domain import limits
from wirken.ipc.calls.operator import Acknowledged, CloseSession
from wirken.record.canonical import title_of
from wirken.record.reader import RecordReader
from wirken.record.verify import Report, Status

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group("sessions")
def command() -> None:
    """List, show, close and verify sessions. SESSION is an id, the end of one, or `last`."""


@command.command("list")
@AS_JSON
def list_command(as_json: bool) -> None:
    """List the sessions on record, the last active first."""
    paths, out = here(as_json)
    reader = RecordReader(paths.audit_db)
    try:
        found = reader.sessions()
    finally:
        reader.close()
    data = [
        {
            "session": summary.session,
            "rows": summary.rows,
            "opened": summary.opened,
            "last": summary.last,
            "closed": summary.closed,
            "title": title_of(summary.first_message),
        }
        for summary in found
    ]
    rows = [
        (
            summary.session,
            str(summary.rows),
            when(summary.last),
            "closed" if summary.closed else "open",
            title_of(summary.first_message),
        )
        for summary in found
    ]
    out.show(
        data,
        out.table(("SESSION", "ROWS", "LAST", "STATE", "FIRST MESSAGE"), rows) if rows else ["No sessions yet."],
    )


@command.command("show")
@click.argument("session")
@AS_JSON
def show_command(session: str, as_json: bool) -> None:
    """Show the rows of a session, as they stand in the record."""
    paths, out = here(as_json)
    reader = RecordReader(paths.audit_db)
    try:
        rows = list(reader.rows(records.named(reader, session)))
    finally:
        reader.close()
    data = [
        {
            "payload": payload_json(row.payload),
            "leaf_hash": row.leaf_hash,
            "prev_hash": row.prev_hash,
            "hash": row.hash,
        }
        for row in rows
    ]
    out.show(data, (line for row in rows for line in lines(row.payload, row.seq)))


@command.command("close")
@click.argument("session")
@AS_JSON
def close_command(session: str, as_json: bool) -> None:
    """Close a session: it takes no further message."""
    paths, out = here(as_json)
    reader = RecordReader(paths.audit_db)
    try:
        name = records.named(reader, session)
    finally:
        reader.close()
    with daemon.present(paths, lambda: records.plan_without_page(paths, out)):
        reply = gateway.ask(paths.operator_socket, CloseSession(name), Acknowledged)
    out.show(reply, [reply.said])


@command.command("verify")
@click.argument("session", default="last")
@click.option("--strict", is_flag=True, help="Count rows that cannot be checked as a failure (exit code 2).")
@click.option("--offline", is_flag=True, help="Read the file only; ask no vault for keys and heads.")
@AS_JSON
def verify_command(session: str, strict: bool, offline: bool, as_json: bool) -> int:
    """Verify a session: chain, attestations, requests, results. Nothing is run again.

    Exit code: 0 verified, 1 divergence, 2 unverifiable rows (with --strict), 3 broken chain, 4 nothing to verify.
    """
    paths, out = here(as_json)
    reader = RecordReader(paths.audit_db)
    try:
        name = records.named(reader, session)
    finally:
        reader.close()
    [report] = records.verified(paths, [name], offline=offline, out=out)
    out.show(as_data(report), described(report))
    return exit_code(report.status, strict=strict)


def as_data(report: Report) -> dict[str, object]:
    """Return a report for `--json`."""
    return {
        "session": report.session,
        "status": report.status.value,
        "rows": report.rows,
        "attestations": report.attestations,
        "requests": report.requests,
        "tool_calls": report.tool_calls,
        "findings": [
            {"status": finding.status.value, "seq": finding.seq, "said": finding.said} for finding in report.findings
        ],
    }


def described(report: Report) -> Iterator[Line]:
    """Yield a report as lines."""
    good = report.status is Status.VERIFIED
    yield (f"{report.session}: ", Styled(report.status.value, "green" if good else "red"))
    yield (
        f"  {report.rows} rows, {report.attestations} attestations, {report.requests} requests to the model, "
        f"{report.tool_calls} tool results"
    )
    for finding in report.findings:
        yield f"  {finding.status.value}: {finding}"


def exit_code(status: Status, *, strict: bool) -> int:
    """Return the exit code; rows that cannot be checked count under `--strict` only."""
    return 0 if status is Status.UNVERIFIABLE and not strict else status.exit_code


def here(as_json: bool) -> tuple[Paths, Output]:
    """Return where the data is and how to speak."""
    return Paths(data_dir(os.environ)), Output(as_json, sys.stdout, sys.stderr, os.environ)


def when(ms: int) -> str:
    """Return a time in ms since the epoch as local time; as the number where a tampered row names no day."""
    if not 0 <= ms < limits.CALENDAR_END:
        return f"{ms} ms"
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(ms / 1000))


def payload_json(payload: bytes) -> object:
    """Return a stored payload as JSON values; as text where it is no JSON any more."""
    try:
        found: object = msgspec.json.decode(payload)
    except msgspec.DecodeError:
        return payload.decode("utf-8", "replace")
    return found
