"""People on the simulated Slack: what they do becomes envelopes, what the bot does is seen by them."""

from __future__ import annotations

import asyncio
import itertools

from tests.support.slack_events import Envelopes, Pending
from tests.support.slack_state import Json, Person, Room, State, Stored, Upload, escaped


class People:
    """The test's side: `say`, `edit`, `press`, `command`, and what is seen."""

    def __init__(self, state: State, envelopes: Envelopes) -> None:
        self.state, self.envelopes = state, envelopes
        self.wrote = asyncio.Event()
        """Set whenever the bot wrote or edited something."""
        self.hears_channels = True
        """The app is subscribed to message.channels; else it hears mentions alone there."""
        self.told: dict[str, list[Pending]] = {}
        """The envelopes of each message, by channel and ts, of an edit with the edit's ts as well."""
        self._events = itertools.count(1)

    @property
    def base(self) -> str:
        raise NotImplementedError

    def person(self, number: str, name: str, *, assistant: bool = False) -> Person:
        """Return a person, with a direct conversation that they have opened."""
        person = self.state.people.setdefault(number, Person(number, name))
        self.state.rooms.setdefault(person.im, Room(person.im, "im", assistant=assistant))
        return person

    def channel(self, number: str, kind: str = "channel") -> Room:
        return self.state.rooms.setdefault(number, Room(number, kind))

    def file(self, name: str, data: bytes, claims: int = -1, mimetype: str = "application/octet-stream") -> Upload:
        """Return a file that somebody has put there."""
        file = Upload(self.state.next_file(), name, data, claims, mimetype)
        file.url = f"{self.base}files/{file.id}"
        self.state.files[file.id] = file
        return file

    def say(
        self,
        by: Person,
        text: str,
        channel: str = "",
        *,
        thread: str = "",
        files: tuple[Upload, ...] = (),
        raw: str = "",
    ) -> Stored:
        """Let somebody write, to the bot unless `channel` says where; `raw` is mrkdwn as clients make it."""
        room = self.state.rooms[channel or by.im]
        stored = Stored(room.id, self.state.next_ts(), by.id, raw or escaped(text), thread=thread)
        stored.files = [file.id for file in files]
        self.state.messages[room.id, stored.ts] = stored
        event: Json = {"type": "message", **self._wire(stored), "channel_type": room.kind}
        if files:
            event["subtype"] = "file_share"
        self._tell(f"{room.id}:{stored.ts}", room, stored.raw, event)
        return stored

    def edit(self, stored: Stored, text: str, *, raw: str = "") -> Stored:
        """Let the author change a message."""
        before = self._wire(stored)
        stored.raw, stored.edited = raw or escaped(text), self.state.next_ts()
        self.change(stored, before)
        return stored

    def change(self, stored: Stored, before: Json) -> None:
        """Tell of a change, a person's or one of Slack's own, as a preview."""
        room = self.state.rooms[stored.channel]
        event: Json = {
            "type": "message",
            "subtype": "message_changed",
            "hidden": True,
            "channel": room.id,
            "ts": self.state.next_ts(),
            "message": {"type": "message", **self._wire(stored)},
            "previous_message": {"type": "message", **before},
            "channel_type": room.kind,
        }
        self._tell(f"{room.id}:{stored.ts}:{stored.edited}", room, "", event)

    def event(self, event: Json) -> Pending:
        """Let Slack tell of anything."""
        payload: Json = {
            "type": "event_callback",
            "team_id": "T0WIRKEN00",
            "api_app_id": "A111",
            "event_id": f"Ev{next(self._events):08}",
            "event_time": 1_800_000_000,
            "event": event,
        }
        return self.envelopes.push("events_api", payload)

    def press(self, by: Person, stored: Stored, button: Json) -> Pending:
        """Let somebody press a button."""
        container: Json = {
            "type": "message",
            "message_ts": stored.ts,
            "channel_id": stored.channel,
            "is_ephemeral": False,
        }
        if stored.thread:
            container["thread_ts"] = stored.thread
        payload: Json = {
            "type": "block_actions",
            "user": {"id": by.id, "username": by.name.lower(), "name": by.name.lower(), "team_id": "T0WIRKEN00"},
            "api_app_id": "A111",
            "container": container,
            "trigger_id": "12.34.abcd",
            "channel": {"id": stored.channel, "name": "directmessage"},
            "message": self._wire(stored),
            "actions": [{"action_ts": "1.2", "type": "button", "block_id": "b", **button}],
        }
        return self.envelopes.push("interactive", payload)

    def command(self, by: Person, text: str, channel: str = "") -> Pending:
        """Let somebody use the slash command."""
        payload: Json = {
            "command": "/wirken",
            "text": text,
            "user_id": by.id,
            "user_name": by.name.lower(),
            "channel_id": channel or by.im,
            "channel_name": "directmessage",
            "trigger_id": f"13.37.{next(self._events):x}",
        }
        return self.envelopes.push("slash_commands", payload)

    def seen(self, channel: str) -> list[Stored]:
        """What the bot wrote into a conversation, as it is now."""
        return self.state.of_bot(channel)

    def _wire(self, stored: Stored) -> Json:
        wire: Json = {
            "user": stored.by,
            "text": stored.raw,
            "ts": stored.ts,
            "channel": stored.channel,
            "team": "T0WIRKEN00",
            "blocks": [{"type": "rich_text", "elements": []}],
        }
        if stored.by == self.state.bot.id:
            wire["bot_id"] = "B0WIRKEN00"
        if stored.thread:
            wire["thread_ts"] = stored.thread
            parent = self.state.messages.get((stored.channel, stored.thread))
            if parent is not None:
                wire["parent_user_id"] = parent.by
        if stored.edited:
            wire["edited"] = {"user": stored.by, "ts": stored.edited}
        if stored.files:
            wire["files"] = [self.state.files[file].wire() for file in stored.files]
        return wire

    def _tell(self, name: str, room: Room, text: str, event: Json) -> None:
        """Tell the app: of everything where it is subscribed, and of a mention once more."""
        told = self.told.setdefault(name, [])
        if room.kind == "im" or (self.hears_channels and room.member):
            told.append(self.event(event))
        if room.kind != "im" and f"<@{self.state.bot.id}" in text:
            kept = {key: value for key, value in event.items() if key not in ("channel_type", "subtype")}
            told.append(self.event({**kept, "type": "app_mention"}))
