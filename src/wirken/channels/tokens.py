"""The secrets of this channel, from the vault: the ones that its role may ask for, and no others."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from wirken.config.channel_kinds import ChannelKind
from wirken.config.channels import credential
from wirken.domain import limits
from wirken.domain.errors import Refused
from wirken.domain.secret import Secret
from wirken.ipc.calls.vault import CredentialFor, CredentialReply
from wirken.ipc.vault_client_async import AsyncVaultClient
from wirken.ipc.vault_wire import VaultLost, VaultSealed


class NoToken(Refused):
    """A secret that the platform needs is not stored, or not handed out."""


class Tokens:
    """Asks for the secrets of one kind. A sealed or restarting vault is waited for."""

    def __init__(self, vault: AsyncVaultClient, kind: ChannelKind) -> None:
        self._vault: Final = vault
        self._kind: Final = kind

    async def stored(self) -> Mapping[str, Secret]:
        """Return the secrets that are stored, all needed ones among them. Raises `NoToken`."""
        found: dict[str, Secret] = {}
        for setting in self._kind.settings:
            if not setting.secret:
                continue
            reply = await self._asked(credential(self._kind.channel, setting.name))
            if reply.found:
                found[setting.name] = Secret(reply.value)
            elif setting.needed:
                name = credential(self._kind.channel, setting.name)
                raise NoToken(
                    f"The {setting.label} is not stored.", hint=f"Store it with `wirken credentials add {name}`."
                )
        return found

    async def changed(self, said: str) -> None:
        """Return once the secrets are there, or something else is wrong than `said`."""
        while True:
            await asyncio.sleep(limits.TOKEN_LOOK)
            try:
                await self.stored()
            except NoToken as error:
                if str(error) == said:
                    continue
            return

    async def _asked(self, name: str) -> CredentialReply:
        while True:
            try:
                return await self._vault.call(CredentialFor(name), CredentialReply)
            except (VaultSealed, VaultLost):
                await asyncio.sleep(limits.VAULT_POLL)
            except Refused as error:
                raise NoToken(str(error), hint=error.advice) from None
