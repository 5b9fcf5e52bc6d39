"""A Slack on loopback, as its documentation describes it (docs.slack.dev): Web API, files and Socket Mode.

`Slack` is the server: tests let people write, edit, press and send files, look at what the bot sent, and decide the
platform's fate. Its state outlives `goes away`. Unlike Slack it hands an event over again without end, and sooner.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import ssl
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from aiohttp import WSMsgType, web
from tests.support.slack_events import Envelopes
from tests.support.slack_methods import METHODS, WRITES
from tests.support.slack_people import People
from tests.support.slack_state import Json, Refusal, State
from tests.support.telegram_sim import Hold


class Slack(People):
    """The server. `url` is what `api_url` is set to; `calls` are the methods called so far."""

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(State(), Envelopes())
        self.bot_token, self.app_token = "xoxb-111-222-abcdefghij", "xapp-1-A111-222-abcdefghij"
        self.calls: list[str] = []
        self.hold = Hold()
        self.port = 0
        self.host = "127.0.0.1"
        """What the addresses that it hands out name."""
        self.revoked = self.app_revoked = ""
        """The word with which a token is refused, if it is."""
        self.away = False
        """Answers every call with 503, as a proxy in front of Slack does."""
        self.delay = 0.0
        """Seconds before any answer."""
        self.slow_downs: list[str] = []
        """`Retry-After` of the next writes."""
        self.refusals: dict[str, list[Refusal]] = {}
        """Answers to the next calls, by method."""
        self.garbage: dict[str, list[bytes]] = {}
        """Bodies that the next calls are answered with instead, by method."""
        self.mute = False
        """Connections are taken, but no "hello" comes."""
        self.logs_in = False
        """Shows a page to log in instead of a file."""
        self.greeting: list[str] = []
        """What is said instead of the next "hello"s."""
        self.link = ""
        """The address that is handed out instead of ours."""
        self.greeted = 0
        self.authorized: list[str] = []
        """The Authorization of each request for a file, an upload or a connection."""
        self._tls = tls
        self._runner: web.ServerRunner | None = None
        self._tickets = itertools.count(1)
        self._valid: set[str] = set()

    # --- the server -------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"{self.base}api"

    @property
    def base(self) -> str:
        port = "" if self._tls else f":{self.port}"
        return f"{'https' if self._tls else 'http'}://{self.host}{port}/"

    async def start(self) -> None:
        self._runner = web.ServerRunner(web.Server(self._answer, access_log=None), shutdown_timeout=0.1)
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
        """Cut the connections that stand."""
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
        await self.envelopes.end()
        await self.stop()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if self.delay:
            await asyncio.sleep(self.delay)
        if self.away:
            return web.Response(status=503, text="<html>Service Unavailable</html>", content_type="text/html")
        kind, _, rest = request.path.removeprefix("/").partition("/")
        if kind == "api":
            return await self._api(request, rest)
        self.authorized.append(request.headers.get("Authorization", ""))
        match kind:
            case "link":
                return await self._linked(request)
            case "upload":
                return await self._upload(request, rest.removeprefix("v1/"))
            case "files":
                return await self._file(request, rest)
            case _:
                return web.Response(status=404)

    # --- the Web API ------------------------------------------------------------------------------------

    async def _api(self, request: web.BaseRequest, method: str) -> web.Response:
        self.calls.append(method)
        try:
            token = request.headers.get("Authorization", "").removeprefix("Bearer ")
            if method == "apps.connections.open":
                told = self._opened(token)
            else:
                self._known(token)
                told = await self._called(method, await _given(request), request)
        except Refusal as refused:
            body = {"ok": False, "error": refused.error}
            return web.json_response(body, status=refused.status, headers=refused.headers)
        if self.garbage.get(method):
            return web.Response(body=self.garbage[method].pop(0), content_type="application/json")
        return web.json_response({"ok": True, **told})

    def _opened(self, token: str) -> Json:
        if token.startswith("xoxb-"):
            raise Refusal("not_allowed_token_type")
        if token != self.app_token or self.app_revoked:
            raise Refusal(self.app_revoked or "invalid_auth")
        self._planned("apps.connections.open")
        ticket = f"ticket-{next(self._tickets)}"
        self._valid.add(ticket)
        return {"url": self.link or f"{self.base.replace('http', 'ws', 1)}link/?ticket={ticket}&app_id=A111"}

    def _known(self, token: str) -> None:
        if not token:
            raise Refusal("not_authed")
        if token.startswith("xapp-"):
            raise Refusal("not_allowed_token_type")
        if token != self.bot_token or self.revoked:
            raise Refusal(self.revoked or "invalid_auth")

    def _planned(self, method: str) -> None:
        if self.refusals.get(method):
            raise self.refusals[method].pop(0)

    async def _called(self, method: str, given: Mapping[str, object], request: web.BaseRequest) -> Json:
        if method not in METHODS:
            raise Refusal("unknown_method")
        if method in WRITES:
            waited = await self.hold.passes("sending")
            if waited and (request.transport is None or request.transport.is_closing()):
                raise Refusal("request_timeout")
            if self.slow_downs:
                raise Refusal("ratelimited", 429, **{"Retry-After": self.slow_downs.pop(0)})
        self._planned(method)
        told = METHODS[method](self.state, given)
        if method == "files.getUploadURLExternal":
            told["upload_url"] = f"{self.base}{told['upload_url']}"
        if method in WRITES:
            self.wrote.set()
            await self.hold.passes("sent")
        return told

    # --- files ------------------------------------------------------------------------------------------

    async def _upload(self, request: web.BaseRequest, file: str) -> web.Response:
        if file not in self.state.uploads:
            return web.Response(status=404)
        data = bytearray()
        async for piece in request.content.iter_any():
            data += piece
        self.state.uploads[file].data = bytes(data)
        return web.Response(text=f"OK - {len(data)}")

    async def _file(self, request: web.BaseRequest, file: str) -> web.StreamResponse:
        known = self.state.files.get(file)
        if self.logs_in or request.headers.get("Authorization") != f"Bearer {self.bot_token}":
            return web.Response(text="<html>Sign in</html>", content_type="text/html")
        if known is None:
            return web.Response(status=404)
        response = web.StreamResponse(headers={"Content-Type": known.mimetype})
        await response.prepare(request)
        for start in range(0, len(known.data), 65536):
            await response.write(known.data[start : start + 65536])
        await response.write_eof()
        return response

    # --- Socket Mode ------------------------------------------------------------------------------------

    async def _linked(self, request: web.BaseRequest) -> web.StreamResponse:
        ticket = request.query.get("ticket", "")
        if ticket not in self._valid:
            return web.Response(status=403)
        self._valid.discard(ticket)
        link = web.WebSocketResponse(timeout=0.1)
        await link.prepare(request)
        if not self.mute:
            hello = {"type": "hello", "num_connections": len(self.envelopes.links) + 1, "connection_info": {}}
            await link.send_str(self.greeting.pop(0) if self.greeting else json.dumps(hello))
        self.greeted += 1
        await self.envelopes.joined(link)
        try:
            async for came in link:
                if came.type is WSMsgType.TEXT:
                    await self._acknowledged(json.loads(came.data)["envelope_id"], request)
        finally:
            await self.envelopes.left(link)
        return link

    async def _acknowledged(self, envelope: str, request: web.BaseRequest) -> None:
        waited = await self.hold.passes("acknowledging")
        if not (waited and (request.transport is None or request.transport.is_closing())):
            self.envelopes.all[envelope].acknowledged.set()

    async def disconnects(self, reason: str, *, closes: bool = False) -> None:
        """Say on each connection that it ends, as Slack does some seconds before."""
        for link in list(self.envelopes.links):
            await link.send_str(json.dumps({"type": "disconnect", "reason": reason, "debug_info": {"host": "x"}}))
            if closes:
                await link.close()

    async def raw(self, frame: str | bytes) -> None:
        """Send something over each connection, as it is."""
        for link in list(self.envelopes.links):
            await (link.send_str(frame) if isinstance(frame, str) else link.send_bytes(frame))


async def _given(request: web.BaseRequest) -> Mapping[str, object]:
    if request.content_type == "application/json":
        given = json.loads(await request.text())
        assert isinstance(given, dict)
        return given
    return {**request.query, **{name: str(value) for name, value in (await request.post()).items()}}
