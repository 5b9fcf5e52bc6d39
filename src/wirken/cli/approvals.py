"""`wirken approvals`: what waits for a person, shown exactly, and the answer to it."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Sequence
from typing import Final

import click

from wirken.cli import approving, daemon, gateway, prompting
from wirken.cli.output import Output, plain
from wirken.config.paths import Paths, data_dir
from wirken.domain.errors import Refused, UsageError
from wirken.domain.text import unpadded
from wirken.ipc.calls.operator import (
    Acknowledged,
    AnswerApproval,
    ApprovalRow,
    ApprovalRows,
    Choice,
    PendingApprovals,
)

_JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_QUESTIONS: Final[dict[Choice, str]] = {
    "once": "Allow this call, once?",
    "session": "Allow this in this session?",
    "30d": "Allow this for 30 days?",
}
_ALLOWED: Final[dict[Choice, str]] = {
    "once": "Allowed, once.",
    "session": "Allowed, and remembered for this session.",
    "30d": "Allowed, and remembered for 30 days.",
}
_COMMAND: Final = 100  # characters of a command in the list; `show` has all of it


class NotWaiting(Refused):
    """No open question has this id."""

    hint = "It was answered or has lapsed; `wirken approvals list` shows what waits."


class OtherCall(Refused):
    """The call that waits is not the one that the script saw."""

    hint = "Look at it with `wirken approvals show`, and decide again."


@click.group("approvals")
def command() -> None:
    """Answer calls that wait for approval. ID is an id of the list, or the beginning of exactly one."""


@command.command("list")
@_JSON
def list_command(as_json: bool) -> None:
    """List what waits for an answer."""
    paths, out = _here(as_json)
    if not daemon.pid(paths):
        out.show([], ["Nothing waits: Wirken does not run."])
        return
    rows, now = _pending(paths), _now()
    header = ("ID", "TIER", "LEFT", "SESSION", "TOOL", "COMMAND")
    cells = [(row.approval, row.tier, _left(row, now), row.session, row.tool, _clipped(row.command)) for row in rows]
    out.show(rows, out.table(header, cells) if rows else ["Nothing waits."])


@command.command("show")
@click.argument("approval", metavar="ID")
@_JSON
def show_command(approval: str, as_json: bool) -> None:
    """Show a call exactly: the bytes that its SHA-256, the lease, was taken over."""
    paths, out = _here(as_json)
    row = _named(_pending(paths), approval)
    out.show(row, approving.described(row, _now()))


@command.command("approve")
@click.argument("approval", metavar="ID")
@click.option("--remember", is_flag=True, help="Remember it for 30 days as well, where `show` offers it.")
@click.option("--for-session", is_flag=True, help="Remember it for this session as well, where `show` offers it.")
@click.option("--lease", metavar="SHA256", help="Approve only if the call has this SHA-256, as `show` printed it.")
@click.option("--yes", is_flag=True, help="Do not ask; needs --lease.")
@_JSON
def approve_command(
    approval: str, remember: bool, for_session: bool, lease: str | None, yes: bool, as_json: bool
) -> int:
    """Allow a call, once. Shows it and asks; a script says which call it saw with --lease, and --yes."""
    paths, out = _here(as_json)
    if yes and lease is None:
        raise UsageError("--yes needs --lease: a script approves exactly the call that it saw.")
    if remember and for_session:
        raise UsageError("--remember and --for-session exclude each other.")
    choice: Choice = "30d" if remember else "session" if for_session else "once"
    row = _to_answer(paths, approval, choice)
    if lease is not None and lease.lower() != row.lease:
        with contextlib.suppress(Refused):  # the gateway refuses it as well, and has it on record
            _put(paths, row.approval, lease, choice, "")
        raise OtherCall("The call that waits has another SHA-256.")
    if not yes and not _agreed(row, choice):
        out.note("Nothing was answered.")
        return 1
    _answer(paths, row, choice, "")
    out.show({"approval": row.approval, "choice": choice, "lease": row.lease}, [_ALLOWED[choice]])
    return 0


@command.command("watch")
def watch_command() -> None:
    """Follow all questions as they come, and answer them here. Ctrl+C or Ctrl+D leaves."""
    from wirken.cli import watching

    paths, out = _here(False)
    if not daemon.pid(paths):
        raise daemon.NotRunning(f"No Wirken runs on {paths.data}, so nothing waits.")
    watching.watch(paths.operator_socket, out)


@command.command("deny")
@click.argument("approval", metavar="ID")
@click.option("--reason", default="", help="What the model is told.")
@_JSON
def deny_command(approval: str, reason: str, as_json: bool) -> None:
    """Refuse a call."""
    paths, out = _here(as_json)
    row = _to_answer(paths, approval, "deny")
    _answer(paths, row, "deny", reason)
    out.show({"approval": row.approval, "choice": "deny", "lease": row.lease}, ["Refused."])


def _agreed(row: ApprovalRow, choice: Choice) -> bool:
    if not prompting.available():
        raise prompting.NoTerminal(
            "There is no terminal to ask on.", hint=f"A script gives --yes --lease {row.lease}, if it saw that call."
        )
    if choice not in row.choices:
        raise UsageError("This call is allowed once at a time; nothing is remembered for it.")
    return prompting.confirmed(_QUESTIONS[choice], (plain(line) for line in approving.described(row, _now())))


def _answer(paths: Paths, row: ApprovalRow, choice: Choice, reason: str) -> None:
    """Answer for the call that was shown: the lease goes with the answer, and the gateway compares."""
    _put(paths, row.approval, row.lease, choice, reason)


def _put(paths: Paths, approval: str, lease: str, choice: Choice, reason: str) -> None:
    given = AnswerApproval(approval=approval, lease=lease, choice=choice, reason=reason)
    gateway.ask(paths.operator_socket, given, Acknowledged)


def _to_answer(paths: Paths, text: str, choice: Choice) -> ApprovalRow:
    """Return the question that is meant. Where none is open, the gateway says what became of it, on record."""
    rows = _pending(paths)
    if text and not any(row.approval.startswith(text) for row in rows):
        _put(paths, text, "", choice, "")  # without a lease, so that it cannot count
    return _named(rows, text)


def _pending(paths: Paths) -> tuple[ApprovalRow, ...]:
    if not daemon.pid(paths):
        raise daemon.NotRunning(f"No Wirken runs on {paths.data}, so nothing waits.")
    return gateway.ask(paths.operator_socket, PendingApprovals(), ApprovalRows).approvals


def _named(rows: Sequence[ApprovalRow], text: str) -> ApprovalRow:
    found = [row for row in rows if text and row.approval.startswith(text)]
    if len(found) != 1:
        raise NotWaiting("Several open questions begin so." if found else "No open question has this id.")
    return found[0]


def _left(row: ApprovalRow, now: int) -> str:
    """Return how long a question stays open, or until when of this machine's clock it is held back."""
    if row.held_until > now:
        return f"held until {time.strftime('%H:%M', time.localtime(row.held_until / 1000))}"
    return f"{max(0, (row.expires - now) // 1000)} s"


def _clipped(text: str) -> str:
    """Return the beginning of a command, and how much is left out; one that says so of itself is shown otherwise."""
    plain = unpadded(text)
    return plain if len(plain) <= _COMMAND else f"{plain[:_COMMAND]} «{len(plain) - _COMMAND} more»"


def _here(as_json: bool) -> tuple[Paths, Output]:
    return Paths(data_dir(os.environ)), Output(as_json, sys.stdout, sys.stderr, os.environ)


def _now() -> int:
    return time.time_ns() // 1_000_000
