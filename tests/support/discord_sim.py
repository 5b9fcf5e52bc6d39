"""Discord, simulated: REST interface, gateway and files at one port of 127.0.0.1, for tests that script its fate."""

from __future__ import annotations

import json
import ssl
from types import TracebackType
from typing import Self

from aiohttp import web
from tests.support.discord_people import People
from tests.support.discord_rest import ROUTES, Call, Limits, read, too_many
from tests.support.discord_socket import Socket
from tests.support.discord_state import CONTENT_INTENT, DIRECT_INTENT, GUILD_INTENT, Json, Refusal, State
from tests.support.telegram_sim import Hold

API = "/api/v10"


class Discord(People):
    """The server. `url` is what `api_url` is set to; `calls` are method and path of the calls so far."""

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(State())
        self.token = "MTMwMDAwMDAwMDAwMDAwMDAwMA.Gabcde.abcdefghijklmnopqrstuvwxyz0123456789AB"
        self.calls: list[str] = []
        self.said: list[tuple[int, object]] = []
        """What came through the gateway: opcode and data."""
        self.hold = Hold()
        self.port = 0
        self.revoked = False
        self.away = False
        """Answers every call with 502, as Discord's front does."""
        self.interval = 41_250
        """Milliseconds between heartbeats."""
        self.deaf = False
        """Acknowledges no heartbeat."""
        self.mute = False
        """Says no hello."""
        self.intents = (1 << 22) - 1
        """Those that the bot may have."""
        self.starts = 1000
        """Sessions that may still be begun today."""
        self.gateway_at = self.resume_at = ""
        """The address of the gateway that is told, if not the true one."""
        self.slow_downs: list[float] = []
        """Pauses asked for by the next messages of the bot."""
        self.refusals: list[Refusal] = []
        """Answers to the next calls of the bot."""
        self.garbage: list[bytes] = []
        """Bodies of the next answers instead."""
        self.missing: set[str] = set()
        """Buckets of calls that are not there."""
        self.limits = Limits()
        self.sockets: set[Socket] = set()
        self._tls = tls
        self._runner: web.ServerRunner | None = None

    def without_content(self) -> None:
        """Message Content Intent is switched off in the Developer Portal."""
        self.state.flags = 0
        self.intents &= ~CONTENT_INTENT
        assert self.intents & DIRECT_INTENT and self.intents & GUILD_INTENT

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def gateway(self) -> str:
        return self.gateway_at or f"{'wss' if self._tls else 'ws'}://127.0.0.1:{self.port}"

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
        """Cut the connections that stand."""
        assert self._runner is not None and self._runner.server is not None
        for connection in self._runner.server.connections:
            if connection.transport is not None:
                connection.transport.abort()

    async def close(self, code: int) -> None:
        """Close the gateway's connections with a code."""
        for socket in tuple(self.sockets):
            await socket.ws.close(code=code)

    async def tell(self, op: int, data: object = None) -> None:
        """Send an event without a number through the gateway."""
        for socket in tuple(self.sockets):
            await socket.say(op, data)

    async def tell_raw(self, text: str) -> None:
        for socket in tuple(self.sockets):
            await socket.raw(text)

    def forget_sessions(self) -> None:
        """No session can be resumed any more."""
        self.state.sessions.clear()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def wake(self) -> None:
        for socket in self.sockets:
            socket.news.set()

    # --- answers ----------------------------------------------------------------------------------------

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if self.away:
            return web.Response(status=502, text="<html>Bad Gateway</html>", content_type="text/html")
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await Socket(self, request).serve()
        if request.path in self.state.files:
            return await self._file(request)
        try:
            return await self._called(request)
        except Refusal as refused:
            return _json(refused.body, refused.status, refused.headers)

    async def _called(self, request: web.BaseRequest) -> web.StreamResponse:
        assert request.headers["User-Agent"].startswith("DiscordBot (")
        if not request.path.startswith(f"{API}/"):
            raise Refusal(404, 0, "404: Not Found")
        path = request.path.removeprefix(API)
        self.calls.append(f"{request.method} {path}")
        if self.revoked or request.headers.get("Authorization") != f"Bot {self.token}":
            raise Refusal(401, 0, "401: Unauthorized")
        call = await read(request, path)
        if self.refusals:
            raise self.refusals.pop(0)
        if self.garbage:
            return web.Response(body=self.garbage.pop(0), content_type="application/json")
        if path == "/gateway/bot":
            return _json(self._gateway_bot())
        result, headers = await self._routed(call, request)
        self.wake()
        if result is None:
            return web.Response(status=204, headers=headers)
        return _json(result, headers=headers)

    async def _routed(self, call: Call, request: web.BaseRequest) -> tuple[object, dict[str, str]]:
        for method, path, bucket, act in ROUTES:
            found = path.fullmatch(call.path)
            if found is None or method != call.method or bucket in self.missing:
                continue
            headers = self.limits.headers(bucket, found[1] if path.groups else "") if bucket else {}
            if bucket in ("create", "edit"):
                return await self._written(call, request, lambda act=act: act(self.state, call)), headers
            return act(self.state, call), headers
        raise Refusal(404, 0, "404: Not Found")

    async def _written(self, call: Call, request: web.BaseRequest, act: object) -> object:
        """Take a message of the bot, or stop before or after, if a test says so."""
        assert callable(act)
        held = await self.hold.passes("sending")
        if held and (request.transport is None or request.transport.is_closing()):
            raise Refusal(400, 0, "nobody is there any more")
        if self.slow_downs:
            raise too_many(self.slow_downs.pop(0))
        result = act()
        self.wake()
        await self.hold.passes("sent")
        return result

    def _gateway_bot(self) -> Json:
        limit = {"total": 1000, "remaining": self.starts, "reset_after": 14_400_000, "max_concurrency": 1}
        return {"url": self.gateway, "shards": 1, "session_start_limit": limit}

    async def _file(self, request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        data = self.state.files[request.path]
        for start in range(0, len(data), 65536):
            await response.write(data[start : start + 65536])
        await response.write_eof()
        return response


def _json(body: object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Discord names no character set, and its libraries look for just that."""
    data = json.dumps(body).encode()
    return web.Response(body=data, status=status, headers=headers, content_type="application/json")
