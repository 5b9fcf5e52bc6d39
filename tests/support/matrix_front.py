"""What stands before a real homeserver, so that a test decides what becomes of the bot's requests on their way."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import ClientSession, TCPConnector, web
from tests.support.channel_rig import Step
from yarl import URL

_HOP = {"transfer-encoding", "connection", "content-encoding", "content-length", "host"}
_SEND = re.compile(r"/rooms/[^/]+/send/")


async def _nothing(_: str, __: bytes) -> None: ...


class Hold:
    """Stops once at a step, until it is released."""

    def __init__(self) -> None:
        self.step: Step | None = None
        self.reached = asyncio.Event()
        self._go = asyncio.Event()

    def at(self, step: Step) -> None:
        self.step, self.reached, self._go = step, asyncio.Event(), asyncio.Event()

    def release(self) -> None:
        self.step = None
        self._go.set()

    async def passing(self, step: Step) -> None:
        if step == self.step:
            self.step = None
            self.reached.set()
            await self._go.wait()


class Front:
    """`start` and `stop` open and close the port; what is behind it stays."""

    def __init__(self, behind: str) -> None:
        self._behind = behind
        self._port = 0
        self._runner: web.AppRunner | None = None
        self._session: ClientSession | None = None
        self.hold = Hold()
        self.slow_downs: list[float] = []
        """Pauses in seconds, one for each of the next messages of the bot."""
        self.refusals: list[tuple[Callable[[web.Request], bool], int, object]] = []
        """Requests that are answered by the test: status and JSON."""
        self.asked: list[str] = []
        """Method and path of each request."""
        self.again: list[tuple[str, dict[str, Any]]] = []
        """Events that are handed over once more, with their rooms."""
        self.taken: Callable[[str, bytes], Awaitable[None]] = _nothing
        """What is waited for between a message that is sent and the answer: that people see it."""
        self._passed: list[tuple[str, str]] = []
        """What syncs answered: the token, and the body."""
        self._acknowledged = -1
        self._brought = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def start(self) -> None:
        self._session = ClientSession(connector=TCPConnector(limit=0), auto_decompress=False)
        app = web.Application(client_max_size=2**28)
        app.router.add_route("*", "/{path:.*}", self._pass)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True)
        await site.start()
        assert self._runner.addresses
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Cut every connection, and refuse new ones."""
        if self._runner is not None and self._session is not None:
            self.cut()
            await self._runner.cleanup()
            await self._session.close()
            self._runner = None

    def cut(self) -> None:
        assert self._runner is not None and self._runner.server is not None
        for one in self._runner.server.connections:
            if one.transport is not None:
                one.transport.abort()

    # --- what the bot did -------------------------------------------------------------------------------

    def acknowledged(self, event_id: str) -> bool:
        """Was a sync asked for that comes after one which brought the event?"""
        return any(event_id in body for _, body in self._passed[: self._acknowledged + 1])

    def event(self, event_id: str) -> tuple[str, dict[str, Any]]:
        """Return an event that came, and its room."""
        for _, body in reversed(self._passed):
            for room, joined in json.loads(body).get("rooms", {}).get("join", {}).items():
                for event in joined["timeline"]["events"]:
                    if event["event_id"] == event_id:
                        return room, event
        raise AssertionError("this event never came")

    # --- on the way -------------------------------------------------------------------------------------

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(f"{request.method} {request.path}")
        for refusal in self.refusals:
            if refusal[0](request):
                self.refusals.remove(refusal)
                return web.json_response(refusal[2], status=refusal[1])
        if request.path.endswith("/sync"):
            return await self._sync(request)
        sends = request.method == "PUT" and _SEND.search(request.path) is not None
        if sends and self.slow_downs:
            told = {"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": int(self.slow_downs.pop(0) * 1000)}
            return web.json_response(told, status=429)
        if sends:
            await self.hold.passing("sending")
        status, headers, body = await self._behind_it(request)
        if sends:
            await self.taken(request.path, body)
            await self.hold.passing("sent")
        return web.Response(status=status, headers=headers, body=body)

    async def _sync(self, request: web.Request) -> web.StreamResponse:
        since = request.query.get("since", "")
        if self._brought:
            self._brought = False
            await self.hold.passing("acknowledging")
        known = [index for index, (token, _) in enumerate(self._passed) if token == since]
        self._acknowledged = max([self._acknowledged, *known])
        status, headers, body = await self._behind_it(request)
        if status == 200:
            body = self._with_again(body)
            came = json.loads(body)
            self._passed.append((came["next_batch"], body.decode()))
            joined = came.get("rooms", {}).get("join", {}).values()
            self._brought = any(
                event["type"] in ("m.room.encrypted", "m.room.message")
                for one in joined
                for event in one["timeline"]["events"]
            )
        return web.Response(status=status, headers=headers, body=body)

    def _with_again(self, body: bytes) -> bytes:
        if not self.again:
            return body
        came = json.loads(body)
        for room, event in self.again:
            joined = came.setdefault("rooms", {}).setdefault("join", {}).setdefault(room, {"timeline": {"events": []}})
            joined["timeline"]["events"].insert(0, event)
        self.again.clear()
        return json.dumps(came).encode()

    async def _behind_it(self, request: web.Request) -> tuple[int, dict[str, str], bytes]:
        assert self._session is not None
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP}
        data = await request.read()
        url = self._behind + request.raw_path
        async with self._session.request(
            request.method, URL(url, encoded=True), headers=headers, data=data or None
        ) as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP}
            return answer.status, kept, await answer.read()
