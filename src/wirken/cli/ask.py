"""`wirken ask`: one turn, with a running Wirken or with processes of its own."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import secrets
import sys
import time
from pathlib import Path

import click

from wirken.cli import daemon, plans
from wirken.cli.approving import answered
from wirken.cli.first import configured
from wirken.cli.gateway import Gateway, connected
from wirken.cli.keyboard import Keyboard
from wirken.cli.output import Output
from wirken.cli.turns import TurnSummary, TurnView, message_id
from wirken.config.paths import Paths, data_dir
from wirken.confine import roles
from wirken.domain import limits
from wirken.domain.clock import SystemClock
from wirken.domain.errors import UsageError
from wirken.domain.ids import DEFAULT_AGENT, TERMINAL, parse_session
from wirken.ipc.calls.operator import ListSessions, SessionRows
from wirken.ipc.frames import Inbound
from wirken.supervisor.plan import Plan

_EXIT = {"finished": 0, "stopped": 130}


@click.command("ask")
@click.option("-m", "--message", help="What to say. Without it, the text comes from standard input.")
@click.option("--agent", default=DEFAULT_AGENT, show_default=True, help="Who answers.")
@click.option("--session", help="Go on with this session (its id, or its last part).")
@click.option("--continue", "go_on", is_flag=True, help="Go on with the latest session of this agent.")
@click.option(
    "--workspace",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Work in this folder instead of the agent's own.",
)
@click.option(
    "--file",
    "files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Add a text file to the message; may be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as one JSON value; nobody is asked.")
def command(
    message: str | None,
    agent: str,
    session: str | None,
    go_on: bool,
    workspace: Path | None,
    files: tuple[Path, ...],
    as_json: bool,
) -> int:
    """Say something to an agent and print its answer.

    Approvals are asked for here when this is a terminal; otherwise whatever needs one is refused at once.
    """
    out = Output(as_json, sys.stdout, sys.stderr, os.environ)
    if session and go_on:
        raise UsageError("--session and --continue exclude each other.")
    text = with_files(spoken(message), files)
    paths = Paths(data_dir(os.environ))
    loaded = configured(paths, out)
    loaded.config.agent(agent)

    def plan() -> Plan:
        return plans.make(paths, loaded, os.environ, port=0, without=frozenset({roles.WEB, roles.CHANNELS}))

    folder = str(workspace.resolve()) if workspace else ""
    own_folder = daemon.workspace(paths, workspace, ()) if workspace else contextlib.nullcontext("")
    interactive = sys.stdin.isatty() and not as_json
    with daemon.present(paths, plan), own_folder as runner:

        async def once() -> TurnSummary:
            async with connected(paths.operator_socket) as gateway:
                inbound = Inbound(
                    platform_id=message_id(),
                    conversation=await conversation(gateway, out, agent, session, go_on=go_on),
                    text=text,
                    agent=agent,
                    sender="terminal",
                    interactive=interactive,
                    runner=runner,
                    workspace=folder,
                )
                return await _followed(gateway, out, inbound, interactive=interactive)

        summary = asyncio.run(once())
    if as_json:
        out.value(summary)
    elif summary.outcome != "finished" or summary.reason:
        out.note(f"{summary.outcome}: {summary.reason}")
    out.note(f"session: {summary.session}")
    return _EXIT.get(summary.outcome, 1)


async def _followed(gateway: Gateway, out: Output, inbound: Inbound, *, interactive: bool) -> TurnSummary:
    if not interactive:
        return await TurnView(gateway, out, SystemClock(), None).turn(inbound)
    with Keyboard() as keyboard:
        answer = functools.partial(answered, keyboard=keyboard, out=out)
        return await TurnView(gateway, out, SystemClock(), answer).turn(inbound)


def spoken(message: str | None) -> str:
    """Return the message's text, from the option or from standard input. Raises `UsageError`."""
    if message is not None:
        return message
    if sys.stdin.isatty():
        raise UsageError("There is nothing to say.", hint="Use -m TEXT, or pipe the text in; `wirken chat` converses.")
    text = sys.stdin.buffer.read(limits.MESSAGE + 1).decode("utf-8", "replace")
    if not text.strip():
        raise UsageError("Standard input was empty.")
    return text


def with_files(text: str, files: tuple[Path, ...]) -> str:
    """Return the text with each file behind it, under its name. Raises `UsageError` for what is not text."""
    parts = [text]
    for path in files:
        raw = path.read_bytes()[: limits.MESSAGE + 1]
        try:
            parts.append(f"\n\nFile {path.name}:\n{raw.decode()}")
        except UnicodeDecodeError:
            raise UsageError(f"{path} is not UTF-8 text.", hint="Put it into the workspace instead.") from None
    whole = "".join(parts)
    if len(whole.encode("utf-8", "replace")) > limits.MESSAGE:
        raise UsageError(
            f"The message and its files pass {limits.MESSAGE} bytes.",
            hint="Put large files into the workspace.",
        )
    return whole


async def conversation(gateway: Gateway, out: Output, agent: str, session: str | None, *, go_on: bool) -> str:
    """Return the conversation to speak in: the named one, the latest one, or a new one. Raises `UsageError`.

    `session` is an id, the end of exactly one, or `last`; where there is none such, a new one of that name.
    """
    prefix = f"{agent}/{TERMINAL}/"
    if session is not None and session != "last":
        name = named_conversation(session, agent)
        rows = await gateway.link.call(ListSessions(TERMINAL), SessionRows)
        known = [row.session.removeprefix(prefix) for row in rows.sessions if row.session.startswith(prefix)]
        ends = [one for one in known if one.endswith(name)]
        if name in known or len(ends) == 1:
            return name if name in known else ends[0]
        if ends:
            raise UsageError("More than one session ends so.", hint="`wirken sessions list` shows them.")
        out.note(f"There is no session {name} yet; this is a new one of that name.")
        return name
    if go_on or session == "last":
        rows = await gateway.link.call(ListSessions(TERMINAL), SessionRows)
        oldest = int(time.time() * 1000) - limits.SESSION_IDLE * 1000
        for row in rows.sessions:
            if row.session.startswith(prefix) and not row.closed and row.last >= oldest:
                return row.session.removeprefix(prefix)
        out.note("There is no session to go on with; this is a new one.")
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"


def named_conversation(session: str, agent: str) -> str:
    """Return the last part of a session id of this agent and the terminal. Raises `UsageError`."""
    if "/" not in session:
        return session
    owner, channel, name = parse_session(session)
    if owner != agent or channel != TERMINAL:
        raise UsageError(
            "That session belongs to another agent or channel.",
            hint=f"A terminal goes on with sessions {agent}/{TERMINAL}/… only.",
        )
    return name
