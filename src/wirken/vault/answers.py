"""Every question the vault knows, given to the part that answers it."""

from __future__ import annotations

from typing import assert_never

import msgspec

from wirken.domain.ids import RoleName
from wirken.ipc.calls import vault as calls
from wirken.vault import asks
from wirken.vault.credentials import Credentials
from wirken.vault.keyring import Keyring
from wirken.vault.signer import Signer


class Answers(msgspec.Struct, frozen=True):
    """The vault as its peers see it."""

    keyring: Keyring
    signer: Signer
    credentials: Credentials

    def answer(self, role: RoleName, question: calls.VaultQuestion, attached: int | None) -> msgspec.Struct:
        """Answer one question of a role; `attached` is a descriptor that came with it. Raises WirkenError."""
        asks.check(role, question)
        match question:
            case calls.Identity():
                return self.signer.identity(role)
            case calls.PeerKey(peer):
                return self.signer.peer_key(peer, is_open=self.keyring.is_open)
            case calls.AgentKey(agent):
                return self.signer.agent_key(agent, is_open=self.keyring.is_open)
            case calls.SignHead():
                return self.signer.sign_head(question)
            case calls.LastHead(session):
                return self.signer.last_head(session)
            case calls.CredentialFor():
                return self.credentials.value_for(role, question)
            case calls.VaultStatus() | calls.Unlock() | calls.OfferKey() | calls.Protect():
                return self._of_keyring(question, attached)
            case _:
                return self._of_credentials(question)

    def _of_keyring(
        self,
        question: calls.VaultStatus | calls.Unlock | calls.OfferKey | calls.Protect,
        attached: int | None,
    ) -> msgspec.Struct:
        match question:
            case calls.VaultStatus():
                return self.keyring.report()
            case calls.Unlock():
                return self.keyring.unlock(question, attached)
            case calls.OfferKey():
                return self.keyring.offer(question, attached)
            case calls.Protect():
                return self.keyring.protect(question)
            case _:
                assert_never(question)

    def _of_credentials(
        self,
        question: calls.AddCredential
        | calls.RotateCredential
        | calls.RemoveCredential
        | calls.SetAside
        | calls.ListCredentials,
    ) -> msgspec.Struct:
        match question:
            case calls.AddCredential():
                return self.credentials.add(question)
            case calls.RotateCredential():
                return self.credentials.rotate(question)
            case calls.RemoveCredential():
                return self.credentials.remove(question)
            case calls.SetAside():
                return self.credentials.set_aside(question)
            case calls.ListCredentials():
                return self.credentials.rows()
            case _:
                assert_never(question)
