"""Where everything of one installation lies."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wirken.domain import limits
from wirken.domain.errors import ConfigError

LONGEST_SOCKET: Final = "relay-channel-whatsapp.sock"
"""Of all sockets of ours the one with the longest name."""


class NoHome(ConfigError):
    """Nothing says where the data directory is."""

    hint = "Set WIRKEN_DATA_DIR to a folder of this user."


@dataclass(frozen=True, slots=True)
class Paths:
    """The names inside one data directory. `data` is absolute."""

    data: Path

    @property
    def config_file(self) -> Path:
        return self.data / "config.toml"

    @property
    def lock_file(self) -> Path:
        """Locked by the running supervisor, whose pid it contains."""
        return self.data / "wirken.lock"

    @property
    def vault_dir(self) -> Path:
        return self.data / "vault"

    @property
    def vault_db(self) -> Path:
        return self.vault_dir / "vault.db"

    @property
    def device_key_file(self) -> Path:
        """The unprotected device key, where neither keychain nor passphrase keeps it."""
        return self.vault_dir / "device.key"

    @property
    def gateway_dir(self) -> Path:
        return self.data / "gateway"

    @property
    def state_db(self) -> Path:
        return self.gateway_dir / "state.db"

    @property
    def audit_db(self) -> Path:
        return self.gateway_dir / "audit.db"

    @property
    def agents_dir(self) -> Path:
        return self.data / "agents"

    @property
    def skills_dir(self) -> Path:
        return self.data / "skills"

    def workspace(self, agent: str) -> Path:
        """The workspace of an agent that was given none of its own."""
        return self.agents_dir / agent / "workspace"

    @property
    def sockets_dir(self) -> Path:
        """`<data>/sockets`, or a short directory under /tmp where that would not fit a socket's address.

        The short one is the same for every process of one uid and data directory. A child that runs as
        another uid is told the path of its socket and does not ask here.
        """
        usual = self.data / "sockets"
        if len(os.fsencode(usual / LONGEST_SOCKET)) <= limits.SOCKET_ADDRESS:
            return usual
        digest = hashlib.sha256(os.fsencode(self.data)).hexdigest()[:16]
        return Path(f"/tmp/wirken-{os.getuid()}-{digest}")  # noqa: S108  # its maker checks owner and mode

    @property
    def gateway_socket(self) -> Path:
        return self.sockets_dir / "gateway.sock"

    @property
    def operator_socket(self) -> Path:
        return self.sockets_dir / "operator.sock"

    @property
    def vault_socket(self) -> Path:
        return self.sockets_dir / "vault.sock"

    @property
    def supervisor_socket(self) -> Path:
        return self.sockets_dir / "supervisor.sock"


def data_dir(environ: Mapping[str, str]) -> Path:
    """Return the data directory: `WIRKEN_DATA_DIR`, else `~/.wirken`; absolute, links in it resolved."""
    chosen = environ.get("WIRKEN_DATA_DIR", "")
    try:
        place = Path(chosen) if chosen else Path(environ.get("HOME") or Path.home()) / ".wirken"
        return place.expanduser().resolve()
    except RuntimeError:
        raise NoHome("This user has no home directory.") from None


def for_people(path: Path, home: str) -> str:
    """Return `path` with the home directory written as `~`, as people name it."""
    if home and path.is_relative_to(home) and home != "/":
        return str(Path("~") / path.relative_to(home))
    return str(path)
