"""The methods of the simulated Bot API that answer at once; `getUpdates`, which waits, is the server's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from tests.support.telegram_html import Unparsable, parsed, units
from tests.support.telegram_state import (
    ANSWER,
    CALLBACK_DATA,
    CAPTION,
    DOWNLOAD,
    TEXT,
    UPLOAD,
    Json,
    Refusal,
    Room,
    State,
    Stored,
)

_SAME: Final = (
    "Bad Request: message is not modified: specified new message content and reply markup are exactly the same as a"
    " current content and reply markup of the message"
)


@dataclass
class Call:
    """One call: its parameters as text, and the files of a multipart body by field."""

    method: str
    given: dict[str, str]
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)

    def number(self, name: str) -> int:
        try:
            return int(self.given.get(name) or 0)
        except ValueError:
            raise Refusal(400, f"Bad Request: {name} must be a number") from None

    def structure(self, name: str) -> Json:
        if not self.given.get(name):
            return {}
        try:
            found = json.loads(self.given[name])
        except ValueError:
            raise Refusal(400, f"Bad Request: can't parse {name}: not JSON") from None
        assert isinstance(found, dict)
        return found

    def yes(self, name: str) -> bool:
        return self.given.get(name) in ("true", "True", "1")


def _formatted(call: Call, field_name: str) -> tuple[str, Json]:
    """Return the visible text, and the fields of a Message that say it."""
    raw = call.given.get(field_name, "")
    mode = call.given.get("parse_mode", "").lower()
    if mode not in ("", "html"):
        raise Refusal(400, "Bad Request: unsupported parse_mode")
    try:
        text, entities = parsed(raw) if mode else (raw.strip(), ())
    except Unparsable as said:
        raise Refusal(400, f"Bad Request: can't parse entities: {said}") from said
    prefix = "caption_" if field_name == "caption" else ""
    shown: Json = {field_name: text}
    if entities:
        shown[f"{prefix}entities"] = [entity.wire() for entity in entities]
    return text, shown


def _keyboard(call: Call) -> list[list[Json]]:
    rows = call.structure("reply_markup").get("inline_keyboard", [])
    assert isinstance(rows, list)
    for button in (button for row in rows for button in row):
        if not button.get("text"):
            raise Refusal(400, "Bad Request: can't parse inline keyboard button: Text buttons are unallowed")
        if not 0 < len(str(button.get("callback_data", "")).encode()) <= CALLBACK_DATA:
            raise Refusal(400, "Bad Request: BUTTON_DATA_INVALID")
    return rows


def _place(state: State, call: Call) -> Room:
    room = state.room(call.number("chat_id"))
    if room.moved_to:
        raise Refusal(
            400,
            "Bad Request: group chat was upgraded to a supergroup chat",
            migrate_to_chat_id=room.moved_to,
        )
    if room.blocked:
        raise Refusal(403, room.blocked)
    thread = call.number("message_thread_id")
    if thread and thread not in room.topics:
        raise Refusal(400, "Bad Request: message thread not found")
    return room


def _reply(state: State, call: Call, room: Room) -> int:
    wanted = call.structure("reply_parameters")
    number = wanted.get("message_id", 0)
    assert isinstance(number, int)
    if not number or (room.id, number) in state.messages:
        return number
    if wanted.get("allow_sending_without_reply"):
        return 0
    raise Refusal(400, "Bad Request: message to be replied not found")


def _keep(state: State, call: Call, room: Room, shown: Json) -> Stored:
    thread, reply = call.number("message_thread_id"), _reply(state, call, room)
    number = state.next_message()
    wire: Json = {
        "message_id": number,
        "date": state.now,
        "chat": room.wire(),
        "from": state.bot.wire(),
        **({"message_thread_id": thread, "is_topic_message": True} if thread else {}),
        **shown,
    }
    stored = Stored(room.id, number, state.bot.id, wire, markup=_keyboard(call), reply_to=reply)
    stored.preview = not call.structure("link_preview_options").get("is_disabled", False)
    stored.raw = call.given.get("text", call.given.get("caption", ""))
    state.messages[room.id, number] = stored
    return stored


def send_message(state: State, call: Call) -> object:
    room = _place(state, call)
    text, shown = _formatted(call, "text")
    if not text:
        raise Refusal(400, "Bad Request: message text is empty")
    if units(text) > TEXT:
        raise Refusal(400, "Bad Request: message is too long")
    return _keep(state, call, room, shown).wire


def send_document(state: State, call: Call) -> object:
    return _send_file(state, call, "document")


def send_photo(state: State, call: Call) -> object:
    return _send_file(state, call, "photo")


def _send_file(state: State, call: Call, kind: str) -> object:
    room = _place(state, call)
    text, shown = _formatted(call, "caption")
    if units(text) > CAPTION:
        raise Refusal(400, "Bad Request: message caption is too long")
    field_name = call.given.get(kind, kind).removeprefix("attach://")
    if field_name not in call.files:
        raise Refusal(400, f"Bad Request: there is no {kind} in the request")
    name, data = call.files[field_name]
    if not data:
        raise Refusal(400, "Bad Request: file must be non-empty")
    if len(data) > UPLOAD:
        raise Refusal(413, "Request Entity Too Large")
    file: Json = {"file_id": f"BQAC{len(state.messages)}", "file_unique_id": "u", "file_size": len(data)}
    content: object = [{**file, "width": 1, "height": 1}] if kind == "photo" else {**file, "file_name": name}
    stored = _keep(state, call, room, {**(shown if text else {}), kind: content})
    stored.file_name, stored.data = name, data
    return stored.wire


def _own(state: State, call: Call, room: Room, what: str) -> Stored:
    stored = state.messages.get((room.id, call.number("message_id")))
    if stored is None:
        raise Refusal(400, f"Bad Request: message to {what} not found")
    if stored.by != state.bot.id:
        raise Refusal(400, "Bad Request: message can't be edited")
    return stored


def edit_message_text(state: State, call: Call) -> object:
    room = _place(state, call)
    stored = _own(state, call, room, "edit")
    text, shown = _formatted(call, "text")
    if not text:
        raise Refusal(400, "Bad Request: message text is empty")
    if units(text) > TEXT:
        raise Refusal(400, "Bad Request: MESSAGE_TOO_LONG")
    if "text" not in stored.wire:
        raise Refusal(400, "Bad Request: there is no text in the message to edit")
    markup, entities = _keyboard(call), shown.get("entities")
    if text == stored.text and entities == stored.wire.get("entities") and markup == stored.markup:
        raise Refusal(400, _SAME)
    stored.wire.pop("entities", None)
    stored.wire.update(shown, edit_date=state.now)
    stored.markup, stored.raw, stored.edits = markup, call.given.get("text", ""), stored.edits + 1
    stored.preview = not call.structure("link_preview_options").get("is_disabled", False)
    return stored.wire


def edit_message_reply_markup(state: State, call: Call) -> object:
    stored = _own(state, call, _place(state, call), "edit")
    markup = _keyboard(call)
    if markup == stored.markup:
        raise Refusal(400, _SAME)
    stored.markup = markup
    return stored.wire


def answer_callback_query(state: State, call: Call) -> object:
    query = state.queries.get(call.given.get("callback_query_id", ""))
    if query is None or query.expired or query.answer is not None:
        raise Refusal(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
    text = call.given.get("text", "")
    if len(text) > ANSWER:
        raise Refusal(400, "Bad Request: MESSAGE_TOO_LONG")
    query.answer, query.alert = text, call.yes("show_alert")
    return True


def send_chat_action(state: State, call: Call) -> object:
    room = _place(state, call)
    if call.given.get("action") not in ("typing", "upload_document", "upload_photo"):
        raise Refusal(400, "Bad Request: wrong parameter action in request")
    state.typing.append((room.id, call.number("message_thread_id")))
    return True


def set_my_commands(state: State, call: Call) -> object:
    commands = json.loads(call.given.get("commands", "[]"))
    for command in commands:
        name, about = str(command.get("command", "")), str(command.get("description", ""))
        plain = name.replace("_", "")
        if not (0 < len(name) <= 32 and plain.isascii() and plain.isalnum() and name == name.lower()):
            raise Refusal(400, "Bad Request: BOT_COMMAND_INVALID")
        if not 0 < len(about) <= 256:
            raise Refusal(400, "Bad Request: BOT_COMMAND_DESCRIPTION_INVALID")
    state.commands = commands
    return True


def get_file(state: State, call: Call) -> object:
    upload = state.files.get(call.given.get("file_id", ""))
    if upload is None:
        raise Refusal(400, "Bad Request: invalid file_id")
    if max(upload.claims, len(upload.data)) > DOWNLOAD:
        raise Refusal(400, "Bad Request: file is too big")
    known: Json = {"file_id": call.given["file_id"], "file_unique_id": "u", "file_path": upload.path}
    return {**known, "file_size": upload.claims} if upload.claims >= 0 else known


def get_me(state: State, call: Call) -> object:
    return {
        **state.bot.wire(),
        "can_join_groups": True,
        "can_read_all_group_messages": False,
        "supports_inline_queries": False,
    }


def delete_webhook(state: State, call: Call) -> object:
    state.webhook = ""
    return True


METHODS: Final[dict[str, Callable[[State, Call], object]]] = {
    function.__name__.replace("_", ""): function
    for function in (
        send_message,
        send_document,
        send_photo,
        edit_message_text,
        edit_message_reply_markup,
        answer_callback_query,
        send_chat_action,
        set_my_commands,
        get_file,
        get_me,
        delete_webhook,
    )
}
"""By name in lower case; the Bot API takes any case."""

WRITES: Final = {"sendmessage", "senddocument", "sendphoto", "editmessagetext", "editmessagereplymarkup"}
