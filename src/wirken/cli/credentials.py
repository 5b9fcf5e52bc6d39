"""`wirken credentials`: keys of providers, in; their dates, out. A stored value is never shown again."""

from __future__ import annotations

import os
import sys
import time
from typing import Final

import click
import msgspec

from wirken.cli import aging, daemon, prompting, vaults
from wirken.cli.discreet import Discreet
from wirken.cli.first import configured
from wirken.cli.output import Line, Output, Style, Styled
from wirken.cli.values import value
from wirken.config.channel_kinds import CHANNEL_KINDS
from wirken.config.channels import credential
from wirken.config.model import CredentialName
from wirken.config.paths import Paths, data_dir
from wirken.domain.errors import Refused, UsageError
from wirken.ipc.calls.vault import (
    AddCredential,
    CredentialRow,
    CredentialRows,
    Done,
    ListCredentials,
    RemoveCredential,
    RotateCredential,
)

_JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_STDIN: Final = click.option("--stdin", is_flag=True, help="Read the value from standard input (less one newline).")
_FILE: Final = click.option(
    "--value-file", "file", metavar="PATH", help="Read the value from a file (less one newline)."
)
_EXPIRES: Final = click.option(
    "--expires", metavar="WHEN", help="90d, or the last day on which it is good, as 2027-01-31. Default: never."
)
_STYLES: Final[dict[aging.State, Style]] = {
    "ok": "green",
    "rotation soon": "yellow",
    "rotation due": "yellow",
    "expires soon": "yellow",
    "expired": "red",
}


class NoSuchCredential(Refused):
    """Nothing is stored under this name."""

    hint = "`wirken credentials list` shows the names."


@click.group("credentials")
def command() -> None:
    """Store, list, rotate and remove the keys of providers and the tokens of channels.

    Values come from a hidden prompt, --stdin or --value-file, never from the command line. A stored value is never
    shown again; the process that talks to the provider or platform is the only one that gets it.
    """


@command.command("add", cls=Discreet)
@click.argument("name")
@_STDIN
@_FILE
@_EXPIRES
@_JSON
def add_command(name: str, stdin: bool, file: str | None, expires: str | None, as_json: bool) -> None:
    """Store a new credential as NAME."""
    (paths, out), until = _here(as_json), _until(expires)
    secret = value(_checked(name), out, stdin=stdin, file=file)
    try:
        with vaults.asked(paths, out) as vault:
            vault.call(AddCredential(name, secret.reveal(), until), Done)
    finally:
        secret.wipe()
    bound = _providers(paths, out).get(name, [])
    out.show({"added": name, "expires": until, "providers": bound}, [f"Stored {name}."])
    _say_how_to_use(paths, out, name, bound)


@command.command("rotate", cls=Discreet)
@click.argument("name")
@_STDIN
@_FILE
@_EXPIRES
@_JSON
def rotate_command(name: str, stdin: bool, file: str | None, expires: str | None, as_json: bool) -> None:
    """Replace the value of NAME. An expiry belongs to the value: give the new one's, or it has none."""
    (paths, out), until = _here(as_json), _until(expires)
    secret = value(_checked(name), out, stdin=stdin, file=file)
    try:
        with vaults.asked(paths, out) as vault:
            vault.call(RotateCredential(name, secret.reveal(), until), Done)
    finally:
        secret.wipe()
    out.show({"rotated": name, "expires": until}, [f"Replaced the value of {name}; it is used from now on."])
    out.note("Revoke the old value where it was issued.")


@command.command("list")
@_JSON
def list_command(as_json: bool) -> None:
    """List the credentials: when stored, last used, when each expires and should be changed. Never a value."""
    paths, out = _here(as_json)
    rows, providers, now = _rows(paths, out), _providers(paths, out), _now()
    header = ("NAME", "STORED", "LAST USED", "EXPIRES", "ROTATION DUE", "USED BY", "STATE")
    cells = [
        (
            row.name,
            _day(row.rotated or row.created),
            _moment(row.last_used),
            _day(row.expires) or "never",
            _day(row.rotation_due),
            _users(row.name, providers),
            aging.state(row, now),
        )
        for row in rows
    ]
    data = [_as_data(row, providers, now) for row in rows]
    out.show(data, out.table(header, cells) if rows else ["No credential is stored."])


