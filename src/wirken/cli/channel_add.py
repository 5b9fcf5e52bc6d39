"""`wirken channel add NAME`: from nothing to a channel that is connected and knows its owner."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import click
import msgspec

from wirken.cli import channel_waiting, prompting, vaults
from wirken.cli.channel_changes import Change, runs, served, stored
from wirken.cli.channel_values import Flags, Values, advice, flag, gathered
from wirken.cli.channel_waiting import Checked
from wirken.cli.discreet import Discreet
from wirken.cli.first import configured
from wirken.cli.output import Line, Output, Styled
from wirken.config.channel_kinds import CHANNEL_KINDS, ChannelKind
from wirken.config.channels import ChannelConfig
from wirken.config.paths import Paths, data_dir
from wirken.domain.errors import Refused, UsageError
from wirken.domain.ids import ChannelId

_STDIN: Final = "_stdin"
"""What the name of an option ends in that says which secret standard input is."""


class UnknownChannel(UsageError):
    """There is no platform of that name."""


class TokenRefused(Refused):
    """The platform does not take the credentials."""

    hint = "Nothing was kept. Look them up on the platform, and try again."


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line says beside the platform's own settings."""

    agent: str
    port: int
    owner: str
    no_owner: bool


class ByPlatform(click.Group):
    """A command for each platform, made from its description."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [str(channel) for channel in CHANNEL_KINDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        kind = CHANNEL_KINDS.get(ChannelId(cmd_name))
        if kind is None:
            known = {str(channel): one for channel, one in CHANNEL_KINDS.items()}
            raise UnknownChannel("There is no channel of that name.", hint=advice(cmd_name, known))
        return _command(kind)


def _command(kind: ChannelKind) -> click.Command:
    """Return `wirken channel add` for one platform, with an option for each of its settings."""
    options: list[click.Parameter] = []
    for one in kind.settings:
        if not one.secret:
            options.append(click.Option([f"--{flag(one)}"], metavar="VALUE", help=one.help))
        elif not one.made:
            said = f"The {one.label} is all of standard input. {one.help}"
            options.append(click.Option([f"--{flag(one)}-stdin"], is_flag=True, help=said))
    if kind.port:
        said = f"Where its webhook listens on this machine. Default: {kind.port}."
        options.append(click.Option(["--port"], type=click.IntRange(1, 65_535), help=said))
    options += [
        click.Option(["--stdin"], is_flag=True, help="Secrets come from standard input, as NAME=value lines."),
        click.Option(["--agent"], metavar="NAME", help="Who answers there. Default: default."),
        click.Option(["--owner"], metavar="ID", help="Your account there; nobody is asked and no message waited for."),
        click.Option(["--no-owner"], is_flag=True, help="Do not wait for a message from you."),
        click.Option(["--no-input"], is_flag=True, help="Ask nothing; what is needed and missing is an error."),
        click.Option(["--json", "as_json"], is_flag=True, help="Print one JSON value; asks nothing."),
    ]
    callback: Callable[..., None] = functools.partial(_add, kind)
    return Discreet(
        str(kind.channel),
        params=options,
        callback=callback,
        short_help=f"Serve {kind.title}.",
        help=f"Serve {kind.title}: ask for what it needs, check that with {kind.title}, and find out who you are there."
        f" Secrets come from a hidden prompt or standard input, never from the command line.",
    )


def _add(kind: ChannelKind, *, as_json: bool, no_input: bool, **given: object) -> None:
    paths, out = Paths(data_dir(os.environ)), Output(as_json, sys.stdout, sys.stderr, os.environ)
    flags, wanted = _flags(kind, given, asks=not (no_input or as_json)), _wanted(given)
    loaded = configured(paths, out)
    loaded.config.agent(wanted.agent or "default")
    old = loaded.config.channels.get(kind.channel)
    change = Change(paths, out, kind.channel, runs(paths))
    values = Values()
    try:
        with vaults.asked(paths, out) as vault:
            there = stored(vault)
            values = gathered(kind, flags, old.settings if old else {}, there, out)
            change.store(vault, values.secrets, there)
        change.write(_entry(old, values, wanted))
        since = channel_waiting.now()
        change.tell()
        if not change.running:
            out.note("Wirken does not run; its processes are started for this check.")
        with served(paths, kind.channel):
            found = channel_waiting.checked(paths, out, kind, since)
            if found.state == "refused":
                raise TokenRefused(found.detail or f"{kind.title} refuses the credentials.")
            change.keep()
            _say(out, kind, change, values, found)
            account = _owner(paths, out, kind, wanted, found, asks=flags.asks)
    except BaseException:
        change.undo()
        raise
    finally:
        values.wipe()
    _end(out, kind, change, values, found, account)


def _flags(kind: ChannelKind, given: dict[str, object], *, asks: bool) -> Flags:
    values = {
        one.name: str(given[one.name]) for one in kind.settings if not one.secret and given.get(one.name) is not None
    }
    only = [one.name for one in kind.settings if given.get(f"{one.name}{_STDIN}")]
    if len(only) + bool(given["stdin"]) > 1:
        raise UsageError("Standard input is one thing.", hint="With several secrets: --stdin and NAME=value lines.")
    return Flags(values, only=only[0] if only else "", lines=bool(given["stdin"]), asks=asks and prompting.available())


def _wanted(given: dict[str, object]) -> Wanted:
    owner, port = given["owner"], given.get("port")
    if owner and given["no_owner"]:
        raise UsageError("--owner and --no-owner exclude each other.")
    return Wanted(
        agent=str(given["agent"] or ""),
        port=port if isinstance(port, int) else 0,
        owner=str(owner or ""),
        no_owner=bool(given["no_owner"]),
    )


def _entry(old: ChannelConfig | None, values: Values, wanted: Wanted) -> ChannelConfig:
    """Return the table as it will be: what is there, and what was said now."""
    before = old or ChannelConfig()
    return msgspec.structs.replace(
        before,
        enabled=True,
        agent=wanted.agent or before.agent,
        port=wanted.port or before.port,
        settings={**before.settings, **values.settings},
    )


def _owner(paths: Paths, out: Output, kind: ChannelKind, wanted: Wanted, found: Checked, *, asks: bool) -> str:
    """Return the owner's account on this channel, which may have been found out now; empty where nobody is."""
    if wanted.owner:
        out.note(channel_waiting.admitted(paths, kind, wanted.owner))
        return wanted.owner
    known = channel_waiting.owner(paths, kind)
    if known or wanted.no_owner or not asks or found.state != "connected":
        return known
    account = channel_waiting.introduced(paths, out, kind, found.detail)
    if account:
        out.note(channel_waiting.admitted(paths, kind, account))
    return account


