"""Bot Connector, Microsoft Entra's token endpoint, Bot Framework's signing keys and a OneDrive, on one loopback port.

As learn.microsoft.com describes them ("Bot Connector REST API", "Authentication", "Send and receive files"). Tests let
people write and press (`teams_callers`), look at what the bot sent, and decide the platform's fate.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from aiohttp import web
from tests.support.channel_rig import Step
from tests.support.teams_keys import ISSUER, Signer
from tests.support.teams_state import Json, Person, Room, State, Stored, person

APP_ID = "11111111-2222-3333-4444-555555555555"
TENANT = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
SECRET = "S3cret~value-of-the-test-application"
BOT = f"28:{APP_ID}"
CONSENT = "application/vnd.microsoft.teams.card.file.consent"
MOST = 100 * 1024
"""Bytes of an activity; the real one takes about 100 KB in UTF-16."""


class Hold:
    """A place where one request stops until it is released."""

    def __init__(self) -> None:
        self.step: Step | None = None
        self.reached = asyncio.Event()
        self._go = asyncio.Event()

    def at(self, step: Step) -> None:
        self.release()
        self.step, self.reached, self._go = step, asyncio.Event(), asyncio.Event()

    def release(self) -> None:
        self.step = None
        self._go.set()

    async def passes(self, step: Step) -> bool:
        """Return at once, or once released; say whether it had to wait."""
        if self.step != step:
            return False
        self.step = None
        self.reached.set()
        await self._go.wait()
        return True


@dataclass(frozen=True)
class Refusal:
    """An answer to the next request of the bot."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


def refusal(status: int, code: str) -> Refusal:
    return Refusal(status, json.dumps({"error": {"code": code, "message": "in some words"}}).encode())


def slow(seconds: float) -> Refusal:
    said = refusal(429, "TooManyRequests")
    return Refusal(429, said.body, (("Retry-After", str(int(seconds))),))


