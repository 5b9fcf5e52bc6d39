"""`wirken channel`: the chat platforms on which an agent answers."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from typing import Final

import click
import msgspec

from wirken.cli import channel_waiting, prompting, reloading, vaults
from wirken.cli import status as whole
from wirken.cli.channel_add import ByPlatform, UnknownChannel
from wirken.cli.channel_changes import Change, forget_state, own_secrets, runs, served, stored
from wirken.cli.channel_forgetting import forget_people
from wirken.cli.channel_rows import condition, told
from wirken.cli.channel_values import advice
from wirken.cli.first import configured
from wirken.cli.output import Line, Output, Styled, plain
from wirken.config.channel_kinds import CHANNEL_KINDS, ChannelKind
from wirken.config.channels import role_of
from wirken.config.model import Config
from wirken.config.paths import Paths, data_dir
from wirken.domain.errors import Refused, Unavailable
from wirken.domain.ids import ChannelId
from wirken.ipc.calls.channels import ChannelRow
from wirken.ipc.calls.vault import Done, RemoveCredential

_JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print one JSON value.")
_CODES: Final = {"connected": 0, "refused": Refused.exit_code, "away": Unavailable.exit_code}


class NotConfigured(UnknownChannel):
    """config.toml has no such channel, or it is switched off."""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A channel of the configuration. `restarts` is -1 where nothing runs."""

    channel: str
    enabled: bool
    agent: str
    state: str
    """`connected`, `not connected`, … in words."""
    restarts: int = -1
    row: ChannelRow | None = None
    """What the gateway knows; None where nothing is known."""


@click.group("channel")
def command() -> None:
    """Talk to an agent from Telegram, Discord, Slack, Microsoft Teams, Matrix or WhatsApp.

    docs/channels/ says for each platform what to click there. `wirken senders` says who may write.
    """


command.add_command(
    ByPlatform(
        "add",
        help="Serve a platform: ask for what it needs, check that with the platform, store it, find out who you are.",
        subcommand_metavar="NAME [OPTIONS]",
    )
)


@command.command("list")
@_JSON
def list_command(as_json: bool) -> None:
    """List the channels that are configured, and how each is."""
    paths, out = _here(as_json)
    known, _ = _known(paths, configured(paths, out).config)
    header = ("CHANNEL", "STATE", "AGENT", "DETAIL")
    cells = [(one.channel, one.state, one.agent, one.row.detail if one.row else "") for one in known]
    out.show(known, out.table(header, cells) if known else ["No channel. `wirken channel add` serves one."])


@command.command("status")
@click.argument("name", required=False)
@_JSON
def status_command(name: str | None, as_json: bool) -> int:
    """Show how channels are: connected since, last message, what waits, restarts.

    Exit code 3 if Wirken does not run.
    """
    paths, out = _here(as_json)
    config = configured(paths, out).config
    if name is not None:
        _configured(config, name)
    known, running = _known(paths, config)
    wanted = [one for one in known if name in (None, one.channel)]
    lines = [line for one in wanted for line in _lines(one, time.time())]
    out.show(wanted, lines or ["No channel. `wirken channel add` serves one."])
    return 0 if running else whole.NOT_RUNNING


@command.command("test")
@click.argument("name")
@_JSON
def test_command(name: str, as_json: bool) -> int:
    """Connect anew to the platform and say as whom. Exit code 0 connected, 1 credentials refused, 69 not reached."""
    paths, out = _here(as_json)
    config = configured(paths, out).config
    kind = _configured(config, name)
    if not config.channels[name].enabled:
        raise NotConfigured(f"The channel {name} is switched off.", hint=f"`wirken channel add {name}` turns it on.")
    since = channel_waiting.now()
    if runs(paths):
        reloading.renew(paths, name)
    with served(paths, name):
        found = channel_waiting.checked(paths, out, kind, since)
    words: dict[str, Line] = {
        "connected": (Styled("connected", "green"), f" as {found.detail or '?'} after {found.took} ms"),
        "refused": (Styled("refused", "red"), f": {found.detail} `wirken channel add {name}` asks for new ones."),
        "away": (Styled("not connected", "yellow"), f": {found.detail}"),
    }
    data = {"channel": name, "state": found.state, "detail": found.detail, "took_ms": found.took}
    out.show(data, [(f"{name}: ", *_parts(words[found.state]))])
    return _CODES[found.state]


