"""`wirken keys`: how the device key, which opens the vault, is kept."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import Final

import click
import msgspec

from wirken.cli import daemon, prompting, strength, unsealing, vaults
from wirken.cli.discreet import Discreet
from wirken.cli.output import Line, Output, Style, Styled
from wirken.config.paths import Paths, data_dir
from wirken.domain import limits
from wirken.domain.errors import Refused, UsageError, WirkenError
from wirken.domain.secret import Secret
from wirken.ipc import keychain_link
from wirken.ipc.calls.vault import Done, Protect, VaultReport, VaultStatus
from wirken.ipc.vault_client import VaultClient

_WAYS: Final = ("keychain", "passphrase", "keyfile")
_SAID: Final[dict[str, tuple[str, Style]]] = {
    "keychain": ("The OS keychain keeps the key; the vault opens while your session is open.", "green"),
    "passphrase": ("A passphrase protects the key; after each start the vault waits for `wirken unlock`.", "green"),
    "keyfile": ("A file (0600) keeps the key, and nothing protects that: see `wirken keys protect`.", "yellow"),
}


class MovedMeanwhile(Refused):
    """The key is kept in another way than its files said a moment ago."""

    hint = "Somebody else changed it; look with `wirken keys status`, then try again."


@dataclass(frozen=True, slots=True)
class Passphrases:
    """What was asked for: the passphrase that protects the key now, and the one that shall."""

    current: Secret
    new: Secret

    def wipe(self) -> None:
        self.current.wipe()
        self.new.wipe()


@click.group("keys")
def command() -> None:
    """Choose how the device key is kept: by the OS keychain, behind a passphrase, or in a file."""


@command.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status_command(as_json: bool) -> None:
    """Show how the device key is kept, whether the vault is open, and how many credentials it holds."""
    paths, out = _here(as_json)
    with vaults.asked(paths, out, opened=False) as vault:
        report = vault.call(VaultStatus(), VaultReport)
    said, style = _SAID.get(report.protection, ("", "red"))
    held = "unknown while it is sealed" if report.sealed else str(report.credentials)
    lines: list[Line] = [
        ("protection:   ", Styled(report.protection, style)),
        ("vault:        ", Styled("sealed", "yellow") if report.sealed else "open"),
        f"credentials:  {held}",
        said,
    ]
    out.show({**msgspec.to_builtins(report), "running": bool(daemon.pid(paths))}, lines)


@command.command("protect", cls=Discreet)
@click.option("--with", "way", required=True, metavar="|".join(_WAYS), help="Who keeps the key from now on.")
@click.option(
    "--stdin",
    is_flag=True,
    help="Read passphrases from standard input, a line each: the one in force (if one is), then the new one.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON value.")
def protect_command(way: str, stdin: bool, as_json: bool) -> None:
    """Keep the device key in another way, or behind another passphrase.

    The old copy is removed once the new one was read back.
    """
    paths, out = _here(as_json)
    if way not in _WAYS:
        raise UsageError("That is no way to keep the key.", hint=f"Ways: {', '.join(_WAYS)}.")
    before = vaults.kept_by(paths) or _made(paths, out)
    account = keychain_link.account_of(paths.vault_dir)
    given = _piped(before, way) if stdin else _typed(before, way, out)
    try:
        with vaults.asked(paths, out, opened=False) as vault:
            _open(vault, paths, before, given)
            said = _protect(vault, way, given)
    finally:
        given.wipe()
    leftover = _forget(account) if before == "keychain" else ""
    lines = [f"The device key is kept by: {way}.", _SAID[way][0], said, leftover, _about_backups(before, way)]
    out.show({"protection": way, "before": before}, filter(None, lines))
    if as_json and leftover:
        raise Refused(leftover)


def _made(paths: Paths, out: Output) -> str:
    """Have the vault make its key, which only its first start does; return how it is kept."""
    with vaults.asked(paths, out, opened=False) as vault:
        return vault.call(VaultStatus(), VaultReport).protection


def _open(vault: VaultClient, paths: Paths, before: str, given: Passphrases) -> None:
    """Open a sealed vault with what is at hand. Raises `MovedMeanwhile`, the vault's refusal, `KeychainSilent`."""
    report = vault.call(VaultStatus(), VaultReport)
    if report.protection != before:
        raise MovedMeanwhile(f"The key is kept by: {report.protection}, no longer by: {before}.")
    if report.sealed and before == "passphrase":
        unsealing.unlock(vault, Secret(given.current.reveal()))
    elif report.sealed:
        unsealing.unseal(vault, paths)


def _protect(vault: VaultClient, way: str, given: Passphrases) -> str:
    current = given.current.reveal() if given.current else b""
    if way == "keychain":
        return keychain_link.protect(vault, os.environ, os.getuid(), current).said
    new = given.new.reveal() if given.new else b""
    return vault.call(Protect(way, passphrase=new, current=current), Done).said


def _typed(before: str, way: str, out: Output) -> Passphrases:
    current = prompting.hidden("Passphrase in force now: ") if before == "passphrase" else Secret(b"")
    if way != "passphrase":
        return Passphrases(current, Secret(b""))
    out.note(
        f"At least {limits.PASSPHRASE_SHORTEST} bytes; five or more random words are good. It cannot be recovered."
    )
    new = prompting.hidden("New passphrase (not shown): ")
    out.note(strength.judged(new))
    again = prompting.hidden("The same again: ")
    try:
        if not new.matches(again):
            raise prompting.BadInput("The two entries are not the same.", hint="Try again; nothing was changed.")
    finally:
        again.wipe()
    return Passphrases(current, new)


def _piped(before: str, way: str) -> Passphrases:
    wanted = (before == "passphrase") + (way == "passphrase")
    if not wanted:
        return Passphrases(Secret(b""), Secret(b""))
    whole = prompting.piped(2 * limits.PASSPHRASE + 2)
    lines = whole.reveal().split(b"\n")
    whole.wipe()
    if len(lines) != wanted or not all(lines):
        raise prompting.BadInput(
            f"Standard input has {len(lines)} lines; {wanted} are needed.",
            hint="First the passphrase in force now, where one is, then the new one, where one is wanted.",
        )
    given = [Secret(line.removesuffix(b"\r")) for line in lines]
    current = given.pop(0) if before == "passphrase" else Secret(b"")
    new = given.pop(0) if given else Secret(b"")
    if new:
        strength.judged(new)
    return Passphrases(current, new)


def _forget(account: str) -> str:
    """Remove the keychain's copy, which is no longer used; return what could not be done."""
    try:
        keychain_link.delete(account, os.environ, os.getuid())
    except WirkenError:
        return f"The OS keychain still holds a copy: remove the entry 'wirken', account {account}, by hand."
    return ""


def _about_backups(before: str, way: str) -> str:
    if before == way == "passphrase":
        return "A backup of the vault's folder still opens with the old passphrase."
    return ""


def _here(as_json: bool) -> tuple[Paths, Output]:
    return Paths(data_dir(os.environ)), Output(as_json, sys.stdout, sys.stderr, os.environ)
