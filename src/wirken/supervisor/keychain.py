"""The device key's way from the OS keychain to the vault: a helper, and a pipe that we do not read."""

from __future__ import annotations

import os
import signal
from typing import Final, NamedTuple

from wirken.supervisor.plan import Plan

_MARKER: Final = "keychain"
_ACCOUNT: Final = 32  # hex digits


class Helper(NamedTuple):
    """A running helper, and the end of the pipe that the vault reads."""

    key: int
    pid: int
    pidfd: int

    def reap(self) -> None:
        """Collect the helper, which has ended."""
        os.waitpid(self.pid, 0)
        os.close(self.pidfd)


def ask(plan: Plan) -> Helper | None:
    """Start the helper that writes the device key to a pipe; None where there is no need to.

    It is asked where the vault says that its key is there, and at the very first start, when a new key may
    go there.
    """
    if not plan.keychain or _exists(plan, "device.key") or _exists(plan, "device.key.age"):
        return None
    account = _account(f"{plan.data}/vault/{_MARKER}")
    if not account and (_exists(plan, _MARKER) or _exists(plan, "vault.db")):
        return None  # a vault without a key that we could find: asking would only make a useless one
    read, write = os.pipe2(os.O_CLOEXEC)
    try:
        pid = os.posix_spawn(
            plan.keychain[0],
            (*plan.keychain, "get", "--fd", str(write), *(("--account", account) if account else ())),
            plan.keychain_environment,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, 2, 1),
                (os.POSIX_SPAWN_DUP2, write, write),
            ],
            setsid=True,
            setsigdef=(signal.SIGPIPE, signal.SIGINT, signal.SIGTERM),
        )
    finally:
        os.close(write)
    return Helper(read, pid, os.pidfd_open(pid))


def may_be_sealed(plan: Plan) -> bool:
    """Return whether the vault may have to wait for a person, and everyone else for the vault."""
    if _exists(plan, "device.key"):
        return False
    return _exists(plan, "device.key.age") or _exists(plan, _MARKER)


def _account(path: str) -> str:
    """Return the account that the marker file names; empty where there is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        words = os.read(descriptor, 64).decode("ascii", "replace").strip()
    finally:
        os.close(descriptor)
    return words if len(words) == _ACCOUNT and all(one in "0123456789abcdef" for one in words) else ""


def _exists(plan: Plan, name: str) -> bool:
    return os.path.lexists(f"{plan.data}/vault/{name}")
