"""People in the simulated Teams, and the Connector that calls the bot's webhook for them."""

from __future__ import annotations

import asyncio
import datetime
import json
import socket
import uuid
from dataclasses import dataclass

from tests.support.teams_keys import claims, signed
from tests.support.teams_sim import APP_ID, BOT, CONSENT, TENANT, Simulated
from tests.support.teams_state import Json, Person, Room, Stored

GIVES_UP = 15.0
"""Seconds after which the Connector gives a call up."""


def listener() -> socket.socket:
    """Return a port on loopback as the supervisor hands it down."""
    made = socket.create_server(("127.0.0.1", 0), backlog=128)
    made.setblocking(False)
    return made


@dataclass(frozen=True)
class Answered:
    status: int
    body: bytes


async def request(port: int, raw: bytes) -> Answered:
    """Send bytes to the webhook and return what it answers; status 0 where it answers nothing."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(raw)
        await writer.drain()
        said = await reader.read()
    except ConnectionError:
        said = b""
    finally:
        writer.close()
    while said.startswith(b"HTTP/1.1 100"):
        said = said.partition(b"\r\n\r\n")[2]
    head, _, body = said.partition(b"\r\n\r\n")
    return Answered(int(head.split(b" ")[1]) if head else 0, body)


def post(body: bytes, *, authorization: str = "", path: str = "/api/messages", extra: str = "") -> bytes:
    """Return a request as a tunnel passes it on."""
    head = f"POST {path} HTTP/1.1\r\nHost: bot.example.org\r\nContent-Type: application/json; charset=utf-8\r\n{extra}"
    if authorization:
        head += f"Authorization: {authorization}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


class Callers:
    """`port` is the webhook's. Activities are numbered by the simulator."""

    def __init__(self, sim: Simulated, port: int) -> None:
        self.sim, self.port = sim, port
        self.activities: dict[str, Json] = {}
        """What was said, by id."""

    # --- activities -------------------------------------------------------------------------------------

    def activity(self, by: Person, room: Room, **said: object) -> Json:
        made: Json = {
            "type": "message",
            "id": self.sim.state.next_id(),
            "timestamp": datetime.datetime.now(datetime.UTC).isoformat(),
            "channelId": "msteams",
            "serviceUrl": self.sim.service,
            "from": by.wire(),
            "recipient": {"id": BOT, "name": "Wirken"},
            "conversation": {
                "id": room.id,
                "conversationType": room.kind,
                "tenantId": TENANT,
                **({} if room.kind == "personal" else {"isGroup": True}),
            },
            "channelData": {"tenant": {"id": TENANT}},
            **said,
        }
        self.activities[str(made["id"])] = made
        return made

    def text(self, by: Person, room: Room, text: str, **said: object) -> Json:
        html = {"contentType": "text/html", "content": f"<p>{text}</p>"}
        return self.activity(by, room, text=text, textFormat="plain", **{"attachments": [html], **said})

    def mentioning(self, by: Person, room: Room, text: str, **said: object) -> Json:
        """Return what somebody says who named the bot before it."""
        mention: Json = {"type": "mention", "mentioned": {"id": BOT, "name": "Wirken"}, "text": "<at>Wirken</at>"}
        return self.text(by, room, f"<at>Wirken</at>&nbsp;{text}", entities=[mention], **said)

    def edited(self, activity: Json, text: str) -> Json:
        made = {**activity, "type": "messageUpdate", "text": text}
        made["timestamp"] = datetime.datetime.now(datetime.UTC).isoformat()
        made["channelData"] = {"tenant": {"id": TENANT}, "eventType": "editMessage"}
        return made

    def file(self, name: str, data: bytes) -> Json:
        """Return an attachment that lies in somebody's OneDrive."""
        key = uuid.uuid4().hex
        self.sim.files[key] = data
        return {
            "contentType": "application/vnd.microsoft.teams.file.download.info",
            "contentUrl": f"{self.sim.url}/somewhere/{name}",
            "name": name,
            "content": {"downloadUrl": f"{self.sim.url}/files/{key}", "uniqueId": key, "fileType": "bin"},
        }

    def picture(self, data: bytes) -> Json:
        key = uuid.uuid4().hex
        self.sim.files[key] = data
        return {"contentType": "image/*", "contentUrl": f"{self.sim.service}v3/attachments/{key}/views/original"}

    def press(self, by: Person, stored: Stored, action: Json, *, submit: bool = False) -> Json:
        """Return the press of a button: an invoke, or the message of a client that knows no `Action.Execute`."""
        room = self.sim.state.rooms[stored.room.partition(";")[0]]
        room = Room(stored.room, room.kind, room.person)
        if submit:
            return self.activity(by, room, value=action["data"], replyToId=stored.id)
        value = {"action": {"type": "Action.Execute", "verb": action["verb"], "data": action["data"]}}
        return self.activity(
            by, room, type="invoke", name="adaptiveCard/action", value=value, replyToId=stored.id, text=None
        )

    def consents(self, by: Person, stored: Stored, action: str = "accept") -> Json:
        """Return a person's answer to an offered file."""
        (offer,) = (one for one in stored.attachments if one["contentType"] == CONSENT)
        content = offer["content"]
        assert isinstance(content, dict)
        value = {
            "type": "fileUpload",
            "action": action,
            "context": content["acceptContext"],
            "uploadInfo": {
                "name": offer["name"],
                "uploadUrl": f"{self.sim.url}/upload/{stored.id}",
                "contentUrl": f"{self.sim.url}/drive/{stored.id}",
                "uniqueId": stored.id,
                "fileType": "txt",
            },
        }
        room = self.sim.state.rooms[stored.room]
        return self.activity(by, room, type="invoke", name="fileConsent/invoke", value=value, replyToId=stored.id)

    # --- calling ----------------------------------------------------------------------------------------

    def token(self, **changed: object) -> str:
        return signed(claims(APP_ID, self.sim.service, **changed), self.sim.signers[0])

    async def call(self, activity: Json, token: str = "") -> Answered:
        """Call the webhook once."""
        raw = post(json.dumps(activity).encode(), authorization=f"Bearer {token or self.token()}")
        return await request(self.port, raw)
