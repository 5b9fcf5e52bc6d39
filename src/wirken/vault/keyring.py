"""How the device key is kept (key file, passphrase or OS keychain); opening it, and moving between them.

Decided by the files present: `device.key` (the key), `device.key.age` with `device.key.salt` (behind a
passphrase), `keychain` (the account in the OS keychain). Where a crash left two of them, the one that
protects least speaks, so that the report is never better than the truth; protecting again finishes the move.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal, TypeAlias

from wirken.domain.errors import Refused, UsageError, WirkenError
from wirken.domain.secret import Secret
from wirken.ipc.calls.vault import Done, OfferKey, Protect, Unlock, VaultReport
from wirken.ipc.vault_wire import VaultSealed
from wirken.vault import cipher, keyfiles, passphrase
from wirken.vault.handover import BadHandOver, Delivered, Offered, take_now
from wirken.vault.store import Store

Protection: TypeAlias = Literal["keyfile", "passphrase", "keychain"]

_KEYFILE: Final = "device.key"
_AGE: Final = "device.key.age"
_SALT: Final = "device.key.salt"
_MARKER: Final = "keychain"
_CHECK: Final = cipher.Label("check", "device-key")
_LOST: Final = "The device key of this vault is missing."
_RESTORE: Final = "Restore the vault directory from a backup; without the key nothing in it can be read."


class WrongKey(Refused):
    """A device key is well-formed but not this vault's."""

    hint = _RESTORE