def _say(out: Output, kind: ChannelKind, change: Change, values: Values, found: Checked) -> None:
    """Say how the platform took it, and what has to be entered there."""
    if found.state == "connected":
        as_whom = f" as {found.detail}" if found.detail else ""
        out.note((Styled("Connected", "green"), f" to {kind.title}{as_whom}."))
    else:
        out.note((Styled("Not verified: ", "yellow"), found.detail))
        out.note(f"It is kept. `wirken channel test {kind.channel}` checks again.")
    labels = {one.name: one.label for one in kind.settings}
    for name, value in values.made.items():
        out.note(f"{labels[name]}, to enter at {kind.title} (shown once): {value}")


def _end(out: Output, kind: ChannelKind, change: Change, values: Values, found: Checked, account: str) -> None:
    data = {
        "channel": kind.channel,
        "state": found.state,
        "detail": found.detail,
        "took_ms": found.took,
        "owner": account,
        "made": values.made,
        "running": change.running,
    }
    lines: list[Line] = [f"The channel {kind.channel} is set up."]
    if not account:
        lines.append("Nobody is its owner yet. After your first message: `wirken senders pending`, then")
        lines.append(f"  wirken senders allow {kind.channel}:ID --role owner")
    if not change.running:
        lines.append("Wirken does not run: `wirken run` serves the channel.")
    out.show(data, lines)
