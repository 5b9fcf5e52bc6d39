"""A Bot API on loopback, as its documentation describes it (core.telegram.org/bots/api), with people to play on it.

`Telegram` is the server: tests let people write, edit, press and send files, look at what the bot sent, and decide the
platform's fate. Its state outlives `goes_away`.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import re
import ssl
from types import TracebackType
from typing import Literal, Self

from aiohttp import BodyPartReader, web
from tests.support.telegram_methods import METHODS, WRITES, Call
from tests.support.telegram_people import People
from tests.support.telegram_state import UPLOAD, Answer, Json, Person, Refusal, State

Step = Literal["acknowledging", "sending", "sent"]
_PATH = re.compile(r"/(file/)?bot([^/]*)/(.*)")
_CONFLICT = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
_HOOKED = "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
MOST_WAIT = 50  # seconds that a long poll lasts at most


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


class Telegram(People):
    """The server. `url` is what `api_url` is set to; `calls` are the methods called so far, in lower case."""

    def __init__(self, token: str = "", *, tls: ssl.SSLContext | None = None) -> None:
        bot = Person(4_242_424_242, "Wirken", "wirken_test_bot", is_bot=True)
        super().__init__(State(bot))
        self.token = token or f"{bot.id}:{'AAF_test-token'.ljust(35, 'x')}"
        self.calls: list[str] = []
        self.hold = Hold()
        self.port = 0
        self.revoked = False
        self.away = False
        """Answers every call with 502, as the Bot API's front does while it is restarted."""
        self.delay = 0.0
        """Seconds before any answer."""
        self.slow_downs: list[float] = []
        """Pauses asked for by the next writes."""
        self.refusals: list[Answer] = []
        """Answers to the next writes."""
        self.garbage: list[bytes] = []
        """Bodies that the next successful polls are answered with instead."""
        self.missing: set[str] = set()
        """Methods that an older Bot API server does not have."""
        self.hasty = False
        """Answers each poll at once, and shows again what was confirmed, as no Bot API does."""
        self.offsets: list[int] = []
        self._tls = tls
        self._runner: web.ServerRunner | None = None
        self._changed = asyncio.Event()
        self._poll: asyncio.Future[None] | None = None

    # --- the server -------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

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

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def wake(self) -> None:
        self._changed.set()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if self.delay:
            await asyncio.sleep(self.delay)
        if self.away:
            return web.Response(status=502, text="<html>Bad Gateway</html>", content_type="text/html")
        found = _PATH.fullmatch(request.path)
        try:
            if found is None or not re.fullmatch(r"\d+:[A-Za-z0-9_-]{30,}", found[2]):
                raise Refusal(404, "Not Found")
            if self.revoked or not hmac.compare_digest(found[2], self.token):
                raise Refusal(401, "Unauthorized")
            if found[1]:
                return await self._file(request, found[3])
            result = await self._called(await _call(request, found[3]), request)
        except Refusal as refused:
            return _refused(refused.answer)
        if isinstance(result, bytes):
            return web.Response(body=result, content_type="application/json")
        return web.json_response({"ok": True, "result": result})

    async def _called(self, call: Call, request: web.BaseRequest) -> object:
        self.calls.append(call.method)
        if call.method == "getupdates":
            return await self._updates(call, request)
        if call.method not in METHODS or call.method in self.missing:
            raise Refusal(404, "Not Found")
        if call.method not in WRITES:
            return METHODS[call.method](self.state, call)
        await self._held("sending", request)
        if self.slow_downs:
            seconds = self.slow_downs.pop(0)
            raise Refusal(429, f"Too Many Requests: retry after {seconds:g}", retry_after=seconds)
        if self.refusals:
            told = self.refusals.pop(0)
            raise Refusal(told.code, told.description, **told.parameters)
        result = METHODS[call.method](self.state, call)
        self.wrote.set()
        await self.hold.passes("sent")
        return result

    async def _file(self, request: web.BaseRequest, path: str) -> web.StreamResponse:
        for upload in self.state.files.values():
            if upload.path == path:
                response = web.StreamResponse()
                await response.prepare(request)
                for start in range(0, len(upload.data), 65536):
                    await response.write(upload.data[start : start + 65536])
                await response.write_eof()
                return response
        raise Refusal(404, "Not Found")

    async def _held(self, step: Step, request: web.BaseRequest) -> None:
        """Stop here if a test says so; a call whose caller died meanwhile is not taken."""
        if await self.hold.passes(step) and (request.transport is None or request.transport.is_closing()):
            raise Refusal(400, "Bad Request: nobody is there any more")

    async def _updates(self, call: Call, request: web.BaseRequest) -> object:
        if self.state.webhook:
            raise Refusal(409, _HOOKED)
        if self._poll is not None and not self._poll.done():
            self._poll.set_exception(Refusal(409, _CONFLICT))
        offset, limit = call.number("offset"), min(max(call.number("limit") or 100, 1), 100)
        if self.state.updates and offset > min(self.state.updates):
            await self._held("acknowledging", request)
        self.offsets.append(offset)
        if self.hasty:
            return self.state.waiting(limit)
        self.state.confirm(offset)
        if "allowed_updates" in call.given:
            self.state.allowed = json.loads(call.given["allowed_updates"])
        mine = self._poll = asyncio.get_running_loop().create_future()
        deadline = asyncio.get_running_loop().time() + min(call.number("timeout"), MOST_WAIT)
        while not (waiting := self.state.waiting(limit)) and not self.garbage:
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                break
            await self._something(mine, left)
        if mine.done():
            mine.result()
        mine.cancel()
        return self.garbage.pop(0) if self.garbage else waiting

    async def _something(self, mine: asyncio.Future[None], left: float) -> None:
        """Wait for an update, or for another poller, whose call ends this one."""
        self._changed.clear()
        changed = asyncio.ensure_future(self._changed.wait())
        try:
            await asyncio.wait((changed, mine), timeout=left, return_when=asyncio.FIRST_COMPLETED)
        finally:
            changed.cancel()
        if mine.done():
            mine.result()


async def _call(request: web.BaseRequest, method: str) -> Call:
    call = Call(method.lower(), dict(request.query))
    if request.content_type == "application/json":
        for name, value in (await request.json()).items():
            call.given[name] = value if isinstance(value, str) else json.dumps(value)
    elif request.content_type == "multipart/form-data":
        await _multipart(request, call)
    else:
        call.given.update({name: str(value) for name, value in (await request.post()).items()})
    return call


async def _multipart(request: web.BaseRequest, call: Call) -> None:
    reader = await request.multipart()
    while (part := await reader.next()) is not None:
        assert isinstance(part, BodyPartReader) and part.name
        data = bytearray()
        while len(data) <= UPLOAD + 1 and (chunk := await part.read_chunk(1 << 16)):
            data += chunk
        if part.filename is None:
            call.given[part.name] = data.decode()
        else:
            call.files[part.name] = (part.filename, bytes(data))


def _refused(told: Answer) -> web.Response:
    body: Json = {"ok": False, "error_code": told.code, "description": told.description}
    if told.parameters:
        body["parameters"] = told.parameters
    return web.json_response(body, status=told.code)
