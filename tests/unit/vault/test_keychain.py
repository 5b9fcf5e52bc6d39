from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.vault_process import VaultProcess, running

from wirken.domain.errors import UsageError
from wirken.ipc import keychain_link
from wirken.ipc.calls.vault import (
    AddCredential,
    CredentialFor,
    CredentialReply,
    Done,
    Protect,
    VaultReport,
    VaultStatus,
)
from wirken.ipc.keychain_link import KeychainSilent
from wirken.ipc.vault_wire import VaultSealed
from wirken.vault.handover import parse
from wirken.vault.keychain import SERVICE, KeychainFailed, run


class Remembering:
    """A keychain in memory; `forgets` makes it take what it is given and keep nothing."""

    def __init__(self, *, forgets: bool = False) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.forgets = forgets

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if not self.forgets:
            self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


def test_a_first_get_makes_a_key_and_keeps_it_and_the_next_finds_it() -> None:
    keychain = Remembering()
    reading, writing = os.pipe()
    run(["get", "--fd", str(writing)], lambda: keychain, os.urandom)
    first = parse(os.read(reading, 100))
    assert first is not None
    assert keychain.kept == {(SERVICE, first.account): first.key.reveal().hex()}
    run(["get", "--fd", str(writing), "--account", first.account], lambda: keychain, os.urandom)
    again = parse(os.read(reading, 100))
    assert again is not None
    assert again.encoded() == first.encoded()
    run(["delete", "--account", first.account], lambda: keychain, os.urandom)
    assert keychain.kept == {}
    with pytest.raises(KeychainFailed):
        run(["get", "--fd", str(writing), "--account", first.account], lambda: keychain, os.urandom)
    os.close(reading)
    os.close(writing)


def test_a_set_keeps_what_it_is_handed_and_returns_what_the_keychain_holds() -> None:
    keychain = Remembering()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.send(bytes(range(32)))
        run(["set", "--fd", str(theirs.fileno())], lambda: keychain, os.urandom)
        returned = parse(ours.recv(100))
    assert returned is not None
    assert returned.key.reveal() == bytes(range(32))
    assert list(keychain.kept) == [(SERVICE, returned.account)]


def test_a_keychain_that_forgets_is_noticed() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.send(bytes(32))
        with pytest.raises(KeychainFailed):
            run(["set", "--fd", str(theirs.fileno())], lambda: Remembering(forgets=True), os.urandom)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["get"],
        ["set"],
        ["delete"],
        ["delete", "--fd", "1"],
        ["get", "--fd", "x"],
        ["delete", "--account", "../x"],
    ],
)
def test_other_arguments_are_refused(arguments: list[str]) -> None:
    with pytest.raises(UsageError):
        run(arguments, Remembering, os.urandom)


def test_the_helper_is_started_only_where_it_can_help(tmp_path: Path) -> None:
    bus = {"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nowhere"}
    nobody = 4_000_000
    assert not keychain_link.worth_asking(tmp_path, {}, nobody)
    assert keychain_link.worth_asking(tmp_path, bus, nobody)
    (tmp_path / "vault.db").touch()
    assert not keychain_link.worth_asking(tmp_path, bus, nobody)
    (tmp_path / "keychain").write_text("ab" * 16 + "\n")
    assert keychain_link.worth_asking(tmp_path, bus, nobody)
    (tmp_path / "device.key.age").touch()
    assert not keychain_link.worth_asking(tmp_path, bus, nobody)


