"""Stored credentials: values in, metadata out, and a value only to the process that uses it."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from typing import Final

import msgspec

from wirken.domain import limits
from wirken.domain.clock import Clock
from wirken.domain.errors import Refused, UsageError
from wirken.domain.ids import RoleName
from wirken.domain.secret import Secret
from wirken.ipc.calls.vault import (
    AddCredential,
    CredentialFor,
    CredentialReply,
    CredentialRow,
    CredentialRows,
    Done,
    RemoveCredential,
    RotateCredential,
    SetAside,
)
from wirken.vault import cipher
from wirken.vault.asks import may_have
from wirken.vault.store import Entry, Store

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_BEFORE: Final = ".before"
_BOUND: Final = struct.Struct(">QQQ")
_LATEST: Final = 2**53 - 1  # ms; the largest integer that JSON readers keep exact


class BadCredential(UsageError):
    """A credential's name, value or expiry cannot be stored."""


class NoSuchCredential(Refused):
    """Nothing is stored under this name."""

    hint = "`wirken credentials list` shows the names."


class CredentialExists(Refused):
    """A credential of this name is stored already."""

    hint = "`wirken credentials rotate` replaces its value."


class CredentialExpired(Refused):
    """The value is past its expiry and is not handed out."""

    hint = "`wirken credentials rotate` stores a new one."


class NotBound(Refused):
    """The credential is not for this process: another channel's, or none that the configuration binds to a provider."""

    hint = "A provider's is named in config.toml (`credential = …`); a channel's has the channel in its name."


class Credentials:
    """The entries of the vault. Raises `VaultSealed` for everything while there is no device key."""

    def __init__(
        self,
        store: Store,
        device_key: Callable[[], Secret],
        random: Callable[[int], bytes],
        clock: Clock,
        bound: frozenset[str],
    ) -> None:
        """`bound` holds the names that the configuration binds to a provider; adapters need none of that."""
        self._store = store
        self._device_key = device_key
        self._random = random
        self._clock = clock
        self._bound = bound

    def add(self, question: AddCredential) -> Done:
        """Store a new value. Raises `CredentialExists`, `BadCredential`."""
        key = self._device_key()
        name = _checked_name(question.name)
        if self._store.entry(name) is not None:
            raise CredentialExists(f"A credential '{name}' is stored already.")
        if self._store.count_entries() >= limits.CREDENTIALS:
            raise BadCredential(f"The vault holds {limits.CREDENTIALS} credentials, which is its limit.")
        now = self._clock.now()
        self._put(key, Entry(name, b"", now, 0, _checked_expiry(question.expires, now), 0), question.value)
        return Done()

    def rotate(self, question: RotateCredential) -> Done:
        """Replace a value. Raises `NoSuchCredential`, `BadCredential`."""
        key = self._device_key()
        old = self._stored(question.name)
        now = self._clock.now()
        expires = _checked_expiry(question.expires, now)
        self._put(key, Entry(old.name, b"", old.created, now, expires, old.last_used), question.value)
        return Done()

    def remove(self, question: RemoveCredential) -> Done:
        """Delete. Raises `NoSuchCredential`."""
        self._device_key()
        self._store.remove_entry(self._stored(question.name).name)
        return Done()

    def set_aside(self, question: SetAside) -> Done:
        """Copy an entry to `<name>.before`, or move that one back. Raises `NoSuchCredential`, `BadCredential`."""
        key = self._device_key()
        kept = _checked_name(question.name + _BEFORE)
        old = self._stored(kept if question.back else question.name)
        value = _open(key, old)
        try:
            self._put(key, msgspec.structs.replace(old, name=question.name if question.back else kept), value.reveal())
        finally:
            value.wipe()
        if question.back:
            self._store.remove_entry(kept)
        return Done()

    def rows(self) -> CredentialRows:
        """Return the metadata of all. Raises `NotAuthentic` where name or times were edited."""
        key = self._device_key()
        entries = self._store.entries()
        for entry in entries:
            _open(key, entry).wipe()
        return CredentialRows(tuple(_row(entry) for entry in entries))

    def value_for(self, role: RoleName, question: CredentialFor) -> CredentialReply:
        """Return the value to who may have it. Raises `NotBound`, `CredentialExpired`, `NotAuthentic`."""
        key = self._device_key()
        if not may_have(role, question.name, self._bound):
            raise NotBound(f"No credential of this name is for the role '{role}'.")
        entry = self._store.entry(question.name)
        if entry is None:
            return CredentialReply(found=False)
        now = self._clock.now()
        value = _open(key, entry)
        if entry.expires and now >= entry.expires:
            value.wipe()
            raise CredentialExpired(f"The credential '{entry.name}' has expired.")
        if abs(now - entry.last_used) >= limits.LAST_USED_STEP * 1000:
            self._store.used(entry.name, now)
        try:
            return CredentialReply(found=True, value=value.reveal())
        finally:
            value.wipe()

    def _stored(self, name: str) -> Entry:
        entry = self._store.entry(_checked_name(name))
        if entry is None:
            raise NoSuchCredential(f"There is no credential '{name}'.")
        return entry

    def _put(self, key: Secret, entry: Entry, value: bytes) -> None:
        if not 0 < len(value) <= limits.CREDENTIAL:
            raise BadCredential(f"A value has 1 to {limits.CREDENTIAL} bytes.")
        secret = Secret(value)
        sealed = cipher.seal(key, self._random(cipher.NONCE), _label(entry), secret)
        secret.wipe()
        self._store.put_entry(Entry(entry.name, sealed, entry.created, entry.rotated, entry.expires, entry.last_used))


def _label(entry: Entry) -> cipher.Label:
    """Bind the times that decide about handing out; the last use changes often and decides nothing."""
    return cipher.Label("credential", entry.name, _BOUND.pack(entry.created, entry.rotated, entry.expires))


def _open(key: Secret, entry: Entry) -> Secret:
    if min(entry.created, entry.rotated, entry.expires) < 0:
        raise cipher.NotAuthentic(f"The stored credential '{entry.name}' is not authentic.")
    return cipher.open_sealed(key, _label(entry), entry.sealed)


def _row(entry: Entry) -> CredentialRow:
    due = (entry.rotated or entry.created) + limits.ROTATION_DUE * 1000
    return CredentialRow(entry.name, entry.created, entry.rotated, entry.expires, entry.last_used, due)


def _checked_name(name: str) -> str:
    if _NAME.fullmatch(name) is None:
        raise BadCredential(
            "This name cannot be used.",
            hint="Allowed: 1 to 64 of a-z, 0-9, '.', '_' and '-', a letter or digit first.",
        )
    return name


def _checked_expiry(expires: int, now: int) -> int:
    if expires and not now < expires <= _LATEST:
        raise BadCredential("The expiry lies in the past.", hint="0 means never.")
    return expires
