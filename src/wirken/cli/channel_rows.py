"""What is known of a channel, in words."""

from __future__ import annotations

import time
from collections.abc import Iterator

from wirken.cli.output import Line, Style, Styled
from wirken.ipc.calls.channels import ChannelRow


def condition(row: ChannelRow) -> Styled:
    """Return how a channel is."""
    states: tuple[tuple[bool, str, Style], ...] = (
        (row.revoked, f"its token is refused: `wirken channel add {row.channel}` asks for a new one", "red"),
        (not row.attached, "its adapter does not run", "yellow"),
        (row.connected, "connected", "green"),
    )
    return next((Styled(words, style) for so, words, style in states if so), Styled("not connected", "yellow"))


def since(row: ChannelRow, now: float) -> str:
    """Return for how long it has been so at `now` (seconds since the epoch); empty where it never was otherwise."""
    return span(max(0, round(now - row.since / 1000))) if row.since else ""


def told(row: ChannelRow, now: float) -> Iterator[Line]:
    """Yield what is known of a channel at `now` (seconds since the epoch)."""
    lasting = since(row, now)
    yield (
        "Channel:    ",
        f"{row.channel}: ",
        condition(row),
        f"{f' for {lasting}' if lasting else ''}{f'; {row.detail}' if row.detail else ''}",
    )
    waiting: Style = "yellow" if row.undelivered else "dim"
    yield (
        f"            last message: {last(row, now)}, ",
        Styled(f"{row.undelivered} answers not delivered yet", waiting),
    )


def last(row: ChannelRow, now: float) -> str:
    """Return how long ago a message came."""
    return f"{span(max(0, round(now - row.last_message / 1000)))} ago" if row.last_message else "none yet"


def span(seconds: int) -> str:
    """Return a time span for people."""
    if seconds < 0:
        return "for an unknown time"
    days, rest = divmod(seconds, 86_400)
    return (f"{days} days " if days else "") + time.strftime("%H:%M:%S", time.gmtime(rest))
