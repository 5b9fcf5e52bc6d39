"""What may be asked of the vault, by whom: each role has its own small union.

The pair a question comes through says who asks; nothing in a question claims an identity.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec


class Identity(msgspec.Struct, frozen=True, tag="identity"):
    """My own Ed25519 identity, and the gateway's public key. Any child may ask, for itself."""


class IdentityReply(msgspec.Struct, frozen=True):
    role: str
    seed: bytes
    """32 bytes: the Ed25519 seed of the asker."""
    gateway_key: bytes
    """32 bytes: the Ed25519 public key that the gateway proves."""


class PeerKey(msgspec.Struct, frozen=True, tag="peer_key"):
    """The public key registered for a role. Gateway only."""

    role: str


class KeyReply(msgspec.Struct, frozen=True):
    key: bytes
    """32 bytes, or empty where no such identity is registered."""


class AgentKey(msgspec.Struct, frozen=True, tag="agent_key"):
    """The agent's public key, made on first use. Gateway and operator."""

    agent: str


class SignHead(msgspec.Struct, frozen=True, tag="sign_head"):
    """Sign a session's head with its agent's key. Gateway only.

    `leaves` holds the 32-byte leaf hashes of the rows from `since` up to `seq`. With them the vault computes the
    head itself, from the last one that it signed: refused is any head that does not continue it, a different
    hash for a seq already signed, and any lower seq. The same head again returns the same signature.
    """

    agent: str
    session: str
    seq: int
    head: str
    """64 hex digits."""
    since: int = 0
    leaves: bytes = b""


class Signature(msgspec.Struct, frozen=True):
    signature: bytes
    key: bytes


class LastHead(msgspec.Struct, frozen=True, tag="last_head"):
    """The last head the vault signed for a session. Gateway and operator."""

    session: str


class HeadReply(msgspec.Struct, frozen=True):
    seq: int
    """-1 where nothing was signed yet."""
    head: str


class CredentialFor(msgspec.Struct, frozen=True, tag="credential_for"):
    """The value of a credential: outbound's, for the names that the configuration binds, and an adapter's own.

    The secrets of a channel are `channel.<channel>.<setting>`, for the role `channel-<channel>` and nobody else.
    """

    name: str


class CredentialReply(msgspec.Struct, frozen=True):
    found: bool
    value: bytes = b""


class AddCredential(msgspec.Struct, frozen=True, tag="add_credential"):
    """Store a new credential (operator). `expires` in ms since the epoch, 0 for never."""

    name: str
    value: bytes
    expires: int = 0


class RotateCredential(msgspec.Struct, frozen=True, tag="rotate_credential"):
    """Replace the value of a stored credential (operator).

    `expires` belongs to the new value: ms since the epoch, 0 for never.
    """

    name: str
    value: bytes
    expires: int = 0


class RemoveCredential(msgspec.Struct, frozen=True, tag="remove_credential"):
    name: str


class SetAside(msgspec.Struct, frozen=True, tag="set_aside"):
    """Keep what is stored as `name` also as `<name>.before`; with `back`, put that one in its place again (operator).

    So a change that proves wrong is undone without anybody reading a value. Dates come along.
    """

    name: str
    back: bool = False


class ListCredentials(msgspec.Struct, frozen=True, tag="list_credentials"):
    """Metadata of every credential (operator). Never a value."""


class CredentialRow(msgspec.Struct, frozen=True):
    """All times in ms since the epoch; 0 where there is none."""

    name: str
    created: int
    rotated: int
    expires: int
    last_used: int
    rotation_due: int


class CredentialRows(msgspec.Struct, frozen=True):
    rows: tuple[CredentialRow, ...]


class Done(msgspec.Struct, frozen=True):
    """It was done and is durable; `said` is a sentence where there is something to say."""

    said: str = ""


class VaultStatus(msgspec.Struct, frozen=True, tag="vault_status"):
    """How the device key is kept, and whether the vault is open. Any child and the operator."""


class VaultReport(msgspec.Struct, frozen=True):
    protection: str
    """`keychain`, `passphrase` or `keyfile`."""
    sealed: bool
    credentials: int
    """-1 while sealed."""


class Unlock(msgspec.Struct, frozen=True, tag="unlock"):
    """Open a sealed vault (operator).

    With a keychain, `passphrase` stays empty and the read end of the keychain helper's pipe, already filled,
    comes with the question as a descriptor (SCM_RIGHTS).
    """

    passphrase: bytes = b""


class OfferKey(msgspec.Struct, frozen=True, tag="offer_key"):
    """Hand the device key to the keychain helper; its socket comes with the question (operator).

    The helper stores it, reads it back and sends that to the vault over the same socket; `Protect` to
    `keychain` then compares and finishes. `current` is the passphrase, where one protects the key now.
    """

    current: bytes = b""


class Protect(msgspec.Struct, frozen=True, tag="protect"):
    """Keep the device key in another way from now on (operator).

    `to` is `keychain` (after `OfferKey`), `passphrase` or `keyfile`; `passphrase` only with the second.
    `current` is the passphrase, where one protects the key now. The old copy is removed once the new one was
    read back; the keychain's own copy is the asker's to delete.
    """

    to: str
    passphrase: bytes = b""
    current: bytes = b""


VaultQuestion: TypeAlias = (
    Identity
    | PeerKey
    | AgentKey
    | SignHead
    | LastHead
    | CredentialFor
    | AddCredential
    | RotateCredential
    | RemoveCredential
    | SetAside
    | ListCredentials
    | VaultStatus
    | Unlock
    | OfferKey
    | Protect
)

RefusalKind: TypeAlias = Literal["sealed", "refused", "unavailable", "usage", "protocol", "error"]


class Ok(msgspec.Struct, frozen=True, tag="ok"):
    """The reply that the question names, as MessagePack."""

    body: msgspec.Raw


class RefusedAnswer(msgspec.Struct, frozen=True, tag="refused"):
    """No, and why; `ipc/vault_wire.py` turns it into an error of the same kind at the asker."""

    kind: RefusalKind
    message: str
    hint: str


Answer: TypeAlias = Ok | RefusedAnswer
