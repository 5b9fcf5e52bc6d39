"""The methods of the simulated Web API (docs.slack.dev/reference/methods) that a bot token may call."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Final

from tests.support.slack_state import BLOCKS, BUTTON, EDITED, SECTION, TEXT, Json, Refusal, State, Stored, Upload

Given = Mapping[str, object]


def auth_test(state: State, given: Given) -> Json:
    return {
        "url": "https://wirken.slack.com/",
        "team": "Wirken",
        "user": state.bot.name,
        "team_id": "T0WIRKEN00",
        "user_id": state.bot.id,
        "bot_id": "B0WIRKEN00",
    }


def post_message(state: State, given: Given) -> Json:
    room = state.writable(given.get("channel"))
    text, blocks = str(given.get("text", "")), _blocks(given)
    if not text and not blocks:
        raise Refusal("no_text")
    thread = str(given.get("thread_ts", ""))
    if thread and (room.id, thread) not in state.messages:
        raise Refusal("thread_not_found")
    stored = Stored(room.id, state.next_ts(), state.bot.id, text[:TEXT], blocks, thread)
    stored.unfurls = given.get("unfurl_links") is not False or given.get("unfurl_media") is not False
    stored.client_id = str(given.get("client_msg_id", ""))
    if given.get("link_names") or given.get("parse", "none") != "none":
        stored.calls.append("names")
    state.messages[room.id, stored.ts] = stored
    return {"channel": room.id, "ts": stored.ts, "message": _wire(stored)}


def update(state: State, given: Given) -> Json:
    room = state.writable(given.get("channel"))
    stored = state.messages.get((room.id, str(given.get("ts"))))
    if stored is None:
        raise Refusal("message_not_found")
    if stored.by != state.bot.id:
        raise Refusal("cant_update_message")
    text = str(given.get("text", ""))
    if len(text) > EDITED:
        raise Refusal("msg_too_long")
    if given.get("link_names") or given.get("parse", "client") != "none":  # here the default is another one
        stored.calls.append("names")
    if "blocks" in given:  # else they stay
        stored.blocks = _blocks(given)
    if not text and not stored.blocks:
        raise Refusal("no_text")
    stored.raw, stored.edits = text, stored.edits + 1
    return {"channel": room.id, "ts": stored.ts, "text": text, "message": _wire(stored)}


def post_ephemeral(state: State, given: Given) -> Json:
    room = state.writable(given.get("channel"))
    user, text = str(given.get("user")), str(given.get("text", ""))
    if user not in state.people:
        raise Refusal("user_not_in_channel")
    if not text:
        raise Refusal("no_text")
    state.ephemerals.append((room.id, user, str(given.get("thread_ts", "")), text))
    return {"message_ts": state.next_ts()}


def open_conversation(state: State, given: Given) -> Json:
    person = state.people.get(str(given.get("users")))
    if person is None:
        raise Refusal("user_not_found")
    return {"channel": {"id": person.im}}


def replies(state: State, given: Given) -> Json:
    room = state.writable(given.get("channel"))
    parent = state.messages.get((room.id, str(given.get("ts"))))
    if parent is None:
        raise Refusal("thread_not_found")
    users = {one.by for one in state.messages.values() if one.channel == room.id and one.thread == parent.ts}
    return {"messages": [{**_wire(parent), "reply_users": sorted(users)}], "has_more": True}


def set_status(state: State, given: Given) -> Json:
    room, thread = state.room(given.get("channel_id")), str(given.get("thread_ts", ""))
    if not room.assistant or (room.id, thread) not in state.messages:
        raise Refusal("invalid_thread_ts")
    state.statuses.append((room.id, thread, str(given.get("status", ""))))
    return {}


def users_info(state: State, given: Given) -> Json:
    person = state.people.get(str(given.get("user")))
    if person is None:
        raise Refusal("user_not_found")
    return {"user": {"id": person.id, "name": person.name.lower(), "profile": {"display_name": person.name}}}


def files_info(state: State, given: Given) -> Json:
    file = state.files.get(str(given.get("file")))
    if file is None:
        raise Refusal("file_not_found")
    return {"file": file.wire()}


def upload_url(state: State, given: Given) -> Json:
    name, length = str(given.get("filename", "")), int(str(given.get("length", 0)))
    if not name or length <= 0:
        raise Refusal("invalid_arguments")
    file = Upload(state.next_file(), name, claims=length)
    state.uploads[file.id] = file
    return {"upload_url": f"upload/v1/{file.id}", "file_id": file.id}


def complete_upload(state: State, given: Given) -> Json:
    room = state.writable(given.get("channel_id"))
    wanted = json.loads(str(given.get("files", "[]")))
    thread = str(given.get("thread_ts", ""))
    stored = Stored(room.id, state.next_ts(), state.bot.id, str(given.get("initial_comment", "")), thread=thread)
    for one in wanted:
        file = state.uploads.pop(one["id"], None)
        if file is None or len(file.data) != file.claims:
            raise Refusal("file_not_found")
        state.files[file.id] = file
        stored.files.append(file.id)
    state.messages[room.id, stored.ts] = stored
    return {"files": [{"id": one["id"], "title": one.get("title", "")} for one in wanted]}


def _wire(stored: Stored) -> Json:
    return {"type": "message", "user": stored.by, "text": stored.raw, "ts": stored.ts, "bot_id": "B0WIRKEN00"}


def _blocks(given: Given) -> list[Json]:
    blocks = given.get("blocks", [])
    assert isinstance(blocks, list)
    if len(blocks) > BLOCKS or not all(_sound(block) for block in blocks):
        raise Refusal("invalid_blocks")
    return blocks


def _sound(block: Json) -> bool:
    if block["type"] == "section":
        text = block["text"]
        assert isinstance(text, dict)
        return 0 < len(text["text"]) <= SECTION
    elements = block["elements"]
    assert isinstance(elements, list)
    names = {one["action_id"] for one in elements}
    return (
        block["type"] == "actions"
        and 0 < len(elements) <= 25
        and len(names) == len(elements)
        and all(
            len(one["text"]["text"]) <= BUTTON and len(one["value"]) <= 2000 and len(one["action_id"]) <= 255
            for one in elements
        )
    )


METHODS: Final[dict[str, Callable[[State, Given], Json]]] = {
    "auth.test": auth_test,
    "chat.postMessage": post_message,
    "chat.update": update,
    "chat.postEphemeral": post_ephemeral,
    "conversations.open": open_conversation,
    "conversations.replies": replies,
    "assistant.threads.setStatus": set_status,
    "users.info": users_info,
    "files.info": files_info,
    "files.getUploadURLExternal": upload_url,
    "files.completeUploadExternal": complete_upload,
}
WRITES: Final = ("chat.postMessage", "chat.update", "files.completeUploadExternal")
"""What users see come."""
