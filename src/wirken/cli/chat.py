"""`wirken chat`: a conversation in the terminal."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import sys
from collections.abc import Coroutine

import click

from wirken.cli import daemon, plans
from wirken.cli.approving import answered
from wirken.cli.ask import conversation
from wirken.cli.first import configured
from wirken.cli.gateway import Gateway, connected
from wirken.cli.keyboard import Keyboard
from wirken.cli.output import Output, Styled
from wirken.cli.turns import TurnSummary, TurnView, message_id
from wirken.config.paths import Paths, data_dir
from wirken.domain.clock import SystemClock
from wirken.domain.errors import UsageError, WirkenError
from wirken.domain.ids import DEFAULT_AGENT, TERMINAL, agent_id, conversation_id, session_id
from wirken.ipc.calls.operator import ApprovalRows, PendingApprovals
from wirken.ipc.frames import Inbound
from wirken.ipc.link import LinkLost
from wirken.supervisor.plan import Plan

STOP = "/stop"
_HELP = "Say something, or: /new (a new session), /quit. /stop or Ctrl+C stops a running turn, Ctrl+D leaves."


@click.command("chat")
@click.option("--agent", default=DEFAULT_AGENT, show_default=True, help="Who answers.")
@click.option("--session", help="Go on with this session (its id, or its last part).")
@click.option("--continue", "go_on", is_flag=True, help="Go on with the latest session of this agent.")
def command(agent: str, session: str | None, go_on: bool) -> int:
    """Converse with an agent: answers stream, approvals are asked for here."""
    out = Output(False, sys.stdout, sys.stderr, os.environ)
    if not sys.stdin.isatty():
        raise UsageError("`wirken chat` needs a terminal.", hint="`wirken ask` takes text from standard input.")
    paths = Paths(data_dir(os.environ))
    loaded = configured(paths, out)
    loaded.config.agent(agent)

    def plan() -> Plan:
        return plans.make(paths, loaded, os.environ, port=0, without=frozenset({"web"}))

    with daemon.present(paths, plan):
        asyncio.run(_chat(paths, out, agent, session, go_on=go_on))
    return 0


async def _chat(paths: Paths, out: Output, agent: str, session: str | None, *, go_on: bool) -> None:
    async with connected(paths.operator_socket) as gateway:
        with Keyboard() as keyboard:
            talk = _Talk(gateway, out, keyboard, agent)
            await talk.run(await conversation(gateway, out, agent, session, go_on=go_on))


class _Talk:
    def __init__(self, gateway: Gateway, out: Output, keyboard: Keyboard, agent: str) -> None:
        self._gateway = gateway
        self._out = out
        self._keyboard = keyboard
        self._agent = agent
        self._view = TurnView(gateway, out, SystemClock(), functools.partial(answered, keyboard=keyboard, out=out))

    async def run(self, name: str) -> None:
        self._out.note(Styled(_HELP, "dim"))
        await self._note_waiting(name)
        while True:
            self._out.ask(Styled("you> ", "cyan"))
            line = await self._keyboard.line()
            match None if line is None else line.strip():
                case None | "/quit" | "/exit":
                    return
                case "":
                    continue
                case "/help":
                    self._out.note(_HELP)
                case "/new":
                    name = await conversation(self._gateway, self._out, self._agent, None, go_on=False)
                    self._out.note("A new session.")
                case text:
                    await self._say(name, text)

    async def _note_waiting(self, name: str) -> None:
        """Say what has waited in this session since before we came; its turn goes on with the answer."""
        session = session_id(agent_id(self._agent), TERMINAL, conversation_id(name))
        for row in (await self._gateway.link.call(PendingApprovals(), ApprovalRows)).approvals:
            if row.session == session:
                self._out.note(f"A question waits here: `wirken approvals show {row.approval}`, then approve or deny.")

    async def _say(self, name: str, text: str) -> None:
        message = Inbound(message_id(), name, text, agent=self._agent, sender="terminal", interactive=True)
        try:
            summary = await _interruptible(self._view.turn(message), self._keyboard)
        except LinkLost:
            raise
        except WirkenError as error:
            self._out.error(error)
            return
        if summary is None:
            self._out.note("stopped")
        elif summary.reason:
            self._out.note(f"{summary.outcome}: {summary.reason}")


async def _interruptible(work: Coroutine[object, object, TurnSummary], keyboard: Keyboard) -> TurnSummary | None:
    """Run `work`; Ctrl+C or `/stop` cancels it instead of us, and then None is returned."""
    loop = asyncio.get_running_loop()
    task = loop.create_task(work)
    loop.add_signal_handler(signal.SIGINT, task.cancel)
    keyboard.commands[STOP] = task.cancel
    try:
        return await task
    except asyncio.CancelledError:
        return None
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        del keyboard.commands[STOP]
