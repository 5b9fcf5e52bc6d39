"""What people do on the simulated Discord."""

from __future__ import annotations

import re

from tests.support.discord_state import DIRECT, TEXT, Account, Channel, Json, Pressed, State, Stored

WHEN = "2026-11-20T12:00:00.000000+00:00"


class People:
    """Each act is an event for whoever is connected. `wake` is called after every act."""

    def __init__(self, state: State) -> None:
        self.state = state

    def wake(self) -> None:
        raise NotImplementedError

    @property
    def url(self) -> str:
        raise NotImplementedError

    def person(self, name: str, *, bot: bool = False) -> Account:
        account = Account(self.state.snowflake(), name, bot)
        return self.state.accounts.setdefault(account.id, account)

    def direct(self) -> Channel:
        return self._channel(DIRECT, "")

    def room(self, kind: int = TEXT) -> Channel:
        return self._channel(kind, "900000000000000001")

    def _channel(self, kind: int, guild: str) -> Channel:
        made = Channel(self.state.snowflake(), kind, guild)
        return self.state.channels.setdefault(made.id, made)

    def say(
        self,
        by: Account,
        channel: Channel,
        text: str,
        *files: tuple[str, bytes, int, str],
        reply_to: Stored | None = None,
        **more: object,
    ) -> Stored:
        """Write a message; a file is its name, its bytes, the size that is claimed, its type."""
        number = self.state.snowflake()
        mentioned = [self.state.accounts[one] for one in re.findall(r"<@!?(\d+)>", text) if one in self.state.accounts]
        wire: Json = {
            "id": number,
            "channel_id": channel.id,
            "author": by.wire(),
            "content": text,
            "timestamp": WHEN,
            "edited_timestamp": None,
            "tts": False,
            "mention_everyone": False,
            "mentions": [one.wire() for one in mentioned],
            "mention_roles": [],
            "attachments": [self._upload(channel, *file) for file in files],
            "embeds": [],
            "pinned": False,
            "type": 19 if reply_to else 0,
            **more,
        }
        if reply_to is not None:
            wire["message_reference"] = {"channel_id": channel.id, "message_id": reply_to.id}
            wire["referenced_message"] = reply_to.wire
        stored = Stored(channel, number, by, wire)
        self.state.messages[channel.id, number] = stored
        self.again(stored)
        return stored

    def _upload(self, channel: Channel, name: str, data: bytes, claims: int, kind: str) -> Json:
        number = self.state.snowflake()
        path = f"/attachments/{channel.id}/{number}/file"
        self.state.files[path] = data
        size = len(data) if claims < 0 else claims
        url = f"{self.url}{path}?ex=1"
        named: Json = {"filename": name, "content_type": kind, "size": size}
        return {"id": number, "url": url, "proxy_url": url, **named}

    def again(self, stored: Stored) -> int:
        """Tell everybody of a message, once more if need be."""
        return self._told("MESSAGE_CREATE", stored.channel, _event(stored))

    def edit(self, stored: Stored, text: str, when: str = "2026-11-20T12:01:00.000000+00:00") -> Stored:
        stored.wire |= {"content": text, "edited_timestamp": when}
        self._told("MESSAGE_UPDATE", stored.channel, _event(stored))
        return stored

    def unfurl(self, stored: Stored) -> None:
        """Discord looks at a link in a message."""
        self._told("MESSAGE_UPDATE", stored.channel, _event(stored) | {"embeds": [{"type": "link"}]})

    def press(self, by: Account, stored: Stored, custom_id: str) -> Pressed:
        found = self._interaction(by, stored.channel, 3, {"custom_id": custom_id, "component_type": 2})
        return self._asked(found, stored.channel, {"message": stored.wire})

    def command(self, by: Account, channel: Channel, name: str) -> Pressed:
        found = self._interaction(by, channel, 2, {"id": "1", "name": name, "type": 1})
        return self._asked(found, channel, {})

    def _interaction(self, by: Account, channel: Channel, kind: int, data: Json) -> Json:
        who: Json = {"user": by.wire()}
        return {
            "id": self.state.snowflake(),
            "application_id": self.state.application,
            "type": kind,
            "data": data,
            "channel_id": channel.id,
            "channel": {"id": channel.id, "type": channel.type},
            "token": "aW50ZXJhY3Rpb24" + self.state.snowflake(),
            "version": 1,
            "entitlements": [],
            **({"guild_id": channel.guild, "member": {**who, "roles": []}} if channel.guild else who),
        }

    def _asked(self, interaction: Json, channel: Channel, more: Json) -> Pressed:
        pressed = Pressed(str(interaction["id"]), str(interaction["token"]))
        self.state.pressed[pressed.id] = pressed
        self._told("INTERACTION_CREATE", channel, interaction | more)
        return pressed

    def _told(self, kind: str, channel: Channel, content: Json) -> int:
        number = self.state.happens(kind, channel, content)
        self.wake()
        return number


def _event(stored: Stored) -> Json:
    guild: Json = {"guild_id": stored.channel.guild, "member": {"roles": []}} if stored.channel.guild else {}
    return dict(stored.wire) | guild
