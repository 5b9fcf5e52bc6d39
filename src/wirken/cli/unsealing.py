"""Opening a sealed vault: by its passphrase, the keychain, or what else it waits for."""

from __future__ import annotations

import os

from wirken.cli import prompting
from wirken.config.paths import Paths
from wirken.domain import limits
from wirken.domain.errors import Refused
from wirken.domain.secret import Secret
from wirken.ipc.calls.vault import Done, Unlock, VaultReport, VaultStatus
from wirken.ipc.vault_client import VaultClient
from wirken.ipc.vault_wire import VaultSealed


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