class Simulated:
    """The server. `url` is what `api_url` is set to."""

    def __init__(self, *, name: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        self.name = name
        self.state = State()
        self.hold = Hold()
        self.port = 0
        self.signers = [Signer("key-one")]
        """The first of them signs."""
        self.lifetime = 3600
        """Seconds of a token that is issued."""
        self.revoked = False
        self.withdrawn = 0
        """Tokens issued so far that are refused though they have not ended."""
        self.issued = 0
        self.refusals: list[Refusal] = []
        """Answers to the next messages and edits."""
        self.entra: list[Refusal] = []
        """Answers to the next requests for a token."""
        self.calls: list[str] = []
        """Method and path of each request so far."""
        self.files: dict[str, bytes] = {}
        self.uploads: dict[str, bytes] = {}
        self.ranges: list[str] = []
        self.metadata: Json = {}
        """What the description of the keys says otherwise than it should."""
        self.somebody_takes = False
        """Somebody looks at `offered`, and no further message is taken before they have."""
        self.taking: asyncio.Event = asyncio.Event()
        self.taking.set()
        self.offered: asyncio.Queue[Stored] = asyncio.Queue()
        self._tls = tls
        self._runner: web.ServerRunner | None = None

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self.name}:{self.port}"

    @property
    def service(self) -> str:
        return f"{self.url}/teams/"

    def person(self, name: str) -> tuple[Person, Room]:
        """Return somebody who has the bot in a personal conversation."""
        somebody = person(name)
        room = f"a:1{somebody.id[3:]}{'x' * 90}"
        return somebody, self.state.rooms.setdefault(room, Room(room, "personal", somebody))

    def room(self, name: str, kind: str = "groupChat") -> Room:
        return self.state.rooms.setdefault(name.partition(";")[0], Room(name, kind))

    # --- the server -------------------------------------------------------------------------------------

    async def start(self) -> None:
        server = web.Server(self._answer, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=self._tls, reuse_address=True)
        await site.start()
        self.port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Refuse connections and cut those that stand."""
        self.hold.release()
        if self._runner is not None:
            self.cut()
            await self._runner.cleanup()
            self._runner = None

    def cut(self) -> None:
        assert self._runner is not None and self._runner.server is not None
        for connection in self._runner.server.connections:
            if connection.transport is not None:
                connection.transport.abort()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.calls.append(f"{request.method} {request.path}")
        parts = request.path.strip("/").split("/")
        match request.method, parts:
            case "POST", [tenant, "oauth2", "v2.0", "token"]:
                return await self._token(request, tenant)
            case "GET", ["v1", ".well-known", "openidconfiguration"]:
                return _json({"issuer": ISSUER, "jwks_uri": f"{self.url}/v1/.well-known/keys", **self.metadata})
            case "GET", ["v1", ".well-known", "keys"]:
                return _json({"keys": [signer.published() for signer in self.signers]})
            case "GET", ["files", name] if name in self.files:
                return await self._file(request, self.files[name])
            case "GET", ["teams", "v3", "attachments", name, "views", "original"] if name in self.files:
                return self._denied(request) or await self._file(request, self.files[name])
            case "PUT", ["upload", name]:
                return await self._upload(request, name)
            case method, ["teams", "v3", "conversations", *rest]:
                return self._denied(request) or await self._conversations(request, method, rest)
            case _:
                return web.Response(status=404)

    # --- Microsoft Entra --------------------------------------------------------------------------------

    async def _token(self, request: web.BaseRequest, tenant: str) -> web.Response:
        if self.entra:
            return _refused(self.entra.pop(0))
        form = await request.post()
        if tenant != TENANT:
            return _json({"error": "invalid_request", "error_codes": [90002]}, 400)
        if self.revoked or (form.get("client_id"), form.get("client_secret")) != (APP_ID, SECRET):
            return _json({"error": "invalid_client", "error_description": f"AADSTS7000215 {form}"}, 401)
        assert form.get("grant_type") == "client_credentials"
        assert form.get("scope") == "https://api.botframework.com/.default"
        self.issued += 1
        return _json({"token_type": "Bearer", "expires_in": self.lifetime, "access_token": f"token-{self.issued}"})

    def _denied(self, request: web.BaseRequest) -> web.Response | None:
        number = request.headers.get("Authorization", "").removeprefix("Bearer token-")
        if not self.revoked and number.isdigit() and self.withdrawn < int(number) <= self.issued:
            return None
        return _json({"message": "Authorization has been denied for this request."}, 401)

    # --- conversations ----------------------------------------------------------------------------------

    async def _conversations(self, request: web.BaseRequest, method: str, rest: list[str]) -> web.Response:
        said = await request.json()
        match method, rest:
            case "POST", []:
                return self._with(said)
            case "POST", [room, "activities"] if said.get("type") == "typing":
                self.state.typing.append(room)
                return _json({})
            case "POST", [room, "activities"]:
                return await self._posted(room, said)
            case "PUT", [room, "activities", number]:
                return await self._put(room, number, said)
            case _:
                return web.Response(status=405)

    def _with(self, said: Json) -> web.Response:
        members = said["members"]
        assert isinstance(members, list) and said["isGroup"] is False and said["tenantId"] == TENANT
        for room in self.state.rooms.values():
            if room.person is not None and room.person.id == members[0]["id"]:
                return _json({"id": room.id}, 201)
        return _refused(refusal(403, "ForbiddenOperationException"))

    async def _posted(self, room: str, said: Json) -> web.Response:
        await self.hold.passes("sending")
        await self.taking.wait()
        if (no := self._no(room, said)) is not None:
            return no
        stored = Stored(room, self.state.next_id(), said)
        self.state.messages[room, stored.id] = stored
        await self.hold.passes("sent")
        if self.somebody_takes and any(attached["contentType"] == CONSENT for attached in stored.attachments):
            self.taking.clear()
            self.offered.put_nowait(stored)
        return _json({"id": stored.id}, 201)

    async def _put(self, room: str, number: str, said: Json) -> web.Response:
        await self.hold.passes("sending")
        if (no := self._no(room, said)) is not None:
            return no
        stored = self.state.messages.get((room, number))
        if stored is None:
            return _refused(refusal(404, "ActivityNotFoundInConversation"))
        stored.wire, stored.edits = said, stored.edits + 1
        await self.hold.passes("sent")
        return _json({"id": number})

    def _no(self, room: str, said: Json) -> web.Response | None:
        if self.refusals:
            return _refused(self.refusals.pop(0))
        if room.partition(";")[0] not in self.state.rooms:
            return _refused(refusal(404, "ConversationNotFound"))
        if len(json.dumps(said, ensure_ascii=False).encode("utf-16-le")) > MOST:
            return _refused(refusal(413, "MessageSizeTooBig"))
        if not said.get("text") and not said.get("attachments"):
            return _refused(refusal(400, "BadSyntax"))
        return None

    # --- files ------------------------------------------------------------------------------------------

    async def _file(self, request: web.BaseRequest, data: bytes) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        for start in range(0, len(data), 2**18):
            await answer.write(data[start : start + 2**18])
        await answer.write_eof()
        return answer

    async def _upload(self, request: web.BaseRequest, name: str) -> web.Response:
        assert "Authorization" not in request.headers
        self.ranges.append(request.headers["Content-Range"])
        data = bytearray()
        async for piece in request.content.iter_any():
            data += piece
        self.uploads[name] = bytes(data)
        return _json({"id": name}, 201)


def _json(said: Json, status: int = 200) -> web.Response:
    return web.json_response(said, status=status)


def _refused(said: Refusal) -> web.Response:
    return web.Response(status=said.status, body=said.body, headers=said.headers, content_type="application/json")
