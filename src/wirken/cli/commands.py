"""Which commands there are, in the order in which help lists them. Each module is loaded when it is called.

A module has the click command as `command`.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Command(NamedTuple):
    """Where a command lives, and its line in `wirken --help`."""

    module: str
    help: str


COMMANDS: Final = {
    "run": Command("wirken.cli.run", "Start Wirken and keep it running until Ctrl+C."),
    "ask": Command("wirken.cli.ask", "Say something to an agent and print its answer."),
    "chat": Command("wirken.cli.chat", "Converse with an agent in the terminal."),
    "sessions": Command("wirken.cli.sessions", "List, show, close and verify sessions."),
    "audit": Command("wirken.cli.audit", "Read and verify the whole record."),
    "permissions": Command("wirken.cli.permissions", "List, grant and revoke remembered approvals."),
    "demo": Command("wirken.cli.demo", "Play a short story that shows each guarantee, and check that it held."),
    "stop": Command("wirken.cli.stop", "Stop the Wirken that runs on this data directory."),
}

ALIASES: Final = {"session": "sessions", "permission": "permissions"}
