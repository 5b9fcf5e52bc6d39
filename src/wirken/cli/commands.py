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
    "policy": Command("wirken.cli.policy", "Show which gates are in force, and what of limits and budgets is used."),
    "approvals": Command("wirken.cli.approvals", "List, show and answer calls that wait for approval."),
    "channel": Command("wirken.cli.channel", "Add, list, test and remove channels of chat platforms."),
    "senders": Command("wirken.cli.senders", "Say which accounts of chat platforms belong to whom."),
    "credentials": Command("wirken.cli.credentials", "Store, list, rotate and remove the keys of providers."),
    "keys": Command("wirken.cli.keys", "Choose how the vault's own key is kept."),
    "unlock": Command("wirken.cli.unlock", "Open the vault of a Wirken that waits for its passphrase."),
    "status": Command("wirken.cli.status", "Show what runs, and what it is doing."),
    "doctor": Command("wirken.cli.doctor", "Look for what is missing, unsafe or about to go wrong, with the fix."),
    "config": Command("wirken.cli.config", "Show and check the configuration."),
    "demo": Command("wirken.cli.demo", "Play a short story that shows each guarantee, and check that it held."),
    "stop": Command("wirken.cli.stop", "Stop the Wirken that runs on this data directory, or one turn."),
}

ALIASES: Final = {"session": "sessions", "permission": "permissions", "channels": "channel", "sender": "senders"}
