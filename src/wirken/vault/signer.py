"""Ed25519 identities of the processes, the agents' keys, and heads that only move forward (docs/vault.md)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from nacl import bindings
from nacl.exceptions import BadSignatureError

from wirken.domain import limits
from wirken.domain.attestation import attestation_message
from wirken.domain.errors import Refused, UsageError
from wirken.domain.ids import RoleName, agent_id
from wirken.domain.secret import Secret
from wirken.ipc.calls.vault import HeadReply, IdentityReply, KeyReply, Signature, SignHead
from wirken.vault import cipher
from wirken.vault.asks import GATEWAY
from wirken.vault.store import Head, KeyPair, Store

_SEED: Final = 32
_HASH: Final = 32  # bytes of a SHA-256
_IDENTITY: Final = "identity"
_AGENT: Final = "agent"
_SESSION: Final = re.compile(r"[!-~]+")


class HeadRefused(Refused):
    """Signing this head would contradict one that was signed before, or move backwards."""

    hint = "The record was rewritten or set back: `wirken sessions verify` shows from which row."


class HeadForged(Refused):
    """The remembered head in vault.db does not carry its agent's signature: the file was edited."""

    hint = "Restore the vault directory from a backup, and verify the sessions."


class Signer:
    """Makes keys on first use and signs. Public keys and heads can be read while the vault is sealed."""

    def __init__(self, store: Store, device_key: Callable[[], Secret], random: Callable[[int], bytes]) -> None:
        """`device_key` raises `VaultSealed` while there is none."""
        self._store = store
        self._device_key = device_key
        self._random = random

    def identity(self, role: RoleName) -> IdentityReply:
        """Return the role's own seed and the gateway's public key, both made on first use."""
        gateway = self._pair(_IDENTITY, GATEWAY)
        own = self._pair(_IDENTITY, role)
        self._seed(gateway).wipe()  # the seed opens only if the clear public key is the one it was sealed with
        seed = self._seed(own)
        try:
            return IdentityReply(role, seed.reveal(), gateway.public)
        finally:
            seed.wipe()

    def peer_key(self, role: str, *, is_open: bool) -> KeyReply:
        """Return a role's public key, or an empty one. Raises `NotAuthentic` where the file was edited."""
        pair = self._store.key(_IDENTITY, role)
        if pair is None:
            return KeyReply(b"")
        if is_open:
            self._seed(pair).wipe()
        return KeyReply(pair.public)

    def agent_key(self, agent: str, *, is_open: bool) -> KeyReply:
        """Return an agent's public key, made on first use. Raises `VaultSealed` where it must be made."""
        pair = self._store.key(_AGENT, agent_id(agent)) or self._pair(_AGENT, agent)
        if is_open:
            self._seed(pair).wipe()
        return KeyReply(pair.public)

    def last_head(self, session: str) -> HeadReply:
        """Return the last head signed. Raises `HeadForged`."""
        head = self._known(session)
        return HeadReply(-1, "") if head is None else HeadReply(head.seq, head.head)

    def sign_head(self, question: SignHead) -> Signature:
        """Sign, and have it on disk before it is returned. Raises `HeadRefused`, `HeadForged`, `NotAHead`."""
        message = attestation_message(_checked_session(question.session), question.seq, question.head)
        pair = self._pair(_AGENT, agent_id(question.agent))
        before = self._known(question.session)
        if before is not None:
            _check_forward(before, question)
            if before.seq == question.seq:
                self._device_key()
                return Signature(before.signature, pair.public)
        _check_continues(before, question)
        seed = self._seed(pair)
        _, secret = bindings.crypto_sign_seed_keypair(seed.reveal())
        seed.wipe()
        signature = bindings.crypto_sign(message, secret)[: bindings.crypto_sign_BYTES]
        self._store.put_head(Head(question.session, question.agent, question.seq, question.head, signature))
        return Signature(signature, pair.public)

    # --- parts ----------------------------------------------------------------------------------------

    def _known(self, session: str) -> Head | None:
        """Return the remembered head, checked against its agent's key: a row edited by hand is noticed."""
        head = self._store.head(_checked_session(session))
        if head is None:
            return None
        pair = self._store.key(_AGENT, head.agent)
        message = attestation_message(head.session, head.seq, head.head)
        try:
            if pair is None:
                raise BadSignatureError
            bindings.crypto_sign_open(head.signature + message, pair.public)
        except (BadSignatureError, ValueError):
            raise HeadForged("The remembered head of this session does not carry its signature.") from None
        return head

    def _pair(self, kind: str, name: str) -> KeyPair:
        """Return a pair, made now if there is none. Raises `VaultSealed` where it must be made."""
        pair = self._store.key(kind, name)
        if pair is not None:
            return pair
        key = self._device_key()
        seed = Secret(self._random(_SEED))
        public, _ = bindings.crypto_sign_seed_keypair(seed.reveal())
        sealed = cipher.seal(key, self._random(cipher.NONCE), cipher.Label(kind, name, public), seed)
        pair = KeyPair(kind, name, public, sealed)
        self._store.add_key(pair)
        seed.wipe()
        return pair

    def _seed(self, pair: KeyPair) -> Secret:
        """Return the seed. Raises `VaultSealed`; `NotAuthentic` where seed, name or public key was edited."""
        return cipher.open_sealed(self._device_key(), cipher.Label(pair.kind, pair.name, pair.public), pair.sealed)


def _check_forward(before: Head, question: SignHead) -> None:
    if before.agent != question.agent:
        raise HeadRefused("Another agent's key signs this session.")
    if question.seq < before.seq:
        raise HeadRefused(f"Row {before.seq} of this session is signed; row {question.seq} lies before it.")
    if question.seq == before.seq and question.head != before.head:
        raise HeadRefused(f"Another head was signed for row {before.seq} of this session.")


def _check_continues(before: Head | None, question: SignHead) -> None:
    """Compute the head from the last signed one, row by row (docs/record.md, "Chain"): rows that were attested
    cannot be exchanged for others and signed anew.

    Not with hashlib, which would load OpenSSL into this process.
    """
    seq, head = (-1, "") if before is None else (before.seq, before.head)
    skipped = (seq + 1 - question.since) * _HASH
    leaves = question.leaves[skipped:] if skipped >= 0 else b""
    if len(leaves) != (question.seq - seq) * _HASH:
        raise HeadRefused(f"The rows from row {seq + 1} up to row {question.seq} are not all there.")
    for start in range(0, len(leaves), _HASH):
        leaf = leaves[start : start + _HASH].hex()
        head = bindings.crypto_hash_sha256((head + leaf).encode("ascii")).hex()
    if head != question.head:
        raise HeadRefused(f"Row {question.seq} does not continue what was signed up to row {seq}.")


def _checked_session(session: str) -> str:
    """Return the id if it is printable ASCII of bounded length; sub-agents' ids have their own suffix."""
    if len(session) > limits.SESSION_ID or _SESSION.fullmatch(session) is None:
        raise UsageError("This session id cannot be used.")
    return session