class Keyring:
    """Holds the device key once it is known; `key()` is how everyone in this process gets it."""

    def __init__(
        self, folder: Path, store: Store, random: Callable[[int], bytes], keep: Callable[[Secret], None]
    ) -> None:
        """`keep` is told of the key when it is known, to lock it into memory."""
        self._folder = folder
        self._store = store
        self._random = random
        self._keep = keep
        self._key: Secret | None = None
        self._sealed = VaultSealed("The vault is sealed: run `wirken unlock`.")
        self._offered: Offered | None = None
        self.protection: Protection = "keyfile"

    # --- opening --------------------------------------------------------------------------------------

    def start(self, delivered: Delivered | None) -> None:
        """Open with what is there; on the first start make a key. What cannot be opened stays sealed."""
        found = self._found()
        if found is not None:
            self.protection = found
        try:
            if found is None:
                self._first(delivered)
            elif found == "keyfile":
                self._open(Secret(keyfiles.read(self._folder / _KEYFILE)))
            elif found == "keychain" and delivered is not None:
                self._open(delivered.key)
        except WirkenError as error:
            self._sealed = VaultSealed(str(error), hint=error.advice)

    def key(self) -> Secret:
        """Return the device key. Raises `VaultSealed`."""
        if self._key is None:
            raise VaultSealed(str(self._sealed), hint=self._sealed.advice)
        return self._key

    @property
    def is_open(self) -> bool:
        return self._key is not None

    def report(self) -> VaultReport:
        return VaultReport(self.protection, not self.is_open, self._store.count_entries() if self.is_open else -1)

    def unlock(self, question: Unlock, attached: int | None) -> Done:
        """Open a sealed vault. Raises `WrongPassphrase`, `BadHandOver`, `WrongKey`."""
        if self.is_open:
            return Done("The vault is open already.")
        if self.protection == "passphrase":
            self._open(self._behind(Secret(question.passphrase)))
        elif self.protection == "keychain":
            if attached is None:
                raise BadHandOver("This vault's key is in the OS keychain; a passphrase does not open it.")
            self._open(take_now(attached).key)
        else:
            self._open(Secret(keyfiles.read(self._folder / _KEYFILE)))
        return Done("The vault is open.")

    # --- moving ---------------------------------------------------------------------------------------

    def offer(self, question: OfferKey, attached: int | None) -> Done:
        """Hand the key to the keychain helper. Takes over a duplicate of `attached`."""
        key = self.key()
        self._authorise(question.current)
        if attached is None:
            raise BadHandOver("The keychain helper's socket must come with the question.")
        self.forget_offer()
        self._offered = Offered(os.dup(attached), key)
        return Done()

    def forget_offer(self) -> None:
        """Close what an unfinished hand-over left open."""
        if self._offered is not None:
            self._offered.close()
            self._offered = None

    def protect(self, question: Protect) -> Done:
        """Keep the key in another way; the old copy goes once the new one was read back."""
        key = self.key()
        self._authorise(question.current)
        if question.to == "keyfile":
            keyfiles.write(self._folder / _KEYFILE, key.reveal())
            self.protection = "keyfile"
        elif question.to == "passphrase":
            self._to_passphrase(key, passphrase.checked(question.passphrase))
            self.protection = "passphrase"
        elif question.to == "keychain":
            self._to_keychain(key)
            self.protection = "keychain"
        else:
            raise UsageError("A device key is kept by keychain, passphrase or keyfile.")
        return Done(self._remove_others())

    def _authorise(self, current: bytes) -> None:
        """Who can reach the operator socket must not thereby get around the passphrase."""
        if self.protection == "passphrase" and not cipher.same(self._behind(Secret(current)), self.key()):
            raise WrongKey("The key behind this passphrase is not this vault's.")

    def _to_passphrase(self, key: Secret, new: Secret) -> None:
        salt = self._folder / _SALT
        if salt.exists():
            # Changing the passphrase keeps the salt: two files cannot be replaced in one step, and age
            # encrypts to a fresh ephemeral key anyway.
            stretch = passphrase.read_stretch(keyfiles.read(salt))
        else:
            stretch = passphrase.Stretch(self._random(passphrase.SALT).hex())
            keyfiles.write(salt, passphrase.write_stretch(stretch))
        age = passphrase.lock(key, new, stretch)
        if not cipher.same(passphrase.unlock(passphrase.Locked(stretch, age), new), key):
            raise WrongKey("The new age file does not give the key back; nothing was changed.")
        keyfiles.write(self._folder / _AGE, age)

    def _to_keychain(self, key: Secret) -> None:
        if self._offered is None:
            raise BadHandOver("The key was not handed to the keychain helper yet.")
        try:
            delivered = self._offered.returned()
        finally:
            self.forget_offer()
        if not cipher.same(delivered.key, key):
            raise BadHandOver("The keychain gave back another key than it was given; nothing was changed.")
        keyfiles.write(self._folder / _MARKER, delivered.account.encode() + b"\n")

    def _remove_others(self) -> str:
        """Remove every other form of the key. The salt goes after the age file that needs it."""
        keep = {"keyfile": (_KEYFILE,), "passphrase": (_AGE, _SALT), "keychain": (_MARKER,)}[self.protection]
        removed = [
            name
            for name in (_KEYFILE, _AGE, _SALT, _MARKER)
            if name not in keep and keyfiles.remove(self._folder / name)
        ]
        if _KEYFILE in removed:
            return (
                "The key file was overwritten and removed. An SSD, a snapshot or a backup may still hold the"
                " old blocks; if that matters, start a new vault and rotate the credentials."
            )
        return ""

    # --- parts ----------------------------------------------------------------------------------------

    def _found(self) -> Protection | None:
        """Return the form that the files show, the least protecting first."""
        if os.path.lexists(self._folder / _KEYFILE):
            return "keyfile"
        if os.path.lexists(self._folder / _AGE):
            return "passphrase"
        return "keychain" if os.path.lexists(self._folder / _MARKER) else None

    def _first(self, delivered: Delivered | None) -> None:
        if self._store.meta("check") is not None:
            raise VaultSealed(_LOST, hint=_RESTORE)
        if delivered is not None:
            keyfiles.write(self._folder / _MARKER, delivered.account.encode() + b"\n")
            self.protection = "keychain"
            self._open(delivered.key)
            return
        key = Secret(self._random(cipher.KEY))
        keyfiles.write(self._folder / _KEYFILE, key.reveal())
        self.protection = "keyfile"
        self._open(key)

    def _behind(self, secret: Secret) -> Secret:
        if not secret:
            raise passphrase.WrongPassphrase("The passphrase that protects the device key now is needed.")
        stretch = passphrase.read_stretch(keyfiles.read(self._folder / _SALT))
        return passphrase.unlock(passphrase.Locked(stretch, keyfiles.read(self._folder / _AGE)), secret)

    def _open(self, key: Secret) -> None:
        """Accept a key that opens the check value, or seal that value with the very first key."""
        if len(key.view()) != cipher.KEY:
            raise WrongKey("The device key is damaged.")
        check = self._store.meta("check")
        if check is None:
            self._store.put_meta("check", cipher.seal(key, self._random(cipher.NONCE), _CHECK, Secret(b"")))
        else:
            try:
                cipher.open_sealed(key, _CHECK, check)
            except cipher.NotAuthentic:
                raise WrongKey("This device key does not belong to this vault.") from None
        self._keep(key)
        self._key = key

    def wipe(self) -> None:
        """Forget the key; the process is about to end."""
        self.forget_offer()
        if self._key is not None:
            self._key.wipe()
            self._key = None
