"""One connection to Discord's gateway: hello, identify or resume, heartbeats both ways, events in their order."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import aiohttp
import msgspec

from wirken.channels.contract import PlatformAway
from wirken.channels.discord_errors import SessionOver, closed
from wirken.channels.discord_session import Session
from wirken.channels.discord_types import Frame, Hello, Ready, decoded
from wirken.domain import channel_limits as limits
from wirken.domain.clock import Clock

INTENTS: Final = 1 << 9 | 1 << 12 | 1 << 15
"""Messages in guilds, direct messages, and what they say ("Gateway Intents"). Interactions need none."""

_DISPATCH, _HEARTBEAT, _IDENTIFY, _RESUME = 0, 1, 2, 6
_RECONNECT, _INVALID, _HELLO, _ACK = 7, 9, 10, 11
_KEEP: Final = 4000
"""A close code of ours with which a session stays; 1000 and 1001 end it ("Disconnecting")."""


class Again(PlatformAway):
    """The connection has ended as connections do; the session stays, and it is worth connecting at once."""


class Connection:
    """`serve` until the connection ends. `take` gets each event, in order, and waits where too many are under way."""

    def __init__(
        self,
        socket: aiohttp.ClientWebSocketResponse,
        session: Session,
        clock: Clock,
        token: str,
        trusted: Callable[[str], str],
        take: Callable[[str, msgspec.Raw, int], Awaitable[None]],
        stands: Callable[[bool], None],
    ) -> None:
        self._socket, self._session, self._clock, self._token = socket, session, clock, token
        self._trusted, self._take, self._stands = trusted, take, stands
        self._acknowledged = True
        self._waits = False
        """Events of ours are waited for, so nothing is read, heartbeats' answers neither."""

    async def serve(self) -> None:
        """Serve until the connection ends. Raises `Again`, `SessionOver`, `PlatformAway`, `Revoked`."""
        try:
            interval = await self._hello()
            await self._begin()
            reads, beats = asyncio.ensure_future(self._read()), asyncio.ensure_future(self._beat(interval))
            try:
                await asyncio.wait({reads, beats}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (reads, beats):
                    task.cancel()
                ended = await asyncio.gather(reads, beats, return_exceptions=True)
            for error in ended:
                if isinstance(error, Exception):
                    raise error
        except (aiohttp.ClientError, ConnectionError):
            raise Again("The connection to Discord broke.") from None
        finally:
            with suppress(aiohttp.ClientError, OSError, RuntimeError):
                await self._socket.close(code=_KEEP)

    async def _hello(self) -> float:
        try:
            async with asyncio.timeout(limits.DISCORD_HELLO):
                frame = await self._next()
        except TimeoutError:
            raise PlatformAway("Discord's gateway said nothing.") from None
        hello = decoded(frame.d, Hello) if frame.op == _HELLO else None
        if hello is None:
            raise PlatformAway("Discord's gateway answered in a form that is not its own.")
        return min(max(hello.heartbeat_interval / 1000, limits.DISCORD_BEATS_LEAST), limits.DISCORD_BEATS_MOST)

    async def _begin(self) -> None:
        session = self._session
        if session.id:
            resumed = {"token": self._token, "session_id": session.id, "seq": session.window.safe}
            await self._say(_RESUME, resumed)
            return
        ours = {"os": sys.platform, "browser": "wirken", "device": "wirken"}
        await self._say(_IDENTIFY, {"token": self._token, "properties": ours, "intents": INTENTS})

    # --- heartbeats -------------------------------------------------------------------------------------

    async def _beat(self, interval: float) -> None:
        """Say that we live, and notice that Discord does not: then the connection is a zombie."""
        await asyncio.sleep(interval * (self._clock.now() % 1000) / 1000)  # not all at once ("Sending Heartbeats")
        while True:
            if not self._acknowledged and not self._waits:
                raise Again("Discord's gateway stopped answering.")
            await self._heartbeat()
            await asyncio.sleep(interval)

    async def _heartbeat(self) -> None:
        self._acknowledged = False
        await self._say(_HEARTBEAT, self._session.window.safe or None)

    # --- events -----------------------------------------------------------------------------------------

    async def _read(self) -> None:
        deadline = asyncio.get_running_loop().time() + limits.DISCORD_HELLO
        while not await self._ready_by(deadline):
            pass
        while True:
            await self._handle(await self._next())

    async def _ready_by(self, deadline: float) -> bool:
        """Handle one event; say whether the session stands now."""
        try:
            async with asyncio.timeout_at(deadline):
                frame = await self._next()
        except TimeoutError:
            raise PlatformAway("Discord's gateway began no session.") from None
        await self._handle(frame)
        return frame.op == _DISPATCH and frame.t in ("READY", "RESUMED")

    async def _handle(self, frame: Frame) -> None:
        match frame.op:
            case 0:  # dispatch
                await self._dispatch(frame)
            case 1:  # Discord asks for one
                await self._heartbeat()
            case 11:  # acknowledged
                self._acknowledged = True
            case 7:  # reconnect
                raise Again("Discord asked for a new connection.")
            case 9:  # invalid session
                await asyncio.sleep(limits.DISCORD_INVALID)
                if decoded(frame.d, bool):
                    raise Again("Discord asked for the session to be resumed again.")
                raise SessionOver("Discord has ended the session.")
            case _:
                return

    async def _dispatch(self, frame: Frame) -> None:
        if frame.s is None or frame.t is None:
            return
        if frame.t == "READY":
            self._ready(frame)
        window = self._session.window
        if not window.came(frame.s):
            return
        if frame.t in ("READY", "RESUMED"):
            window.done(frame.s)
            self._stands(frame.t == "READY")
            return
        self._waits = True
        try:
            await self._take(frame.t, frame.d, frame.s)
        finally:
            self._waits, self._acknowledged = False, True

    def _ready(self, frame: Frame) -> None:
        ready = decoded(frame.d, Ready)
        if ready is None:
            raise PlatformAway("Discord's gateway answered in a form that is not its own.")
        self._session.begins(ready.session_id, self._trusted(ready.resume_gateway_url))

    # --- frames -----------------------------------------------------------------------------------------

    async def _next(self) -> Frame:
        """Return what comes next that makes sense; what makes none is passed over."""
        while True:
            came = await self._socket.receive()
            if came.type is aiohttp.WSMsgType.TEXT:
                if (frame := decoded(came.data, Frame)) is not None:
                    return frame
            elif came.type is not aiohttp.WSMsgType.BINARY:
                raise self._end()

    def _end(self) -> Exception:
        code = self._socket.close_code or 0
        if code == aiohttp.WSCloseCode.MESSAGE_TOO_BIG:  # our own: it would come again with every resume
            return SessionOver("Discord's gateway sent more than can be read.")
        if 4000 <= code < 5000:
            error = closed(code)
            return Again(str(error)) if code in _PASSING else error
        return Again("The connection to Discord broke.")

    async def _say(self, op: int, data: object) -> None:
        with suppress(aiohttp.ClientError, ConnectionError):  # what is wrong shows when it is read
            await self._socket.send_str(msgspec.json.encode({"op": op, "d": data}).decode())


_PASSING: Final = frozenset({4000, 4001, 4002, 4003, 4005, 4008})
"""Closes after which a session is resumed."""
