"""The keychain helper: a short-lived process that carries the device key between OS keychain and vault.

`python -I -m wirken.vault.keychain get|set --fd N [--account A]`, or `delete --account A`. It runs outside
all views because it talks D-Bus; the vault never does. It ends itself after `limits.KEYCHAIN_TIME`: a
keychain that waits for somebody to unlock it, on a machine where nobody sits, never answers.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from wirken.confine import process
from wirken.domain import limits
from wirken.domain.errors import Unavailable, UsageError, WirkenError
from wirken.domain.secret import Secret
from wirken.vault import handover
from wirken.vault.cipher import KEY

SERVICE: Final = "wirken"


class KeychainFailed(Unavailable):
    """The OS keychain is absent, locked, or does not keep what it is given."""

    hint = "Unlock the desktop's keychain, or keep the key another way: `wirken keys protect --with passphrase`."


class Keychain(Protocol):
    """What we need of an OS keychain (the interface of `keyring.backend.KeyringBackend`)."""

    def get_password(self, service: str, username: str) -> str | None: ...
    def set_password(self, service: str, username: str, password: str) -> None: ...
    def delete_password(self, service: str, username: str) -> None: ...


def get(keychain: Keychain, fd: int, account: str, random: Callable[[int], bytes]) -> None:
    """Write the key of `account` to `fd`; without an account, make a key and an account first."""
    if account:
        delivered = handover.Delivered(_read(keychain, account), account)
    else:
        delivered = _keep(keychain, Secret(random(KEY)), random)
    os.write(fd, delivered.encoded())


def put(keychain: Keychain, fd: int, random: Callable[[int], bytes]) -> None:
    """Read a key from `fd`, keep it under a new account, write back what the keychain then holds."""
    key = Secret(os.read(fd, KEY))
    if len(key.view()) != KEY:
        raise KeychainFailed("The vault handed over no key.")
    os.write(fd, _keep(keychain, key, random).encoded())


def _keep(keychain: Keychain, key: Secret, random: Callable[[int], bytes]) -> handover.Delivered:
    """Store under a fresh account, so that no key of another vault is ever replaced; read it back."""
    account = random(16).hex()
    keychain.set_password(SERVICE, account, key.reveal().hex())
    return handover.Delivered(_read(keychain, account), account)


def _read(keychain: Keychain, account: str) -> Secret:
    kept = keychain.get_password(SERVICE, account)
    try:
        key = Secret(bytes.fromhex(kept or ""))
    except ValueError:
        key = Secret(b"")
    if len(key.view()) != KEY:
        raise KeychainFailed("The keychain holds no device key for this vault.")
    return key


def system_keychain() -> Keychain:
    """Return the system's own keychain, by name.

    Not by keyring's discovery: that loads every installed backend, obeys the environment and a file in the
    home directory, and may end with a plain text file.
    """
    if sys.platform == "darwin":
        from keyring.backends import macOS

        return macOS.Keyring()
    from keyring.backends import SecretService

    return SecretService.Keyring()  # type: ignore[no-untyped-call]  # keyring's backends have no types


def run(arguments: Sequence[str], keychain: Callable[[], Keychain], random: Callable[[int], bytes]) -> None:
    """Do what the arguments say. Raises `KeychainFailed` or `UsageError`."""
    options = dict(zip(arguments[1::2], arguments[2::2], strict=False))
    account, fd = options.get("--account", ""), options.get("--fd", "")
    if account and not handover.is_account(account):
        raise UsageError("--account takes 32 hex digits.")
    match arguments[0] if arguments else "", fd.isdecimal():
        case "get", True:
            get(keychain(), int(fd), account, random)
        case "set", True:
            put(keychain(), int(fd), random)
        case "delete", _ if account:
            keychain().delete_password(SERVICE, account)
        case _:
            raise UsageError("Usage: get|set --fd N [--account A], or delete --account A.")


def _say(text: str) -> None:
    sys.stderr.write(f"keychain: {text}\n")


def main(arguments: Sequence[str]) -> int:
    """Return the exit code; whatever a keychain library raises is named, and ends the process as well."""
    # By kind only: neither the text of a foreign exception nor a traceback is known to be free of secrets.
    sys.excepthook = lambda kind, *_: _say(kind.__name__)
    signal.setitimer(signal.ITIMER_REAL, limits.KEYCHAIN_TIME)
    try:
        process.give_up_privileges()
        run(arguments, system_keychain, os.urandom)
    except WirkenError as error:
        _say(str(error))
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
