"""Starting the keychain helper and joining it to the vault by descriptors, for the supervisor and the CLI.

The device key passes through a pipe between the helper and the vault; this process only hands the ends over.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

from wirken.domain import limits
from wirken.domain.errors import Unavailable
from wirken.ipc.calls.vault import Done, OfferKey, Protect, Unlock
from wirken.ipc.vault_client import VaultClient

_FORMS: Final = ("device.key", "device.key.age")
_ACCOUNT: Final = re.compile(r"[0-9a-f]{32}")
_PASSED: Final = ("DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "HOME")


class KeychainSilent(Unavailable):
    """The OS keychain did not do what it was asked, in time."""

    hint = "Unlock the desktop's keychain and try again, or choose `passphrase`."


def account_of(vault_dir: Path) -> str:
    """Return the keychain account that the vault's marker file names; empty where there is none."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        text = (vault_dir / "keychain").read_text("ascii").strip()
        return text if _ACCOUNT.fullmatch(text) else ""
    return ""


def has_keychain(environ: Mapping[str, str], uid: int) -> bool:
    """Could a keychain answer here at all? Costs one look at the file system."""
    return sys.platform == "darwin" or bool(_bus(environ, uid))


def worth_asking(vault_dir: Path, environ: Mapping[str, str], uid: int) -> bool:
    """Should the supervisor start the helper: is the key in the keychain, or is there no vault yet?"""
    if any((vault_dir / name).exists() for name in _FORMS) or not has_keychain(environ, uid):
        return False
    return bool(account_of(vault_dir)) or not (vault_dir / "vault.db").exists()


def fetch(vault_dir: Path, environ: Mapping[str, str], uid: int) -> tuple[int, subprocess.Popen[bytes]]:
    """Start the helper; return the descriptor for the vault's `--device-key-fd` and the process to reap."""
    reading, writing = os.pipe()
    try:
        helper = _start("get", writing, account_of(vault_dir), environ, uid)
    finally:
        os.close(writing)
    return reading, helper


def unlock(client: VaultClient, vault_dir: Path, environ: Mapping[str, str], uid: int) -> Done:
    """Open a vault whose keychain was silent at its start. Raises `KeychainSilent` or the vault's refusal."""
    reading, helper = fetch(vault_dir, environ, uid)
    try:
        _finish(helper)
        return client.call(Unlock(), Done, fds=(reading,))
    finally:
        os.close(reading)


def protect(client: VaultClient, environ: Mapping[str, str], uid: int, current: bytes = b"") -> Done:
    """Move the device key into the keychain. Raises `KeychainSilent` or the vault's refusal.

    Where that fails half-way the vault keeps the key as before, and the keychain may hold one copy more.
    """
    if not has_keychain(environ, uid):
        raise KeychainSilent("There is no OS keychain in this session.", hint="Choose `passphrase` instead.")
    vaults, helpers = socket.socketpair()
    with vaults, helpers:
        client.call(OfferKey(current), Done, fds=(vaults.fileno(),))
        helper = _start("set", helpers.fileno(), "", environ, uid)
        helpers.close()
        vaults.close()
        _finish(helper)
    return client.call(Protect("keychain", current=current), Done)


def delete(account: str, environ: Mapping[str, str], uid: int) -> None:
    """Remove a copy that the vault no longer uses. Raises `KeychainSilent`."""
    _finish(_start("delete", -1, account, environ, uid))


def _start(
    action: Literal["get", "set", "delete"], fd: int, account: str, environ: Mapping[str, str], uid: int
) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-I", "-m", "wirken.vault.keychain", action]
    command += ["--fd", str(fd)] if fd >= 0 else []
    command += ["--account", account] if account else []
    passed = {name: environ[name] for name in _PASSED if name in environ}
    bus = _bus(environ, uid)
    return subprocess.Popen(
        command,
        env=passed | ({"DBUS_SESSION_BUS_ADDRESS": bus} if bus else {}),
        pass_fds=(fd,) if fd >= 0 else (),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _finish(helper: subprocess.Popen[bytes]) -> None:
    """Wait for the helper, which ends itself in time; the margin is for starting an interpreter."""
    try:
        code = helper.wait(limits.KEYCHAIN_TIME * 2)
    except subprocess.TimeoutExpired:
        helper.kill()
        code = helper.wait()
    if code != 0:
        raise KeychainSilent("The OS keychain did not answer, or refused.")


def _bus(environ: Mapping[str, str], uid: int) -> str:
    """Return the session bus's address, or empty."""
    named = environ.get("DBUS_SESSION_BUS_ADDRESS", "")
    path = Path(f"/run/user/{uid}/bus")
    return named or (f"unix:path={path}" if path.exists() else "")
