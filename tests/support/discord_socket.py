"""One connection to the simulated gateway (docs.discord.com/developers/events/gateway)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import zlib
from typing import TYPE_CHECKING

from aiohttp import WSMsgType, web
from tests.support.discord_state import Json, Session

if TYPE_CHECKING:
    from tests.support.discord_sim import Discord

PAYLOAD = 4096  # bytes; a larger one is refused ("Sending Events")


class Closed(Exception):
    def __init__(self, code: int) -> None:
        self.code = code


class Socket:
    """`serve` until somebody closes it."""

    def __init__(self, sim: Discord, request: web.BaseRequest) -> None:
        self.sim, self.request = sim, request
        self.ws = web.WebSocketResponse(max_msg_size=PAYLOAD, autoping=True)
        self.session: Session | None = None
        self.sent = 0
        self.news = asyncio.Event()
        self._deflate = zlib.compressobj() if request.query.get("compress") == "zlib-stream" else None

    async def serve(self) -> web.StreamResponse:
        await self.ws.prepare(self.request)
        self.sim.sockets.add(self)
        pushes = asyncio.ensure_future(self._push())
        try:
            if not self.sim.mute:
                await self.say(10, {"heartbeat_interval": self.sim.interval, "_trace": []})
            async for came in self.ws:
                if came.type is not WSMsgType.TEXT:
                    raise Closed(4002)
                await self._take(came.data)
        except Closed as closed:
            await self.ws.close(code=closed.code)
        except (ConnectionError, RuntimeError):
            pass
        finally:
            self.sim.sockets.discard(self)
            pushes.cancel()
            await asyncio.gather(pushes, return_exceptions=True)
        return self.ws

    async def say(self, op: int, data: object, seq: int | None = None, kind: str | None = None) -> None:
        await self.raw(json.dumps({"op": op, "d": data, "s": seq, "t": kind}))

    async def raw(self, text: str) -> None:
        with contextlib.suppress(ConnectionError, RuntimeError):
            if self._deflate is None:
                await self.ws.send_str(text)
            else:
                data = self._deflate.compress(text.encode()) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
                await self.ws.send_bytes(data)

    async def _take(self, text: str) -> None:
        try:
            frame = json.loads(text)
        except ValueError:
            raise Closed(4002) from None
        op, data = frame.get("op"), frame.get("d")
        self.sim.said.append((op, data))
        if op == 1:
            await self._heartbeat(data)
        elif op in (2, 6):
            if self.session is not None:
                raise Closed(4005)
            if data["token"].removeprefix("Bot ") != self.sim.token or self.sim.revoked:
                raise Closed(4004)
            await (self._identify(data) if op == 2 else self._resume(data))
        elif self.session is None:
            raise Closed(4003)
        elif op not in (3, 4, 8):
            raise Closed(4001)

    async def _heartbeat(self, seq: int | None) -> None:
        if self.session is not None and seq is not None:
            await self._acknowledge(seq)
        if not self.sim.deaf:
            await self.say(11, None)

    async def _acknowledge(self, seq: int) -> None:
        """Take the number up to which the bot has handled everything; a message among it is a step of a test's."""
        session = self.session
        assert session is not None
        kinds = {kind for _, kind, _ in session.events[session.acknowledged : seq]}
        if "MESSAGE_CREATE" in kinds:
            held = await self.sim.hold.passes("acknowledging")
            if held and (self.request.transport is None or self.request.transport.is_closing()):
                return
        session.acknowledged = max(session.acknowledged, seq)

    async def _identify(self, data: Json) -> None:
        intents = data["intents"]
        assert isinstance(intents, int)
        if intents & ~self.sim.intents:
            raise Closed(4014)
        if self.sim.starts < 1:
            raise Closed(4008)
        self.sim.starts -= 1
        number = f"session{self.sim.state.snowflake()}"
        session = Session(number, intents)
        self.sim.state.sessions[number] = session
        ready: Json = {
            "v": 10,
            "user": self.sim.state.bot.wire(),
            "guilds": [],
            "private_channels": [],
            "session_id": number,
            "resume_gateway_url": self.sim.resume_at or self.sim.gateway,
            "application": {"id": self.sim.state.application, "flags": self.sim.state.flags},
        }
        session.add("READY", ready)
        self.session = session
        self.news.set()

    async def _resume(self, data: Json) -> None:
        session = self.sim.state.sessions.get(str(data["session_id"]))
        seq = data["seq"]
        assert isinstance(seq, int)
        if session is None:
            await self.say(9, False)
            return
        if seq > session.seq:
            raise Closed(4007)
        self.session, self.sent = session, seq
        await self._acknowledge(seq)
        session.add("RESUMED", {})
        self.news.set()

    async def _push(self) -> None:
        """Send what the session has, in order."""
        while True:
            await self.news.wait()
            self.news.clear()
            while self.session is not None and self.sent < self.session.seq:
                seq, kind, content = self.session.events[self.sent]
                self.sent += 1
                await self.say(0, content, seq, kind)
