"""People on the simulated Telegram: what they do becomes updates, what the bot does is seen by them."""

from __future__ import annotations

import asyncio
import itertools
import re

from tests.support.telegram_html import units
from tests.support.telegram_state import Json, Person, Query, Room, State, Stored, Upload

_COMMAND = re.compile(r"(?<![\w/<>])/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{3,32})?(?![\w/<>])")
_MENTION = re.compile(r"(?<!\w)@[A-Za-z0-9_]{2,32}(?!\w)")


def entities(text: str) -> list[Json]:
    """Return what Telegram's servers find in a person's text: mentions and commands, in UTF-16 units."""
    found: list[Json] = []
    for kind, form in (("bot_command", _COMMAND), ("mention", _MENTION)):
        for match in form.finditer(text):
            found.append({"type": kind, "offset": units(text[: match.start()]), "length": units(match[0])})
    return found


class People:
    """The test's side: `say`, `edit`, `press`, and what is seen."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.wrote = asyncio.Event()
        """Set whenever the bot wrote or edited something."""
        self._file_ids = itertools.count(1)
        self._query_ids = itertools.count(90_000_001)

    def wake(self) -> None:
        """Something waits for the bot."""

    def person(self, number: int, name: str, username: str = "", *, is_bot: bool = False) -> Person:
        """Return a person, with a private chat of the same id that they have opened."""
        self.state.people.setdefault(number, Person(number, name, username, is_bot))
        self.state.rooms.setdefault(number, Room(number, "private"))
        return self.state.people[number]

    def group(self, number: int, title: str, *, topics: tuple[int, ...] = (), privacy: bool = False) -> Room:
        kind = "supergroup" if str(number).startswith("-100") else "group"
        room = Room(number, kind, title, set(topics), privacy=privacy)
        self.state.rooms[number] = room
        return room

    def post(self, by: Person, chat: int, content: Json, *, thread: int = 0, reply_to: int = 0) -> Stored:
        """Let somebody put `content` (fields of a Message) into a chat, and tell the bot if it may know."""
        room = self.state.rooms[chat]
        self.state.now += 1
        number = self.state.next_message()
        wire: Json = {
            "message_id": number,
            "date": self.state.now,
            "chat": room.wire(),
            "from": by.wire(),
            **({"message_thread_id": thread, "is_topic_message": True} if thread else {}),
            **content,
        }
        answered = self.state.messages.get((chat, reply_to))
        if answered is not None:
            wire["reply_to_message"] = {key: value for key, value in answered.wire.items() if key != "reply_to_message"}
        stored = Stored(chat, number, by.id, wire, reply_to=reply_to)
        self.state.messages[chat, number] = stored
        if self._told(room, by, stored, answered):
            self.state.push("message", wire)
            self.wake()
        return stored

    def _told(self, room: Room, by: Person, stored: Stored, answered: Stored | None) -> bool:
        """Privacy mode: commands for the bot, and replies to it; a mention alone is not promised (bots/features)."""
        if by.is_bot:
            return False
        if room.type == "private" or not room.privacy:
            return True
        to_bot = answered is not None and answered.by == self.state.bot.id
        return to_bot or re.match(rf"/\w+@{self.state.bot.username}\b", stored.text) is not None

    def say(
        self,
        by: Person,
        text: str,
        chat: int = 0,
        *,
        thread: int = 0,
        reply_to: int = 0,
        marks: list[Json] | None = None,
    ) -> Stored:
        """Let somebody write; in their private chat unless `chat` says where."""
        found = entities(text) if marks is None else marks
        content: Json = {"text": text, **({"entities": found} if found else {})}
        return self.post(by, chat or by.id, content, thread=thread, reply_to=reply_to)

    def edit(self, stored: Stored, text: str) -> Stored:
        """Let the author change a message."""
        self.state.now += 1
        field = "caption" if "caption" in stored.wire else "text"
        stored.wire = {**stored.wire, field: text, "edit_date": self.state.now}
        found = entities(text)
        marks = "caption_entities" if field == "caption" else "entities"
        stored.wire.pop(marks, None)
        if found:
            stored.wire[marks] = found
        self.state.push("edited_message", stored.wire)
        self.wake()
        return stored

    def again(self, stored: Stored) -> None:
        """Hand a message over once more."""
        self.state.push("edited_message" if "edit_date" in stored.wire else "message", stored.wire)
        self.wake()

    def upload(self, data: bytes, name: str, claims: int = -1) -> Json:
        """Keep a file on Telegram's side; return its fields as a Document. A negative claim is the true size."""
        number = next(self._file_ids)
        size = len(data) if claims < 0 else claims
        file_id = f"BAAD{number}"
        self.state.files[file_id] = Upload(f"documents/file_{number}", data, size)
        return {"file_id": file_id, "file_unique_id": f"u{number}", "file_name": name, "file_size": size}

    def send_document(
        self, by: Person, data: bytes, name: str, *, caption: str = "", chat: int = 0, claims: int = -1, mime: str = ""
    ) -> Stored:
        document = self.upload(data, name, claims)
        if mime:
            document["mime_type"] = mime
        found = entities(caption)
        said: Json = {"caption": caption, **({"caption_entities": found} if found else {})} if caption else {}
        return self.post(by, chat or by.id, {"document": document, **said})

    def press(self, by: Person, stored: Stored, data: str, *, inaccessible: bool = False) -> Query:
        """Let somebody press a button; the answer of the bot comes into the returned query."""
        query = Query(str(next(self._query_ids)))
        self.state.queries[query.id] = query
        known: Json = stored.wire
        if inaccessible:
            known = {"chat": stored.wire["chat"], "message_id": stored.id, "date": 0}
        content: Json = {
            "id": query.id,
            "from": by.wire(),
            "chat_instance": "1",
            "data": data,
            "message": known,
        }
        self.state.push("callback_query", content)
        self.wake()
        return query

    def migrate(self, chat: int, to: int) -> None:
        """Turn a group into a supergroup of another id."""
        old = self.state.rooms[chat]
        old.moved_to = to
        self.state.rooms[to] = Room(to, "supergroup", old.title)

    def seen(self, chat: int) -> list[Stored]:
        """What the bot wrote into a chat, as it is now."""
        return self.state.of_bot(chat)
