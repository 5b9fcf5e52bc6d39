"""The vault as commands meet it: how its key is kept, opening it, and asking it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Final, Literal, TypeAlias

from wirken.cli import daemon, plans, unsealing
from wirken.cli.first import configured
from wirken.cli.output import Output
from wirken.config.paths import Paths
from wirken.confine import roles
from wirken.ipc.vault_client import VaultClient
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
                unsealing.unseal(client, paths)
            yield client
        finally:
            client.close()
