"""Waiting for a platform to say who we are there, and for a person to say who they are."""

from __future__ import annotations

import time
from typing import Final, Literal, NamedTuple

from wirken.cli import gateway, prompting
from wirken.cli.output import Output
from wirken.config.channel_kinds import ChannelKind
from wirken.config.paths import Paths
from wirken.domain import channel_limits, limits
from wirken.domain.people import Role, Standing
from wirken.domain.text import quoted
from wirken.ipc.calls.channels import ChannelRow, ChannelRows, ShowChannels
from wirken.ipc.calls.operator import Acknowledged
from wirken.ipc.calls.senders import AllowSender, ListSenders, SenderRow, SenderRows

_UNSAID: Final = "its adapter has not said anything yet"


class Checked(NamedTuple):
    """What the platform says. `took`: ms from the start of the wait."""

    state: Literal["connected", "refused", "away"]
    detail: str
    took: int


def now() -> int:
    """Return the time in ms since the epoch, as the gateway counts."""
    return time.time_ns() // 1_000_000


def checked(paths: Paths, out: Output, kind: ChannelKind, since: int) -> Checked:
    """Wait until the adapter says how its platform takes the credentials, at most `CHANNEL_CHECK` seconds.

    What was said before `since` (ms since the epoch) was said by an adapter that had others.
    """
    out.note(f"Asking {kind.title} whether it takes them (at most {channel_limits.CHANNEL_CHECK:.0f} seconds) …")
    began, told = time.monotonic(), ""
    while True:
        row = _row(paths, kind, since)
        took = round((time.monotonic() - began) * 1000)
        if row is not None and row.revoked:
            return Checked("refused", row.detail, took)
        if row is not None and row.connected:
            return Checked("connected", row.detail, took)
        detail = row.detail if row is not None and row.detail else _UNSAID
        if took >= channel_limits.CHANNEL_CHECK * 1000:
            return Checked("away", detail, took)
        if detail not in (told, _UNSAID):
            out.note(f"Not connected yet: {detail}")
            told = detail
        time.sleep(channel_limits.CHANNEL_LOOK)


def owner(paths: Paths, kind: ChannelKind) -> str:
    """Return the account that is the owner on this channel; empty where nobody is."""
    found = gateway.ask(paths.operator_socket, ListSenders(Standing.ADMITTED.value), SenderRows, limits.STATUS_TIME)
    mine = (row.sender for row in found.senders if row.channel == kind.channel and row.role == Role.OWNER.value)
    return next(mine, "")


def admitted(paths: Paths, kind: ChannelKind, sender: str) -> str:
    """Make an account the owner on this channel; return what the gateway says about it."""
    question = AllowSender(channel=kind.channel, sender=sender, role=Role.OWNER.value)
    return gateway.ask(paths.operator_socket, question, Acknowledged, limits.STATUS_TIME).said


def introduced(paths: Paths, out: Output, kind: ChannelKind, who: str) -> str:
    """Wait for the person's first message and ask whether it is theirs; return the account, empty where none came.

    At most `FIRST_MESSAGE` seconds; Ctrl+C ends it. Nobody is asked about twice.
    """
    minutes = round(channel_limits.FIRST_MESSAGE / 60)
    as_whom = f" to {who}" if who else ""
    out.note(f"Now send a message{as_whom} on {kind.title}. Waiting {minutes} minutes; Ctrl+C goes on without.")
    began, until = now(), time.monotonic() + channel_limits.FIRST_MESSAGE
    asked: set[str] = set()
    try:
        while time.monotonic() < until:
            for row in _waiting(paths, kind, began):
                if row.sender not in asked:
                    asked.add(row.sender)
                    if prompting.confirmed("Is this you?", above=_introduction(kind, row)):
                        return row.sender
                    out.note("Then somebody else has found your bot; they were refused. Still waiting for you …")
            time.sleep(channel_limits.FIRST_MESSAGE_LOOK)
    except KeyboardInterrupt:
        out.note("")
    return ""


def _introduction(kind: ChannelKind, row: SenderRow) -> tuple[str, ...]:
    """Return the lines that say who wrote. The name is the platform's word and proves nothing."""
    name = f", who is called {quoted(row.name)} there" if row.name else ""
    return (f"Somebody wrote to the bot: the {kind.title} account {quoted(row.sender)}{name}.",)


def _waiting(paths: Paths, kind: ChannelKind, began: int) -> list[SenderRow]:
    """Return the unknown accounts that wrote on this channel since `began`, the first one first."""
    found = gateway.ask(paths.operator_socket, ListSenders(Standing.PENDING.value), SenderRows, limits.STATUS_TIME)
    rows = [row for row in found.senders if row.channel == kind.channel and row.last_seen >= began]
    return sorted(rows, key=lambda row: row.last_seen)


def _row(paths: Paths, kind: ChannelKind, since: int) -> ChannelRow | None:
    """Return what is known of the channel, if it was said since then."""
    found = gateway.ask(paths.operator_socket, ShowChannels(), ChannelRows, limits.STATUS_TIME).channels
    mine = (row for row in found if row.channel == kind.channel and row.attached and row.since >= since)
    return next(mine, None)
