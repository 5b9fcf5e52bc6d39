"""The simulated REST interface: routes, what each refuses, rate limits by route and channel."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import BodyPartReader, web
from tests.support.discord_people import WHEN
from tests.support.discord_state import CONTENT, CUSTOM_ID, NONCE, UPLOAD, Json, Refusal, State, Stored

FILE = "https://cdn.discordapp.com/attachments/1/2/file"


@dataclass
class Call:
    """One request, read."""

    method: str
    path: str
    query: dict[str, str]
    body: Json = field(default_factory=dict)
    files: list[tuple[str, bytes]] = field(default_factory=list)


async def read(request: web.BaseRequest, path: str) -> Call:
    call = Call(request.method, path, dict(request.query))
    if request.content_type == "multipart/form-data":
        reader = await request.multipart()
        while (part := await reader.next()) is not None:
            assert isinstance(part, BodyPartReader)
            data = bytearray()
            while chunk := await part.read_chunk(1 << 16):
                data += chunk
            if part.name == "payload_json":
                call.body = json.loads(data)
            else:
                call.files.append((part.filename or "", bytes(data)))
    elif request.can_read_body:
        found = json.loads(await request.read())
        call.body = found if isinstance(found, dict) else {"list": found}
    return call


class Limits:
    """`allowed` calls in `seconds`, for each bucket and channel."""

    def __init__(self) -> None:
        self.allowed, self.seconds = 5, 5.0
        self._used: dict[str, tuple[float, int]] = {}

    def headers(self, bucket: str, major: str) -> dict[str, str]:
        """Count a call; raise `Refusal` for one too many."""
        now = time.monotonic()
        key = f"{bucket}:{major}"
        began, used = self._used.get(key, (now, 0))
        if now >= began + self.seconds:
            began, used = now, 0
        left = began + self.seconds - now
        used += 1
        self._used[key] = began, used
        headers = {
            "X-RateLimit-Limit": str(self.allowed),
            "X-RateLimit-Remaining": str(max(self.allowed - used, 0)),
            "X-RateLimit-Reset": f"{time.time() + left:.3f}",
            "X-RateLimit-Reset-After": f"{left:.3f}",
            "X-RateLimit-Bucket": bucket,
        }
        if used > self.allowed:
            refused = too_many(left)
            refused.headers |= headers
            raise refused
        return headers


def too_many(seconds: float, *, everywhere: bool = False) -> Refusal:
    body: Json = {"retry_after": seconds, "global": everywhere}
    refused = Refusal(429, 0, "You are being rate limited.", **body)
    refused.headers = {"Retry-After": str(int(seconds) + 1), "Via": "1.1 google"}
    refused.headers |= {"X-RateLimit-Global": "true"} if everywhere else {}
    return refused


def me(state: State, _call: Call) -> object:
    return state.bot.wire() | {"flags": 0}


def application(state: State, _call: Call) -> object:
    return {
        "id": state.application,
        "name": "Wirken",
        "icon": None,
        "description": "",
        "bot_public": False,
        "bot_require_code_grant": False,
        "verify_key": "0" * 64,
        "owner": state.bot.wire(),
        "team": None,
        "flags": state.flags,
    }


def commands(state: State, call: Call) -> object:
    given = call.body["list"]
    assert isinstance(given, list)
    if any(not re.fullmatch(r"[-_a-z0-9]{1,32}", one["name"]) or not one["description"] for one in given):
        raise Refusal(400, 50035, "Invalid Form Body")
    state.commands = given
    return given


def history(state: State, call: Call) -> object:
    channel = state.channel(call.path.split("/")[2])
    after, limit = int(call.query.get("after", "0")), int(call.query.get("limit", "50"))
    if not 1 <= limit <= 100:
        raise Refusal(400, 50035, "Invalid Form Body")
    found = [one for one in state.messages.values() if one.channel is channel and int(one.id) > after]
    first = sorted(found, key=lambda one: int(one.id))[:limit]
    return [one.wire for one in reversed(first)]  # the latest first


def one(state: State, call: Call) -> object:
    _, _, channel, _, number = call.path.split("/")
    return state.message(channel, number).wire


def create(state: State, call: Call) -> object:
    channel = state.channel(call.path.split("/")[2])
    if channel.blocked is not None:
        raise Refusal(*channel.blocked, "Cannot send messages to this user")
    body = call.body
    nonce = str(body.get("nonce", ""))
    if body.get("enforce_nonce") and nonce in state.nonces:
        return state.nonces[nonce].wire
    _check(body, call)
    number = state.snowflake()
    wire: Json = {
        "id": number,
        "channel_id": channel.id,
        "author": state.bot.wire(),
        "content": body.get("content", ""),
        "timestamp": WHEN,
        "edited_timestamp": None,
        "tts": False,
        "mention_everyone": False,
        "mentions": [],
        "mention_roles": [],
        "attachments": [
            {"id": str(place), "filename": name, "size": len(data), "url": FILE, "proxy_url": FILE}
            for place, (name, data) in enumerate(call.files)
        ],
        "embeds": [],
        "components": body.get("components", []),
        "pinned": False,
        "type": 0,
        "flags": body.get("flags", 0),
        "nonce": nonce,
    }
    answered = body.get("message_reference")
    if isinstance(answered, dict) and (channel.id, answered["message_id"]) in state.messages:
        wire |= {"type": 19, "message_reference": answered}
    stored = Stored(channel, number, state.bot, wire, dict(body), call.files[0][1] if call.files else b"")
    state.messages[channel.id, number] = stored
    if nonce:
        state.nonces[nonce] = stored
    event = dict(wire) | ({"guild_id": channel.guild} if channel.guild else {})
    state.happens("MESSAGE_CREATE", channel, event)
    return wire


def edit(state: State, call: Call) -> object:
    _, _, channel, _, number = call.path.split("/")
    stored = state.message(channel, number)
    if stored.author is not state.bot:
        raise Refusal(403, 50005, "Cannot edit a message authored by another user")
    _check(call.body, call, editing=True)
    stored.body |= call.body
    stored.wire |= {name: call.body[name] for name in ("content", "components", "flags") if name in call.body}
    stored.edits += 1
    return stored.wire


def typing(state: State, call: Call) -> object:
    state.typing.append(state.channel(call.path.split("/")[2]).id)
    return None


def _check(body: Json, call: Call, *, editing: bool = False) -> None:
    content = str(body.get("content") or "")
    if len(content) > CONTENT or len(str(body.get("nonce", ""))) > NONCE:
        raise Refusal(400, 50035, "Invalid Form Body")
    if not (content.strip() or call.files or editing):
        raise Refusal(400, 50006, "Cannot send an empty message")
    if sum(len(data) for _, data in call.files) > UPLOAD:
        raise Refusal(413, 40005, "Request entity too large")
    if call.files:
        named = body.get("attachments", [])
        assert isinstance(named, list)
        assert [one["filename"] for one in named] == [name for name, _ in call.files]
    rows = body.get("components", [])
    assert isinstance(rows, list)
    for row in rows:
        ids = [one["custom_id"] for one in row["components"]]
        if row["type"] != 1 or not 1 <= len(ids) <= 5 or len(set(ids)) < len(ids) or max(map(len, ids)) > CUSTOM_ID:
            raise Refusal(400, 50035, "Invalid Form Body")


def callback(state: State, call: Call) -> object:
    _, _, number, token, _ = call.path.split("/")
    pressed = state.pressed.get(number)
    if pressed is None or pressed.token != token or pressed.late:
        raise Refusal(404, 10062, "Unknown interaction")
    if pressed.answer is not None or pressed.deferred:
        raise Refusal(400, 40060, "Interaction has already been acknowledged.")
    if call.body["type"] == 5:
        pressed.deferred = True
        return None
    data = call.body["data"]
    assert call.body["type"] == 4 and isinstance(data, dict) and data["allowed_mentions"] == {"parse": []}
    pressed.answer = str(data["content"])
    return None


def original(state: State, call: Call) -> object:
    _, _, _, token, *_ = call.path.split("/")
    for pressed in state.pressed.values():
        if pressed.token == token and pressed.deferred:
            pressed.answer = str(call.body["content"])
            return {"id": "1", "channel_id": "1", "content": pressed.answer}
    raise Refusal(404, 10015, "Unknown Webhook")


Route = tuple[str, re.Pattern[str], str, Callable[[State, Call], object]]

ROUTES: tuple[Route, ...] = tuple(
    (method, re.compile(path), bucket, act)
    for method, path, bucket, act in (
        ("GET", r"/users/@me", "me", me),
        ("GET", r"/applications/@me", "app", application),
        ("GET", r"/oauth2/applications/@me", "app", application),
        ("PUT", r"/applications/\d+/commands", "commands", commands),
        ("GET", r"/channels/(\d+)/messages", "history", history),
        ("GET", r"/channels/(\d+)/messages/\d+", "history", one),
        ("POST", r"/channels/(\d+)/messages", "create", create),
        ("PATCH", r"/channels/(\d+)/messages/\d+", "edit", edit),
        ("POST", r"/channels/(\d+)/typing", "typing", typing),
        ("POST", r"/interactions/(\d+)/[^/]+/callback", "", callback),
        ("PATCH", r"/webhooks/(\d+)/[^/]+/messages/@original", "", original),
    )
)
