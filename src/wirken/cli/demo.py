"""`wirken demo`: one session that shows refusal, record, sandbox, verification and tamper evidence, and checks each."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import apsw
import click

from wirken.cli import daemon, records
from wirken.cli.gateway import connected
from wirken.cli.output import Line, Output, Styled
from wirken.cli.rows import lines
from wirken.cli.turns import TurnView, message_id
from wirken.config import default
from wirken.config.model import REHEARSAL
from wirken.config.paths import Paths
from wirken.domain.clock import SystemClock
from wirken.domain.events import PermissionDenied, ToolResultFact
from wirken.domain.ids import DEFAULT_AGENT, TERMINAL, ConversationId, SessionId, session_id
from wirken.ipc.calls.operator import AnswerApproval, ApprovalRow
from wirken.ipc.frames import Inbound
from wirken.record.canonical import decode
from wirken.record.reader import RecordReader, StoredRow
from wirken.record.verify import Known, Report, Status, verify_session

_CURL = "run: curl https://httpbin.org/get"
_SANDBOX = 'run: sh -c "touch /cannot_write_here; touch /workspace/f && echo ws_ok=1; touch /tmp/f && echo tmp_ok=1"'
_SESSION = session_id(DEFAULT_AGENT, TERMINAL, ConversationId("demo"))


@dataclass(slots=True)
class _Story:
    """Tells each step and remembers whether it held."""

    paths: Paths
    out: Output
    steps: list[tuple[str, bool]] = field(default_factory=list)

    def say(self, line: Line) -> None:
        if not self.out.as_json:
            self.out.line(line)

    def check(self, said: str, held: bool) -> None:
        self.steps.append((said, held))
        self.say((Styled("  held    ", "green") if held else Styled("  FAILED  ", "red"), said))

    def title(self, said: str) -> None:
        self.say("")
        self.say(Styled(said, "bold"))

    @property
    def held(self) -> bool:
        return all(held for _, held in self.steps)


@click.command("demo")
@click.option("--json", "as_json", is_flag=True, help="Print the steps and whether each held as JSON.")
def command(as_json: bool) -> int:
    """Play a short story in a throw-away data directory; exit code 0 only if every step held."""
    out = Output(as_json, sys.stdout, sys.stderr, os.environ)
    with tempfile.TemporaryDirectory(prefix="wirken-demo-") as folder:
        story = _Story(Paths(Path(folder).resolve()), out)
        story.paths.data.chmod(0o700)
        default.write(story.paths.config_file, f"{REHEARSAL}/{REHEARSAL}")
        with daemon.present(story.paths, lambda: records.plan_without_page(story.paths, out)):
            asyncio.run(_talk(story))
            rows = _rows(story.paths)
            _look(story, rows)
            [report] = records.verified(story.paths, [_SESSION], offline=False, out=out)
        known = _known(rows)
        story.title("5. The session verifies, against the key and the head that the vault keeps")
        story.check(f"{report.rows} rows, {report.attestations} attestations: {report.status}", _good(report))
        _tamper(story, rows, known)
    if as_json:
        out.value({"held": story.held, "steps": [{"step": said, "held": held} for said, held in story.steps]})
    story.title("Every step held." if story.held else "A step did not hold.")
    return 0 if story.held else 1


async def _talk(story: _Story) -> None:
    async def approve(row: ApprovalRow) -> AnswerApproval:
        story.say(f"  (the demo grants once, for this very call: {', '.join(row.action_keys)}, {row.tier})")
        return AnswerApproval(approval=row.approval, lease=row.lease, choice="once")

    async with connected(story.paths.operator_socket) as gateway:
        view = TurnView(gateway, story.out, SystemClock(), approve)
        story.title("1. The model asks for curl, and nobody is there to approve it")
        await view.turn(_message(_CURL, interactive=False))
        story.title("2. The model asks for a shell; the grants that this takes are given")
        await view.turn(_message(_SANDBOX, interactive=True))


def _message(text: str, *, interactive: bool) -> Inbound:
    return Inbound(message_id(), "demo", text, agent=DEFAULT_AGENT, sender="demo", interactive=interactive)


def _rows(paths: Paths) -> list[StoredRow]:
    reader = RecordReader(paths.audit_db)
    try:
        return list(reader.rows(_SESSION))
    finally:
        reader.close()


def _look(story: _Story, rows: list[StoredRow]) -> None:
    facts = [decode(row.payload).fact for row in rows]
    denials = [fact for fact in facts if isinstance(fact, PermissionDenied)]
    results = [fact for fact in facts if isinstance(fact, ToolResultFact)]
    story.title("3. What the record says")
    for row in rows:
        for line in lines(row.payload, row.seq):
            story.say(line)
    story.title("4. What that shows")
    story.check("curl was refused and recorded", [fact.action_key for fact in denials] == ["shell:curl"])
    refused = bool(results) and results[0].output == "Permission denied: 'exec' requires tier3 approval."
    story.check("the model was told so", refused)
    output = results[-1].output if results else ""
    story.check("the sandbox's root is read-only", "Read-only file system" in output)
    story.check("the workspace is writable", "ws_ok=1" in output)
    story.check("the sandbox has a /tmp of its own", "tmp_ok=1" in output)


def _good(report: Report) -> bool:
    return report.status is Status.VERIFIED and report.attestations == 2


def _known(rows: list[StoredRow]) -> Known:
    """Return what an auditor holds who wrote down the last head: enough to find any edit below it."""
    return Known(b"", True, rows[-1].seq, rows[-1].hash)


def _tamper(story: _Story, rows: list[StoredRow], known: Known) -> None:
    story.title("6. One byte of the record is changed")
    target = next(row for row in rows if b'"permission_denied"' in row.payload)
    changed = target.payload.replace(b"shell:curl", b"shell:cur1", 1)
    db = apsw.Connection(str(story.paths.audit_db))
    db.execute(
        "UPDATE session_events SET payload = ? WHERE session_id = ? AND seq = ?", (changed, _SESSION, target.seq)
    )
    db.close()
    report = verify_session(SessionId(_SESSION), _rows(story.paths), known)
    for finding in report.findings:
        story.say(f"  {finding.status}: {finding}")
    first = report.findings[0] if report.findings else None
    named = first is not None and first.seq == target.seq
    story.check(f"verification names row {target.seq}", report.status is Status.BROKEN and named)
