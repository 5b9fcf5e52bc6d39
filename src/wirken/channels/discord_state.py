"""The file in which a session of Discord's gateway outlives the process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec

from wirken.channels.discord_session import Kept
from wirken.channels.discord_types import decoded
from wirken.domain import channel_limits as limits

_NAME: Final = "session.json"


def load(folder: Path | None, me: str) -> Kept:
    """Return what was kept for the bot `me`; nothing where there is no file, or none that can be read."""
    if folder is None:
        return Kept(me=me)
    try:
        with (folder / _NAME).open("rb") as file:
            data = file.read(limits.DISCORD_STATE + 1)
    except OSError:
        return Kept(me=me)
    kept = decoded(data, Kept) if len(data) <= limits.DISCORD_STATE else None
    return kept if kept is not None and kept.v == 1 and kept.me == me else Kept(me=me)


def save(folder: Path | None, kept: Kept) -> None:
    """Keep it: the old file or the new one is there, whenever the process is killed.

    After a loss of power an older one may be; then messages come again, and the gateway knows them. A disk that takes
    nothing costs the same.
    """
    if folder is None:
        return
    fresh = folder / f"{_NAME}.new"
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "wb") as file:
            file.write(msgspec.json.encode(kept))
        fresh.replace(folder / _NAME)
    except OSError:
        return
