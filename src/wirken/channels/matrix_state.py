"""What of Matrix outlives its process beside keys: which device this is, and what waits to be read or joined."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec

from wirken.channels.matrix_machine import store_name
from wirken.channels.matrix_types import Event
from wirken.domain import channel_limits as limits

_FILE: Final = "matrix.json"


class Unread(msgspec.Struct, frozen=True):
    """An event whose key is not here. It is still encrypted."""

    room: str
    event: Event
    since: int
    """When it came, in ms since the epoch."""
    told: bool = False
    """Its sender was told."""


class _Kept(msgspec.Struct):
    user: str = ""
    device: str = ""
    unread: list[Unread] = []
    invites: dict[str, str] = {}


class State:
    """A file in the folder of the channel. No token, no key, no text in clear is in it."""

    def __init__(self, folder: Path, user: str) -> None:
        self._folder, self._path = folder, folder / _FILE
        self._kept = self._read()
        if self._kept.user != user or not (folder / store_name(self._kept.device)).exists():
            self._kept = _Kept(user=user)

    def _read(self) -> _Kept:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_Kept)
        except (OSError, msgspec.DecodeError, RecursionError):
            return _Kept()

    def _write(self) -> None:
        """Replace the file; after a crash there is the old one or the new."""
        fresh = self._path.with_suffix(".new")
        with fresh.open("wb") as file:
            file.write(msgspec.json.encode(self._kept))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)

    @property
    def device(self) -> str:
        """The device's id; empty: there was no login yet, or its keys are gone."""
        return self._kept.device

    def is_device(self, device: str) -> None:
        if self._kept.device != device:
            self._kept.device = device
            self._write()

    # --- what waits -------------------------------------------------------------------------------------

    @property
    def unread(self) -> tuple[Unread, ...]:
        return tuple(self._kept.unread)

    def keep_unread(self, unread: Unread) -> None:
        """Keep an event, or what is known of it by now."""
        others = [one for one in self._kept.unread if one.event.event_id != unread.event.event_id]
        self._kept.unread = [*others, unread][-limits.MATRIX_UNREAD :]
        self._write()

    def was_read(self, event_id: str) -> None:
        left = [one for one in self._kept.unread if one.event.event_id != event_id]
        if len(left) < len(self._kept.unread):
            self._kept.unread = left
            self._write()

    @property
    def invites(self) -> dict[str, str]:
        """Who invited, by room."""
        return dict(self._kept.invites)

    def keep_invite(self, room: str, sender: str) -> None:
        if self._kept.invites.get(room) != sender:
            self._kept.invites[room] = sender
            while len(self._kept.invites) > limits.MATRIX_INVITES:
                del self._kept.invites[next(iter(self._kept.invites))]
            self._write()

    def drop_invite(self, room: str) -> None:
        if self._kept.invites.pop(room, None) is not None:
            self._write()
