"""A Graph API on loopback with WhatsApp behind it, as the Cloud API's documentation describes them.

`WhatsApp` is the server: tests let people write, edit, press and send files, look at what the bot sent, and decide the
platform's fate. What people do becomes signed calls of the bot's webhook, made again until they are answered with 200.
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import AsyncIterator
from typing import Self

from aiohttp import BodyPartReader, web
from tests.support.whatsapp_callers import Callers
from tests.support.whatsapp_state import Hold, Json, Media, State, Stored

TYPES = "audio/aac audio/mp4 audio/mpeg audio/amr audio/ogg application/vnd.ms-powerpoint application/msword".split()
TYPES += (
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document image/jpeg image/png image/webp".split()
)
TYPES += "application/vnd.openxmlformats-officedocument.presentationml.presentation application/pdf text/plain".split()
TYPES += "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet application/vnd.ms-excel".split()
TYPES += "video/mp4 video/3gpp".split()
TEXT, QUESTION, CAPTION = 4096, 1024, 1024


class Refusal(Exception):
    def __init__(self, code: int, status: int = 400, said: str = "refused") -> None:
        self.code, self.status, self.said = code, status, said


class WhatsApp(Callers):
    """The server. `url` is what `api_url` is set to."""

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(State(), Hold())
        self.token = "EAAtest" + "x" * 60
        self.port = 0
        self.revoked = False
        self.refusals: list[tuple[int, int]] = []
        """Error code and HTTP status for the next messages."""
        self.failures: list[int] = []
        """Error codes told of the next messages by the webhook, after they were taken."""
        self.garbage: list[bytes] = []
        """Bodies that the next requests are answered with instead, with status 200."""
        self.silent = False
        """Tells nothing of what became of messages."""
        self.elsewhere = ""
        """Where files are said to lie."""
        self.requests: list[tuple[str, str, str]] = []
        """Method, path and token of everything that was asked."""
        self._tls = tls
        self._runner: web.ServerRunner | None = None

    # --- the server -------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self._runner = web.ServerRunner(web.Server(self._answer, access_log=None), shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=self._tls, reuse_address=True)
        await site.start()
        self.port = int(self._runner.addresses[0][1])
        self.up.set()

    async def stop(self) -> None:
        """Refuse connections, cut those that stand, and call nobody."""
        self.up.clear()
        self.hold.release()
        if self._runner is not None:
            self.cut()
            await self._runner.cleanup()
            self._runner = None

    def cut(self) -> None:
        """Cut the connections that stand."""
        assert self._runner is not None and self._runner.server is not None
        for connection in self._runner.server.connections:
            if connection.transport is not None:
                connection.transport.abort()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.hang_up()
        await self.stop()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.requests.append((request.method, request.path, token))
        if self.garbage:
            return web.Response(body=self.garbage.pop(0), content_type="application/json")
        try:
            if self.revoked or token != self.token:
                raise Refusal(190, 401, "Error validating access token: Session has expired")
            return await self._asked(request)
        except Refusal as refusal:
            error = {"message": f"(#{refusal.code}) {refusal.said}", "type": "OAuthException", "code": refusal.code}
            body = {"error": {**error, "error_data": {"messaging_product": "whatsapp"}, "fbtrace_id": "Axyz"}}
            return web.json_response(body, status=refusal.status)

    async def _asked(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path.startswith("/files/"):
            return await self._file(request, request.path.removeprefix("/files/"))
        found = re.fullmatch(r"/v[0-9.]+/([A-Za-z0-9_-]+)(/messages|/media)?", request.path)
        match request.method, found[2] if found else "":
            case "GET", None if found and found[1] == self.phone_id:
                return web.json_response(
                    {"display_phone_number": "+1 555-078-3881", "verified_name": "Wirken", "id": self.phone_id}
                )
            case "GET", None if found and found[1] in self.state.media:
                return web.json_response(self._described(found[1]))
            case "POST", "/media" if found and found[1] == self.phone_id:
                return web.json_response({"id": await self._uploaded(request)})
            case "POST", "/messages" if found and found[1] == self.phone_id:
                return await self._message(await request.json())
            case _:
                raise Refusal(100, 400, "Unsupported request. Object does not exist")

    # --- files ------------------------------------------------------------------------------------------

    def _described(self, media_id: str) -> Json:
        media = self.state.media[media_id]
        size = media.claims if media.claims >= 0 else len(media.data)
        url = self.elsewhere or f"{self.url}/files/{media_id}?ext=1&hash=ARx"
        told: Json = {"url": url, "mime_type": media.media_type, "sha256": media.sha256, "file_size": size}
        return {**told, "id": media_id, "messaging_product": "whatsapp"}

    async def _file(self, request: web.BaseRequest, media_id: str) -> web.StreamResponse:
        media = self.state.media.get(media_id)
        if media is None:
            return web.Response(status=404)

        async def parts() -> AsyncIterator[bytes]:
            for start in range(0, len(media.data), 1 << 20):
                yield media.data[start : start + (1 << 20)]

        return web.Response(body=parts(), content_type=media.media_type)

    async def _uploaded(self, request: web.BaseRequest) -> str:
        fields: dict[str, str] = {}
        media = Media(b"", "")
        reader = await request.multipart()
        while (part := await reader.next()) is not None:
            assert isinstance(part, BodyPartReader) and part.name
            if part.filename is None:
                fields[part.name] = (await part.read()).decode()
            else:
                media = Media(bytes(await part.read()), part.headers.get("Content-Type", ""), part.filename)
        if fields.get("messaging_product") != "whatsapp" or media.media_type not in TYPES or not media.data:
            raise Refusal(100, 400, "Param file must be a file with one of the following types: ...")
        return self.keep(media)

    # --- messages ---------------------------------------------------------------------------------------

    async def _message(self, asked: Json) -> web.Response:
        if asked.get("messaging_product") != "whatsapp":
            raise Refusal(100)
        if asked.get("status") == "read":
            if "typing_indicator" in asked:
                self.state.typing.append(str(asked["message_id"]))
            return web.json_response({"success": True})
        await self.hold.passes("sending")
        if self.refusals:
            code, status = self.refusals.pop(0)
            raise Refusal(code, status)
        stored = self._stored(asked)
        self.state.messages.append(stored)
        self._tell_fate(stored)
        if await self.hold.passes("sent"):
            self.cut()
        contact = {"input": stored.to, "wa_id": stored.to} if "to" in asked else {"user_id": stored.to}
        sent = {"messaging_product": "whatsapp", "contacts": [contact], "messages": [{"id": stored.id}]}
        return web.json_response(sent)

    def _tell_fate(self, stored: Stored) -> None:
        code = self.failures.pop(0) if self.failures else 0
        if not code and stored.to not in self.state.open:
            code = 131047
        if code:
            self.state.messages.remove(stored)  # taken, but never shown to anybody
        if self.silent:
            return
        if code:
            self.status(stored, "failed", code)
        else:
            self.status(stored, "sent")

    def _stored(self, asked: Json) -> Stored:
        kind, to = str(asked.get("type", "text")), str(asked.get("to") or asked.get("recipient") or "")
        content, context = asked.get(kind), asked.get("context", {})
        if not isinstance(content, dict) or not isinstance(context, dict) or not to:
            raise Refusal(131008)
        raw = self._checked(kind, content)
        about = str(context.get("message_id", ""))
        if about and about not in self.known:
            raise Refusal(131009)
        stored = Stored(self.state.next_id(to), to, kind, raw, content, about)
        self.known.add(stored.id)
        if "id" in content:
            media = self.state.media[str(content["id"])]
            stored.data, stored.media_type = media.data, media.media_type
            stored.file_name = str(content.get("filename", "")) or media.name
        return stored

    def _checked(self, kind: str, content: Json) -> str:
        """Return what is said; raise what the Cloud API says to content beyond its limits."""
        match kind:
            case "text":
                said, most = str(content.get("body", "")), TEXT
                if not said.strip():
                    raise Refusal(100)
            case "interactive":
                body = content.get("body")
                assert isinstance(body, dict)
                said, most = str(body["text"]), QUESTION if content["type"] == "button" else TEXT
                self._check_action(content)
            case "image" | "video" | "audio" | "document":
                if str(content.get("id")) not in self.state.media:
                    raise Refusal(131053)
                if kind == "audio" and "caption" in content:
                    raise Refusal(100)
                said, most = str(content.get("caption", "")), CAPTION
            case _:
                raise Refusal(131051)
        if len(said.encode("utf-16-le")) // 2 > most:
            raise Refusal(131009, 400, "Parameter value is not valid")
        return said

    def _check_action(self, content: Json) -> None:
        action = json.loads(json.dumps(content["action"]))
        if content["type"] == "button":
            titles = [one["reply"]["title"] for one in action["buttons"]]
            good = 1 <= len(titles) <= 3 and all(0 < len(title) <= 20 for title in titles)
            ids = [one["reply"]["id"] for one in action["buttons"]]
        else:
            rows = [row for section in action["sections"] for row in section["rows"]]
            titles, ids = [row["title"] for row in rows], [row["id"] for row in rows]
            good = 1 <= len(rows) <= 10 and all(0 < len(title) <= 24 for title in titles)
            good = good and 0 < len(action["button"]) <= 20
        if not good or len(set(titles)) != len(titles) or any(len(one) > 200 for one in ids):
            raise Refusal(131009)