@pytest.mark.slow
def test_a_bus_that_never_answers_costs_the_first_start_no_more_than_the_time_out(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bus:
        bus.bind(str(tmp_path / "bus"))
        bus.listen(4)
        environ = {"DBUS_SESSION_BUS_ADDRESS": f"unix:path={tmp_path / 'bus'}"}
        started = time.monotonic()
        fd, helper = keychain_link.fetch(tmp_path / "vault", environ, os.getuid())
        with running(tmp_path / "vault", device_key_fd=fd) as vault:
            os.close(fd)
            assert time.monotonic() - started < 6
            report = vault.operator().call(VaultStatus(), VaultReport)
            assert (report.protection, report.sealed) == ("keyfile", False)
        assert helper.wait(5) != 0


def owns_secrets(environ: dict[str, str]) -> bool:
    """Is a keyring on this bus? Asked of the bus itself: asking the keyring would start a second one."""
    target = ("--dest=org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus.NameHasOwner")
    said = subprocess.run(
        ["dbus-send", "--session", "--print-reply", *target, "string:org.freedesktop.secrets"],
        env=environ | {"PATH": os.environ["PATH"]},
        capture_output=True,
        check=False,
    )
    return b"boolean true" in said.stdout


@pytest.fixture
def desktop(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A real session bus with an unlocked GNOME keyring on it."""
    for tool in ("gnome-keyring-daemon", "dbus-daemon", "dbus-send"):
        assert shutil.which(tool) is not None, f"{tool} is missing: `make setup-test` installs it"
    home = tmp_path / "home"
    (home / "run").mkdir(parents=True, mode=0o700)
    bus = subprocess.Popen(
        ["dbus-daemon", "--session", "--nofork", "--print-address=1", f"--address=unix:path={home}/bus"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert bus.stdout is not None
    address = bus.stdout.readline().decode().strip()
    if not address:
        bus.wait()
        bus.stdout.close()
        pytest.skip("dbus-daemon does not start here (it needs an entry in passwd for this user)")
    environ = {"DBUS_SESSION_BUS_ADDRESS": address, "HOME": str(home), "XDG_RUNTIME_DIR": str(home / "run")}
    daemon = subprocess.Popen(
        ["gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets"],
        env=environ | {"PATH": os.environ["PATH"], "XDG_DATA_HOME": str(home / "data")},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert daemon.stdin is not None
    daemon.stdin.write(b"login password")
    daemon.stdin.close()
    until = time.monotonic() + 10
    while not owns_secrets(environ):
        assert time.monotonic() < until, "the keyring did not come up"
        time.sleep(0.02)
    yield environ
    for process in (daemon, bus):
        process.kill()
        process.wait()
    bus.stdout.close()


def fetched(folder: Path, environ: dict[str, str]) -> VaultProcess:
    fd, helper = keychain_link.fetch(folder, environ, os.getuid())
    vault = VaultProcess(folder, bound=["openai"], device_key_fd=fd)
    os.close(fd)
    vault.ready()
    assert helper.wait(10) == 0
    return vault


@pytest.mark.slow
def test_a_real_keychain_keeps_the_key_across_restarts_and_moves(tmp_path: Path, desktop: dict[str, str]) -> None:
    folder = tmp_path / "vault"
    vault = fetched(folder, desktop)
    operator = vault.operator()
    assert operator.call(VaultStatus(), VaultReport).protection == "keychain"
    operator.call(AddCredential("openai", b"sk-1"), Done)
    first = keychain_link.account_of(folder)
    assert not (folder / "device.key").exists()
    vault.kill()

    vault = VaultProcess(folder).ready()
    assert vault.operator().call(VaultStatus(), VaultReport).sealed
    with pytest.raises(VaultSealed):
        vault.operator().call(AddCredential("a", b"x"), Done)
    keychain_link.unlock(vault.operator(), folder, desktop, os.getuid())
    assert not vault.operator().call(VaultStatus(), VaultReport).sealed
    vault.operator().call(Protect("keyfile"), Done)
    keychain_link.delete(first, desktop, os.getuid())
    vault.kill()

    vault = VaultProcess(folder).ready()
    keychain_link.protect(vault.operator(), desktop, os.getuid())
    second = keychain_link.account_of(folder)
    assert second not in ("", first)
    assert not (folder / "device.key").exists()
    vault.kill()

    vault = fetched(folder, desktop)
    got = vault.client("outbound").call(CredentialFor("openai"), CredentialReply)
    assert got.value == b"sk-1"
    vault.kill()
    with pytest.raises(KeychainSilent):
        keychain_link.delete(first, desktop, os.getuid())


def test_the_helper_says_nothing_where_there_is_no_bus(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-I", "-m", "wirken.vault.keychain", "get", "--fd", "1"],
        env={"DBUS_SESSION_BUS_ADDRESS": f"unix:path={tmp_path}/none"},
        capture_output=True,
        timeout=10,
        check=False,
    )
    assert ended.returncode != 0
    assert ended.stdout == b""
    assert ended.stderr == b"keychain: FileNotFoundError\n"
