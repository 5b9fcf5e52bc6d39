"""Have the agent's key sign a session's head, by the vault, and put the attestation on the chain."""

from __future__ import annotations

import asyncio
from typing import Protocol, TypeVar

from wirken.domain import limits
from wirken.domain.events import Attestation, Trust
from wirken.gateway.sessions import Session
from wirken.ipc.calls.vault import Signature, SignHead, VaultQuestion
from wirken.ipc.vault_wire import VaultLost

T = TypeVar("T")


class AsksVault(Protocol):
    """The gateway's pair with the vault."""

    async def call(self, question: VaultQuestion, reply: type[T]) -> T: ...


async def attest(vault: AsksVault, session: Session) -> None:
    """Sign the head of the session as it is on disk and record the signature, if it is not attested.

    A vault that is being restarted is waited for. Raises `VaultSealed`, `VaultLost`, `Refused`, `RecordFailed`.
    """
    async with session.attesting:
        if session.unattested:
            await _attest(vault, session)


async def _attest(vault: AsksVault, session: Session) -> None:
    head = session.log.head(session.id)
    await session.log.flushed()
    question = SignHead(session.agent, session.id, head.seq, head.hash)
    signed = await _patiently(vault, question)
    fact = Attestation(
        chain_head_seq=head.seq,
        chain_head_hash=head.hash,
        signature=signed.signature.hex(),
        signer_pubkey=signed.key.hex(),
    )
    await session.record((Trust.GATEWAY, fact), unfinished=bool(session.waiting) or session.turn is not None)


async def _patiently(vault: AsksVault, question: SignHead) -> Signature:
    deadline = asyncio.get_running_loop().time() + limits.VAULT_WAIT
    pause = limits.RESTART_FIRST
    while True:
        try:
            return await vault.call(question, Signature)
        except VaultLost:
            if asyncio.get_running_loop().time() + pause > deadline:
                raise
            await asyncio.sleep(pause)
            pause *= 2
