"""A channel put in, changed or taken out: vault, config.toml and the processes, undone step by step if it must be."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from wirken.cli import daemon, plans, reloading, vaults
from wirken.cli.output import Output
from wirken.config import editing
from wirken.config.channel_kinds import ChannelKind
from wirken.config.channels import ChannelConfig, credential, role_of
from wirken.config.load import load
from wirken.config.paths import Paths
from wirken.confine import roles
from wirken.confine.roles import role_of as role_named
from wirken.domain import limits
from wirken.domain.errors import Unavailable, WirkenError
from wirken.domain.secret import Secret
from wirken.ipc.calls.vault import (
    AddCredential,
    CredentialRows,
    Done,
    ListCredentials,
    RemoveCredential,
    RotateCredential,
    SetAside,
)
from wirken.ipc.vault_client import VaultClient
from wirken.supervisor.plan import Plan

_BEFORE = ".before"
"""What the vault calls an entry that it has set aside (`SetAside`)."""


class Busy(Unavailable):
    """Another command has the processes for itself, for as long as it takes."""

    hint = "Try again when it has ended, or start `wirken run`."


def runs(paths: Paths) -> bool:
    """Return whether a Wirken runs whose channels can be changed. Raises `Busy`, `daemon.NotRunning`."""
    if not daemon.pid(paths):
        return False
    with daemon.Control(paths) as control:
        if control.ask({"ask": "status"})["ephemeral"]:
            raise Busy("Another command has started Wirken's processes for itself.")
    return True


def stored(vault: VaultClient) -> frozenset[str]:
    """Return the names of all that the vault has."""
    return frozenset(row.name for row in vault.call(ListCredentials(), CredentialRows).rows)


def own_secrets(kind: ChannelKind) -> list[str]:
    """Return the vault entries that may be a channel's own; also what a change that was killed has left aside."""
    names = [credential(kind.channel, one.name) for one in kind.settings if one.secret]
    return [*names, *(name + _BEFORE for name in names)]


@dataclass(slots=True)
class Change:
    """What one command does to one channel."""

    paths: Paths
    out: Output
    channel: str
    running: bool
    """A Wirken runs, which is told."""
    _undo: list[Callable[[], None]] = field(default_factory=list)
    _aside: list[str] = field(default_factory=list)
    _secrets: bool = False
    _table: bool = False
    _served: bool = False

    def store(self, vault: VaultClient, given: Mapping[str, Secret], there: frozenset[str]) -> None:
        """Store secrets by the names of their settings; what was stored before is kept until `keep`."""
        for setting, secret in given.items():
            name = credential(self.channel, setting)
            self._secrets = True
            if name in there:
                vault.call(SetAside(name), Done)
                self._aside.append(name)
                self._undo.append(functools.partial(self._vault, SetAside(name, back=True)))
                vault.call(RotateCredential(name, secret.reveal()), Done)
            else:
                vault.call(AddCredential(name, secret.reveal()), Done)
                self._undo.append(functools.partial(self._vault, RemoveCredential(name)))

    def write(self, entry: ChannelConfig | None) -> None:
        """Have config.toml say this of the channel; None: nothing. Raises `ConfigInvalid`."""
        file = self.paths.config_file
        text = file.read_bytes().decode()
        old = load(file).config.channels.get(self.channel)
        self._served = old is not None and old.enabled
        if entry == old:
            return
        if entry is None:
            changed = editing.without_channel(text, self.channel, str(file))
        else:
            changed = editing.with_channel(text, self.channel, entry, str(file))
        editing.replace(file, changed, text)
        self._table = True
        self._undo.append(functools.partial(editing.replace, file, text, changed))

    def tell(self) -> None:
        """Have the running Wirken go on with the change; return once everybody is ready. Raises as `reloading`."""
        if not self.running:
            return
        _await_open(self.paths)
        self._undo.insert(0, self._tell_back)
        try:
            if self._table:
                reloading.reload(self.paths, load(self.paths.config_file), os.environ)
            else:
                reloading.renew(self.paths, self.channel)
        except daemon.Declined:
            del self._undo[0]  # nothing has changed there
            raise
        if self._table and self._secrets and self._served:
            reloading.renew(self.paths, self.channel)

    @property
    def edited(self) -> bool:
        """Whether config.toml is another one now."""
        return self._table

    def keep(self) -> None:
        """The change is good: what was set aside is forgotten."""
        self._undo.clear()
        if self._aside:
            with vaults.asked(self.paths, self.out) as vault:
                for name in self._aside:
                    vault.call(RemoveCredential(name + _BEFORE), Done)

    def undo(self) -> None:
        """Put everything back as it was; what cannot be is said. The processes come last."""
        while self._undo:
            step = self._undo.pop()
            try:
                step()
            except (WirkenError, OSError) as error:
                self.out.note(f"Not undone: {error}")

    def _tell_back(self) -> None:
        """Tell the running Wirken what is so again; it may still be busy with what was asked of it before."""
        until = time.monotonic() + limits.READY_TIME
        while True:
            try:
                if self._table:
                    reloading.reload(self.paths, load(self.paths.config_file), os.environ)
                    self._table = False
                if self._secrets and self._served:
                    reloading.renew(self.paths, self.channel)
            except daemon.Declined:
                if time.monotonic() > until:
                    raise
                time.sleep(limits.START_POLL)
            else:
                return

    def _vault(self, question: SetAside | RemoveCredential) -> None:
        with vaults.asked(self.paths, self.out) as vault:
            vault.call(question, Done)


@contextlib.contextmanager
def served(paths: Paths, channel: str) -> Iterator[None]:
    """Have this channel served for the time of the block: by the Wirken that runs, else by processes of our own."""
    with daemon.present(paths, lambda: _plan(paths, channel)):
        yield


def forget_state(paths: Paths, channel: str) -> None:
    """Remove the folder in which a channel that is not served any more kept its keys, if there is one."""
    folder = paths.data / plans.state_folder(channel)
    if folder.is_dir():
        shutil.rmtree(folder)


def _await_open(paths: Paths) -> None:
    """Wait until a Wirken that is just starting, or was sealed until now, has started. Raises `daemon.NotReady`."""
    until = time.monotonic() + limits.READY_TIME
    with daemon.Control(paths) as control:
        while (phase := control.ask({"ask": "status"})["phase"]) != "open":
            if time.monotonic() > until:
                raise daemon.NotReady(f"Wirken is not ready ({phase}).")
            time.sleep(limits.START_POLL)


def _plan(paths: Paths, channel: str) -> Plan:
    """Return the plan of everything but the page, and of no other channel."""
    plan = plans.make(paths, load(paths.config_file), os.environ, port=0, without=frozenset({roles.WEB}))
    own = role_of(channel)
    return plan._replace(
        programs={role: line for role, line in plan.programs.items() if role == own or not role_named(role).apart},
        webhooks={role: port for role, port in plan.webhooks.items() if role == own},
        states={role: state for role, state in plan.states.items() if role == own},
    )
