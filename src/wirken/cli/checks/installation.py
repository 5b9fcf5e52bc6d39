"""What checks look at: this machine, this data directory, and what runs on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from wirken.cli import boxes, plans
from wirken.cli.status import Status
from wirken.config.load import ConfigMissing, load
from wirken.config.model import Config
from wirken.config.paths import Paths
from wirken.confine.pyenv import program_paths
from wirken.domain.errors import ConfigError, SandboxUnavailable, WirkenError
from wirken.ipc.calls.vault import CredentialRow, CredentialRows, ListCredentials
from wirken.ipc.vault_client import VaultClient
from wirken.supervisor import trial, workspaces
from wirken.supervisor.launch import Tools


class Walls(NamedTuple):
    """What came of trying to make walls: `views` for our processes, `sandbox` inside them for commands.

    `said` is the reason where one could not be made, `fix` what helps.
    """

    views: bool
    sandbox: bool
    said: str = ""
    fix: str = ""


@dataclass
class Installation:
    """Facts are looked up when a check first asks for them. `now` is in ms since the epoch."""

    paths: Paths
    environ: Mapping[str, str]
    uid: int
    now: int
    running: Status | None
    """What runs here, processes that the doctor started for itself included."""
    not_started: str = ""
    """Why processes that should be looked at could not be started."""
    root: Path = Path("/")
    """The machine's root directory, below which /proc and /etc are read."""

    @cached_property
    def _loaded(self) -> Config | ConfigError:
        try:
            return load(self.paths.config_file).config
        except ConfigMissing:
            return Config()
        except ConfigError as error:
            return error

    @property
    def config(self) -> Config:
        """The configuration; the defaults where there is none, or none that can be used."""
        return self._loaded if isinstance(self._loaded, Config) else Config()

    @property
    def config_trouble(self) -> ConfigError | None:
        """Why config.toml cannot be used."""
        return self._loaded if isinstance(self._loaded, ConfigError) else None

    @cached_property
    def tools(self) -> Tools:
        """The programs that make walls."""
        return plans.tools()

    @cached_property
    def walls(self) -> Walls:
        """Try to make a process view, and a sandbox in it."""
        try:
            said = trial.walls(self.tools)
        except SandboxUnavailable as error:
            return Walls(False, False, str(error), error.advice)
        return Walls(True, not said, said)

    @cached_property
    def box(self) -> boxes.Chosen:
        """Which sandbox commands get, as the next start would choose it."""
        return boxes.choose(self.config.sandbox, self.walls.said, str(self.paths.data), "")

    @property
    def land(self) -> workspaces.Land:
        """What folders are judged against."""
        paths, uid = self.paths, self.tools.service_uid
        home = self.environ.get("HOME", "")
        return workspaces.land(str(paths.data), str(paths.sockets_dir), program_paths(), home, uid)

    @cached_property
    def credentials(self) -> tuple[CredentialRow, ...] | None:
        """What the vault holds; None where it does not run, is sealed or does not answer."""
        vault = self.running.vault if self.running is not None else None
        if vault is None or vault.sealed:
            return None
        try:
            client = VaultClient.connect(self.paths.vault_socket)
            try:
                return client.call(ListCredentials(), CredentialRows).rows
            finally:
                client.close()
        except WirkenError:
            return None

    @property
    def owners(self) -> frozenset[int]:
        """The uids to which the data may belong: the caller's, and the one that root's children run as."""
        return frozenset({self.uid, self.tools.service_uid} - {-1})
