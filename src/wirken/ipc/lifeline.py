"""A child's ties to the supervisor and the vault: readiness, the order to stop, and new pairs after a restart."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Final

from wirken.domain import limits
from wirken.domain.ids import RoleName
from wirken.domain.secret import Secret
from wirken.ipc import handshake
from wirken.ipc.calls.vault import Identity, IdentityReply
from wirken.ipc.vault_client_async import AsyncVaultClient
from wirken.ipc.vault_wire import VaultLost, VaultSealed

READY: Final = b"R"
NEW_PAIR: Final = b"V"
"""What the supervisor sends before a descriptor that replaces the pair with the vault."""


class Lifeline:
    """The control descriptor, watched in the event loop, and the vault pair that it may replace.

    End-of-file on the control descriptor sets `stopping`; it also comes when the supervisor has died.
    """

    def __init__(self, control_fd: int, vault_fd: int) -> None:
        self._control = socket.socket(fileno=control_fd)
        self._control.setblocking(False)
        self.vault: Final = AsyncVaultClient.from_fd(vault_fd)
        self.stopping: Final = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._control, self._heard)

    def ready(self) -> None:
        """Tell the supervisor, once, that this process does its work. One that has died is noticed elsewhere."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._control.send(READY)

    async def identity(self) -> handshake.Identity:
        """Return this process's identity, waiting for a sealed or restarting vault."""
        while True:
            try:
                reply = await self.vault.call(Identity(), IdentityReply)
            except (VaultSealed, VaultLost):
                await asyncio.sleep(limits.VAULT_POLL)
            else:
                return handshake.Identity(RoleName(reply.role), Secret(reply.seed), reply.gateway_key)

    def _heard(self) -> None:
        try:
            said, descriptors, _, _ = socket.recv_fds(self._control, 1, 1)
        except BlockingIOError:
            return
        except OSError:
            said, descriptors = b"", []
        if not said:
            asyncio.get_running_loop().remove_reader(self._control)
            self.stopping.set()
        elif said == NEW_PAIR and descriptors:
            self.vault.replace(socket.socket(fileno=descriptors[0]))
