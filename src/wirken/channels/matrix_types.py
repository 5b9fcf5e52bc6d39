"""What of the client-server API's answers is read; everything else is skipped, and one bad event spoils no other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

import msgspec

Json: TypeAlias = dict[str, object]


class Event(msgspec.Struct, frozen=True):
    """An event of a room, as it came or as it was decrypted."""

    type: str
    sender: str
    content: Json
    event_id: str = ""
    origin_server_ts: int = 0
    state_key: str | None = None
    unsigned: Json = {}

    def part(self, name: str) -> Json:
        """Return an object in the content; an empty one where there is none."""
        return part(self.content, name)

    def text(self, name: str) -> str:
        """Return a text in the content; an empty one where there is none."""
        return text(self.content, name)


class Timeline(msgspec.Struct, frozen=True):
    events: list[msgspec.Raw] = []
    limited: bool = False
    prev_batch: str = ""


class States(msgspec.Struct, frozen=True):
    events: list[msgspec.Raw] = []


class Joined(msgspec.Struct, frozen=True):
    timeline: Timeline = Timeline()
    state: States = States()


class Invited(msgspec.Struct, frozen=True):
    invite_state: States = States()


class Rooms(msgspec.Struct, frozen=True):
    join: dict[str, Joined] = {}
    invite: dict[str, Invited] = {}
    leave: dict[str, msgspec.Raw] = {}


class ToDevice(msgspec.Struct, frozen=True):
    events: list[msgspec.Raw] = []


class DeviceLists(msgspec.Struct, frozen=True):
    changed: list[str] = []


class Sync(msgspec.Struct, frozen=True):
    next_batch: str
    rooms: Rooms = Rooms()
    to_device: ToDevice = ToDevice()
    device_lists: DeviceLists = DeviceLists()
    device_one_time_keys_count: dict[str, int] = {}


class Messages(msgspec.Struct, frozen=True):
    """A page of a room's history, the newest first."""

    chunk: list[msgspec.Raw] = []
    end: str = ""


class Members(msgspec.Struct, frozen=True):
    joined: dict[str, msgspec.Raw]


class Sent(msgspec.Struct, frozen=True):
    event_id: str


class Profile(msgspec.Struct, frozen=True):
    displayname: str | None = None


def events(raws: Iterable[msgspec.Raw]) -> Iterator[Event]:
    """Yield those that are events."""
    for raw in raws:
        try:
            yield msgspec.json.decode(raw, type=Event)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            continue


def objects(raws: Iterable[msgspec.Raw]) -> Iterator[Json]:
    """Yield those that are objects."""
    for raw in raws:
        try:
            yield msgspec.json.decode(raw, type=Json)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            continue


def part(of: Json, name: str) -> Json:
    """Return an object in an object; an empty one where there is none."""
    found = of.get(name)
    return found if isinstance(found, dict) else {}


def text(of: Json, name: str) -> str:
    """Return a text in an object; an empty one where there is none."""
    found = of.get(name)
    return found if isinstance(found, str) else ""


def number(of: Json, name: str) -> int:
    """Return a number in an object; -1 where there is none."""
    found = of.get(name)
    return found if isinstance(found, int) and not isinstance(found, bool) else -1