@command.command("remove")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--forget", is_flag=True, help="Also forget who is admitted there, and what they were granted.")
@_JSON
def remove_command(name: str, yes: bool, forget: bool, as_json: bool) -> int:
    """Stop serving NAME: its table in config.toml, its secrets and its keys go. The record stays."""
    paths, out = _here(as_json)
    kind = _kind(name)
    configured(paths, out)
    if not yes and not _agreed(kind, forget=forget):
        out.note("Nothing was removed.")
        return 1
    change = Change(paths, out, name, runs(paths))
    try:
        change.write(None)
        if change.edited:
            change.tell()
    except BaseException:
        change.undo()
        raise
    change.keep()
    with vaults.asked(paths, out) as vault:
        secrets = sorted(stored(vault) & set(own_secrets(kind)))
        for secret in secrets:
            vault.call(RemoveCredential(secret), Done)
    forget_state(paths, name)
    forgotten = forget_people(paths, out, name) if forget else 0
    data = {"removed": name, "credentials": secrets, "forgotten": forgotten}
    count = f"{len(secrets)} secret{'' if len(secrets) == 1 else 's'}"
    out.show(data, [f"Removed {name}: {'its table and ' if change.edited else ''}{count}."])
    if secrets:
        out.note("Revoke the token on the platform, too: a backup may still hold it.")
    return 0


def _agreed(kind: ChannelKind, *, forget: bool) -> bool:
    also = ", its people and their grants" if forget else ""
    try:
        return prompting.confirmed(f"Stop serving {kind.title}, and remove its secrets{also}?")
    except prompting.NoTerminal as error:
        raise prompting.NoTerminal(str(error), hint="Give --yes to remove it without a question.") from None


def _known(paths: Paths, config: Config) -> tuple[list[Known], bool]:
    """Return the channels of the configuration, and whether Wirken runs."""
    found = whole.status(paths)
    running = found is not None and found.state != "temporary"
    rows = {row.channel: row for row in found.gateway.channels} if found is not None and found.gateway else {}
    children = found.supervisor.children if found is not None and found.supervisor else ()
    restarts = {child.role: child.restarts for child in children}
    return [
        Known(
            channel=name,
            enabled=entry.enabled,
            agent=entry.agent,
            state=_state(rows.get(name), enabled=entry.enabled, running=running),
            restarts=restarts.get(role_of(name), -1),
            row=rows.get(name),
        )
        for name, entry in sorted(config.channels.items())
    ], running


def _state(row: ChannelRow | None, *, enabled: bool, running: bool) -> str:
    if not enabled:
        return "switched off"
    if not running:
        return "Wirken does not run"
    return plain(condition(row)) if row is not None else "not started yet"


def _lines(known: Known, now: float) -> Iterator[Line]:
    if known.row is None:
        yield ("Channel:    ", f"{known.channel}: {known.state}")
    else:
        yield from told(known.row, now)
    if known.restarts >= 0:
        yield f"            restarts: {known.restarts}, answered by: {known.agent}"


def _parts(line: Line) -> tuple[str | Styled, ...]:
    return (line,) if isinstance(line, str | Styled) else tuple(line)


def _kind(name: str) -> ChannelKind:
    kind = CHANNEL_KINDS.get(ChannelId(name))
    if kind is None:
        known = {str(channel): one for channel, one in CHANNEL_KINDS.items()}
        raise UnknownChannel("There is no channel of that name.", hint=advice(name, known))
    return kind


def _configured(config: Config, name: str) -> ChannelKind:
    """Return the kind of a channel that config.toml has. Raises `UnknownChannel`."""
    kind = _kind(name)
    if name not in config.channels:
        raise NotConfigured(f"{kind.title} is not configured.", hint=f"`wirken channel add {name}` does it.")
    return kind


def _here(as_json: bool) -> tuple[Paths, Output]:
    return Paths(data_dir(os.environ)), Output(as_json, sys.stdout, sys.stderr, os.environ)
