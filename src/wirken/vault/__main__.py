"""Start the vault: `python -I -m wirken.vault --data DIR --control-fd N …`, DIR being `<data>/vault`.

Options: `--operator-fd N --owner-uid U` (the operator's listener), `--device-key-fd N` (a delivery of the
keychain helper), `--outbound-credential NAME` (repeatable: what the configuration binds to a provider),
`--without WALLS` (names with commas: what this machine lacks and may lack).
Exits with 0 when the control socket ends.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from wirken.confine import process, roles
from wirken.domain import limits
from wirken.domain.clock import SystemClock
from wirken.domain.errors import UsageError, WirkenError
from wirken.domain.ids import RoleName
from wirken.domain.secret import Secret
from wirken.ipc.calls.vault import VaultQuestion
from wirken.vault import handover, hardening
from wirken.vault.answers import Answers
from wirken.vault.credentials import Credentials
from wirken.vault.keyring import Keyring
from wirken.vault.server import Server
from wirken.vault.signer import Signer
from wirken.vault.store import Store


class Options(msgspec.Struct):
    """The command line; descriptors are -1 where they were not given."""

    data: Path
    numbers: dict[str, int] = msgspec.field(default_factory=dict)
    bound: set[str] = msgspec.field(default_factory=set)
    without: tuple[str, ...] = ()

    def number(self, name: str) -> int:
        return self.numbers.get(name, -1)


class Outliving:
    """Answers, so that one question that meets a fault in our own code does not end the vault for all."""

    def __init__(self, inner: Answers) -> None:
        self._inner = inner

    def answer(self, role: RoleName, question: VaultQuestion, attached: int | None) -> msgspec.Struct:
        try:
            return self._inner.answer(role, question, attached)
        except WirkenError:
            raise
        except Exception as error:  # noqa: BLE001 - the loop must outlive one bad question
            # Only the kind: an exception's text may quote what it was given, and that may be a secret.
            say(f"a fault while answering {type(question).__name__}: {type(error).__name__}")
            raise WirkenError("The vault met a fault of its own; `wirken logs` names it.") from None


def parse(arguments: Sequence[str]) -> Options:
    """Return the options. Raises `UsageError`."""
    options = Options(Path())
    for name, value in zip(arguments[::2], arguments[1::2], strict=False):
        if name == "--data":
            options.data = Path(value)
        elif name == "--outbound-credential":
            options.bound.add(value)
        elif name == "--without":
            options.without = process.named(value)
        elif name in ("--control-fd", "--operator-fd", "--owner-uid", "--device-key-fd") and value.isdecimal():
            options.numbers[name] = int(value)
        else:
            raise UsageError(f"The vault does not know the option {name}, or not with this value.")
    if len(arguments) % 2 or not options.data.is_dir() or options.number("--control-fd") < 0:
        raise UsageError("The vault needs --data DIR and --control-fd N.")
    if options.number("--operator-fd") >= 0 and options.number("--owner-uid") < 0:
        raise UsageError("--operator-fd needs --owner-uid.")
    return options


def say(line: str) -> None:
    """Write one line for the log."""
    sys.stderr.write(f"vault: {line}\n")
    sys.stderr.flush()


def serve(options: Options) -> None:
    """Wire the parts together and run."""
    locked = hardening.keep_all_from_swap()
    os.umask(0o077)
    options.data.chmod(0o700)

    def keep(key: Secret) -> None:
        if not hardening.keep_from_swap(key) and not locked:
            say("the device key could not be locked into memory; it may reach the swap space")

    clock = SystemClock()
    store = Store(options.data / "vault.db")
    keyring = Keyring(options.data, store, os.urandom, keep)
    device_key_fd = options.number("--device-key-fd")
    keyring.start(handover.wait_for(device_key_fd, limits.KEYCHAIN_TIME * 2) if device_key_fd >= 0 else None)
    answers = Answers(
        keyring,
        Signer(store, keyring.key, os.urandom),
        Credentials(store, keyring.key, os.urandom, clock, frozenset(options.bound)),
    )
    operator_fd = options.number("--operator-fd")
    server = Server(
        socket.socket(fileno=options.number("--control-fd")),
        socket.socket(fileno=operator_fd) if operator_fd >= 0 else None,
        options.number("--owner-uid"),
        Outliving(answers),
        say,
    )
    server.run()
    keyring.wipe()
    store.close()


def main(arguments: Sequence[str]) -> int:
    # Ctrl+C reaches the whole terminal group; the supervisor decides when the vault ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        options = parse(arguments)
        ground = process.Ground(str(options.data.parent), options.without, control=options.number("--control-fd"))
        process.enter(roles.VAULT, ground)
        serve(options)
    except WirkenError as error:
        say(f"{error} {error.advice}".rstrip())
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