@command.command("show", cls=Discreet)
@click.argument("name")
@_JSON
def show_command(name: str, as_json: bool) -> None:
    """Show what is known about NAME; the value is not."""
    paths, out = _here(as_json)
    row = next((row for row in _rows(paths, out) if row.name == name), None)
    if row is None:
        raise NoSuchCredential("There is no credential of that name.")
    providers, now = _providers(paths, out), _now()
    state = aging.state(row, now)
    lines: list[Line] = [
        Styled(row.name, "bold"),
        f"  stored:        {_moment(row.created)}",
        f"  last changed:  {_moment(row.rotated) or 'never'}",
        f"  last used:     {_moment(row.last_used) or 'never'}",
        f"  expires:       {_moment(row.expires) or 'never'}",
        f"  rotation due:  {_moment(row.rotation_due)}",
        f"  used by:       {_users(name, providers)}",
        ("  state:         ", Styled(state, _STYLES[state])),
    ]
    out.show(_as_data(row, providers, now), lines)


@command.command("remove", cls=Discreet)
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_JSON
def remove_command(name: str, yes: bool, as_json: bool) -> int:
    """Delete NAME and its value."""
    paths, out = _here(as_json)
    bound = _providers(paths, out).get(_checked(name), [])
    if not yes and not _agreed(name, bound):
        out.note("Nothing was removed.")
        return 1
    with vaults.asked(paths, out) as vault:
        vault.call(RemoveCredential(name), Done)
    out.show({"removed": name, "providers": bound}, [f"Removed {name}."])
    out.note("Revoke it where it was issued: a backup may still hold it.")
    return 0


def _agreed(name: str, bound: list[str]) -> bool:
    users = [*bound, *([f"the channel {channel}"] if (channel := _channel(name)) else [])]
    used = f", which {', '.join(users)} uses" if users else ""
    try:
        return prompting.confirmed(f"Remove the credential {name}{used}?")
    except prompting.NoTerminal as error:
        raise prompting.NoTerminal(str(error), hint="Give --yes to remove it without a question.") from None


def _say_how_to_use(paths: Paths, out: Output, name: str, bound: list[str]) -> None:
    if channel := _channel(name):
        out.note(f"It is the channel {channel}'s alone. `wirken channel add {channel}` serves it and checks it.")
    elif bound:
        out.note(f"It is used by: {', '.join(f'[providers.{provider}]' for provider in bound)}.")
    else:
        out.note(f'No provider uses it yet. In {paths.config_file}: [providers.X] credential = "{name}"')
    if daemon.pid(paths):
        out.note("Wirken runs. If this name was not in its configuration when it started, restart it.")


def _rows(paths: Paths, out: Output) -> tuple[CredentialRow, ...]:
    with vaults.asked(paths, out) as vault:
        return vault.call(ListCredentials(), CredentialRows).rows


def _providers(paths: Paths, out: Output) -> dict[str, list[str]]:
    """Return the providers that use each credential, by its name."""
    found: dict[str, list[str]] = {}
    for provider, entry in configured(paths, out).config.providers.items():
        if entry.credential:
            found.setdefault(entry.credential, []).append(provider)
    return found


def _channel(name: str) -> str:
    """Return the channel whose secret this is; empty where it is none's."""
    for kind in CHANNEL_KINDS.values():
        if any(one.secret and name == credential(kind.channel, one.name) for one in kind.settings):
            return kind.channel
    return ""


def _users(name: str, providers: dict[str, list[str]]) -> str:
    """Return who gets the value, in words."""
    channel = _channel(name)
    return f"channel {channel}" if channel else ", ".join(providers.get(name, [])) or "none"


def _as_data(row: CredentialRow, providers: dict[str, list[str]], now: int) -> dict[str, object]:
    known: dict[str, object] = msgspec.to_builtins(row)
    used = {"providers": providers.get(row.name, []), "channel": _channel(row.name)}
    return {**known, **used, "state": aging.state(row, now)}


def _checked(name: str) -> str:
    """Return a name that the vault will take, before a value is typed for it. Raises `UsageError`."""
    try:
        if name:
            return msgspec.convert(name, CredentialName)
    except msgspec.ValidationError:
        pass
    raise UsageError(
        "This name cannot be used.", hint="Allowed: 1 to 64 of a-z, 0-9, '.', '_' and '-', a letter or digit first."
    )


def _until(expires: str | None) -> int:
    return aging.expiry(expires, _now()) if expires is not None else 0


def _here(as_json: bool) -> tuple[Paths, Output]:
    return Paths(data_dir(os.environ)), Output(as_json, sys.stdout, sys.stderr, os.environ)


def _now() -> int:
    return time.time_ns() // 1_000_000


def _moment(ms: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(ms / 1000)) if ms else ""


def _day(ms: int) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(ms / 1000)) if ms else ""
