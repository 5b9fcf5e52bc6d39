"""The vault as commands meet it: how its key is kept, opening it, and asking it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Final, Literal, TypeAlias

from wirken.cli import daemon, plans, prompting
from wirken.cli.first import configured
from wirken.cli.output import Output
from wirken.config.paths import Paths
from wirken.confine import roles
from wirken.domain import limits
from wirken.domain.errors import Refused
from wirken.domain.secret import Secret
from wirken.ipc.calls.vault import Done, Unlock, VaultReport, VaultStatus
from wirken.ipc.vault_client import VaultClient
from wirken.ipc.vault_wire import VaultSealed
from wirken.supervisor.plan import Plan

Kept: TypeAlias = Literal["keyfile", "passphrase", "keychain", ""]

_FORMS: Final[tuple[tuple[str, Kept], ...]] = (
    ("device.key", "keyfile"),
    ("device.key.age", "passphrase"),
    ("keychain", "keychain"),
)
"""The files that say how the device key is kept, the least protecting first (vault/keyring.py)."""


def kept_by(paths: Paths) -> Kept:
    """Return how the device key is kept, as the files show it; empty where there is none yet."""
    for name, kept in _FORMS:
        if os.path.lexists(paths.vault_dir / name):
            return kept
    return ""


def plan(paths: Paths, out: Output) -> Plan:
    """Return the plan of a vault alone, for the time of one command."""
    others = frozenset(roles.START_ORDER) - {roles.VAULT}
    return plans.make(paths, configured(paths, out), os.environ, port=0, without=others)


@contextlib.contextmanager
def asked(paths: Paths, out: Output, *, opened: bool = True) -> Iterator[VaultClient]:
    """Have a vault to ask: the running one, else one for the time of the block.

    With `opened`, a sealed one is opened first, by asking for its passphrase. Raises `VaultSealed` where that
    cannot be.
    """
    with daemon.present(paths, lambda: plan(paths, out), needs=roles.VAULT):
        client = VaultClient.connect(paths.vault_socket)
        try:
            if opened:
                unseal(client, paths)
            yield client
        finally:
            client.close()


def unseal(client: VaultClient, paths: Paths) -> bool:
    """Open the vault if it is sealed, and return whether it was.

    Asks for the passphrase on the terminal. Raises `VaultSealed` where there is none, and the vault's refusal.
    """
    report = client.call(VaultStatus(), VaultReport)
    if not report.sealed:
        return False
    match report.protection:
        case "passphrase":
            if not prompting.available():
                raise VaultSealed(
                    "The vault is sealed, and there is no terminal on which to ask for its passphrase.",
                    hint="Keep `wirken run` running, open it once with `wirken unlock`, and then try again.",
                )
            _ask_passphrase(client)
        case "keychain":
            from wirken.ipc import keychain_link

            keychain_link.unlock(client, paths.vault_dir, os.environ, os.getuid())
        case _:
            client.call(Unlock(), Done)
    return True


def unlock(client: VaultClient, passphrase: Secret) -> None:
    """Open the vault with this passphrase, which is wiped. Raises `Refused` where it is the wrong one."""
    try:
        client.call(Unlock(passphrase.reveal()), Done)
    finally:
        passphrase.wipe()


def _ask_passphrase(client: VaultClient) -> None:
    question = "Passphrase of Wirken's vault: "
    for _ in range(limits.PASSPHRASE_TRIES - 1):
        try:
            unlock(client, prompting.hidden(question))
        except Refused:
            question = "That does not open the vault. Passphrase: "
        else:
            return
    unlock(client, prompting.hidden(question))
