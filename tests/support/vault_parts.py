"""The vault's parts in this process: a store on disk, a clock that is set, replayable randomness."""

from __future__ import annotations

import hashlib
from pathlib import Path

from wirken.domain.secret import Secret
from wirken.vault.credentials import Credentials
from wirken.vault.keyring import Keyring
from wirken.vault.signer import Signer
from wirken.vault.store import Store

NOW = 1_800_000_000_000


class SetClock:
    """A clock that stands until it is moved; ms."""

    def __init__(self, now: int = NOW) -> None:
        self.time = now

    def now(self) -> int:
        return self.time

    def monotonic(self) -> float:
        return self.time / 1000


class Counting:
    """Deterministic bytes that never repeat: SHA-256 over a counter."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, size: int) -> bytes:
        self.count += 1
        return hashlib.sha256(str(self.count).encode()).digest()[:size]


class Parts:
    """One vault over `folder`, opened as its process opens it."""

    def __init__(self, folder: Path, *, bound: frozenset[str] = frozenset({"openai"})) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.clock = SetClock()
        self.random = Counting()
        self.kept: list[int] = []
        self.store = Store(folder / "vault.db")
        self.random.count = 1000 * self.store.count_entries()
        self.keyring = Keyring(folder, self.store, self.random, self._keep)
        self.signer = Signer(self.store, self.keyring.key, self.random)
        self.credentials = Credentials(self.store, self.keyring.key, self.random, self.clock, bound)

    def _keep(self, key: Secret) -> None:
        self.kept.append(len(key.view()))

    def started(self) -> Parts:
        self.keyring.start(None)
        return self

    def reopened(self) -> Parts:
        """Close and open again, as after a restart."""
        self.store.close()
        return Parts(self.folder).started()
