"""The device key between the vault and the keychain helper: 32 bytes, then the account's 32 hex digits.

Both ways it travels over a pipe or socket that only the two of them read; whoever started the helper holds
the descriptors for a moment and does not look.
"""

from __future__ import annotations

import os
import re
import select
import socket
import stat
from typing import Final

import msgspec

from wirken.domain.errors import Refused
from wirken.domain.secret import Secret
from wirken.vault.cipher import KEY

_ACCOUNT: Final = re.compile(r"[0-9a-f]{32}")
SIZE: Final = KEY + 32


class BadHandOver(Refused):
    """What came over the hand-over descriptor is not a device key from the keychain helper."""

    hint = "Use `wirken keys protect`; it starts the helper itself."


class Delivered(msgspec.Struct, frozen=True):
    """A device key as the keychain gave it, and the account under which it is kept there."""

    key: Secret
    account: str

    def encoded(self) -> bytes:
        return self.key.reveal() + self.account.encode("ascii")


def is_account(text: str) -> bool:
    """Is this the name of a keychain account of ours: 32 lower-case hex digits?"""
    return _ACCOUNT.fullmatch(text) is not None


def parse(payload: bytes) -> Delivered | None:
    """Return what a payload holds; None where it is not exactly a key and an account."""
    account = payload[KEY:].decode("ascii", "replace")
    if len(payload) != SIZE or not is_account(account):
        return None
    return Delivered(Secret(payload[:KEY]), account)


def wait_for(fd: int, patience: float) -> Delivered | None:
    """Read one delivery to its end, waiting at most `patience` seconds for each piece; close `fd`."""
    payload = b""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    try:
        while len(payload) <= SIZE and poll.poll(patience * 1000):
            piece = os.read(fd, SIZE + 1 - len(payload))
            if not piece:
                break
            payload += piece
    finally:
        os.close(fd)
    return parse(payload)


def take_now(fd: int) -> Delivered:
    """Read a delivery that is already there, without waiting; does not close `fd`. Raises `BadHandOver`."""
    if not (stat.S_ISFIFO(os.fstat(fd).st_mode) or stat.S_ISSOCK(os.fstat(fd).st_mode)):
        raise BadHandOver("The hand-over descriptor is neither a pipe nor a socket.")
    os.set_blocking(fd, False)
    try:
        delivered = parse(os.read(fd, SIZE + 1))
    except OSError:
        delivered = None
    if delivered is None:
        raise BadHandOver("The keychain did not deliver a key.")
    return delivered


class Offered:
    """A device key that was handed to the helper and is expected back, once."""

    def __init__(self, fd: int, key: Secret) -> None:
        """Send the key; take over `fd`. Raises `BadHandOver`."""
        try:
            self._socket = socket.socket(fileno=fd)
        except OSError:
            os.close(fd)
            raise BadHandOver("The hand-over descriptor is not a socket.") from None
        try:
            self._socket.setblocking(False)
            if self._socket.send(key.reveal()) != KEY:
                raise BadHandOver("The hand-over socket takes nothing.")
        except OSError:
            self.close()
            raise BadHandOver("The hand-over socket takes nothing.") from None

    def returned(self) -> Delivered:
        """Return what the helper read back from the keychain. Raises `BadHandOver`."""
        return take_now(self._socket.fileno())

    def close(self) -> None:
        self._socket.close()
