"""Have the agent's key sign a session's head, by the vault, and put the attestation on the chain."""

from __future__ import annotations

import asyncio
from typing import Protocol, TypeVar

from wirken.domain import limits
from wirken.domain.events import Attestation, Trust
from wirken.gateway.past import LinkHashes, RecordTampered
from wirken.gateway.sessions import Session
from wirken.ipc.calls.vault import HeadReply, LastHead, Signature, SignHead, VaultQuestion
from wirken.ipc.vault_wire import VaultLost
from wirken.record.chain import Head

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
    since = await vouch(vault, session) + 1
    head = session.log.head(session.id)
    await session.log.flushed()
    links = [link for link in session.log.links(session.id, since) if link.seq <= head.seq]
    rest, links = links[limits.ATTEST_ROWS :], links[: limits.ATTEST_ROWS]
    signed = await _sign(vault, session, head, since, links, more=bool(rest))
    while rest:
        since, links, rest = rest[0].seq, rest[: limits.ATTEST_ROWS], rest[limits.ATTEST_ROWS :]
        signed = await _sign(vault, session, head, since, links, more=bool(rest))
    fact = Attestation(
        chain_head_seq=head.seq,
        chain_head_hash=head.hash,
        signature=signed.signature.hex(),
        signer_pubkey=signed.key.hex(),
    )
    await session.record((Trust.GATEWAY, fact), unfinished=_unfinished(session, head.seq))


def _unfinished(session: Session, attested: int) -> bool:
    """Is there work left that a restart must take up, once the rows up to `attested` are attested?"""
    work = session.waiting or session.turn or session.bringing.messages or session.outbox.waiting
    return bool(work) or session.owed > attested


async def _sign(
    vault: AsksVault, session: Session, head: Head, since: int, links: list[LinkHashes], *, more: bool
) -> Signature:
    """Have `head` signed, or, where `more` rows follow than fit a question, the last of `links`."""
    leaves = b"".join(bytes.fromhex(link.leaf) for link in links)
    seq, link = (links[-1].seq, links[-1].hash) if more else (head.seq, head.hash)
    signed = await _patiently(vault, SignHead(session.agent, session.id, seq, link, since, leaves), Signature)
    session.signed = seq
    return signed


async def vouch(vault: AsksVault, session: Session) -> int:
    """Ask the vault, once, whether the session on disk is the one whose head it signed last; return that row.

    Raises `RecordTampered` where it is not, `VaultLost`.
    """
    if session.signed is None:
        last = await _patiently(vault, LastHead(session.id), HeadReply)
        found = session.log.links(session.id, last.seq)[:1] if last.seq >= 0 else []
        if last.seq >= 0 and (not found or (found[0].seq, found[0].hash) != (last.seq, last.head)):
            raise RecordTampered(f"The vault signed another row {last.seq} of this session than the record holds.")
        session.signed = last.seq
    return session.signed


async def vouch_once_it_answers(vault: AsksVault, session: Session) -> None:
    """As `vouch`, however long the vault is away: what was accepted before a crash must not wait for a new start."""
    while True:
        try:
            await vouch(vault, session)
        except VaultLost:
            await asyncio.sleep(limits.VAULT_POLL)
        else:
            return


async def _patiently(vault: AsksVault, question: VaultQuestion, reply: type[T]) -> T:
    deadline = asyncio.get_running_loop().time() + limits.VAULT_WAIT
    pause = limits.RESTART_FIRST
    while True:
        try:
            return await vault.call(question, reply)
        except VaultLost:
            if asyncio.get_running_loop().time() + pause > deadline:
                raise
            await asyncio.sleep(pause)
            pause *= 2
