"""GET /api/events: one browser's events, from the row it last saw on, until it or the gateway goes away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from wirken.domain import limits
from wirken.domain.errors import WirkenError
from wirken.domain.ids import WEBCHAT, conversation_id, parse_session
from wirken.ipc.calls.operator import ListSessions, ReadRows, RowPage, SessionRows
from wirken.web.answers import BadRequest
from wirken.web.events import AWAY, BEAT, HELLO, Event, Preview, Stream, joined, row_event
from wirken.web.hub import Hub

ABORT: Final = "abort"
"""Key in the request's state: a function that drops the connection at once, unsent bytes included."""

_HEADERS: Final = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-accel-buffering", b"no")]


class Events:
    """ASGI application of the event stream.

    `?session=` streams one session: its rows from `?from=` on (all of them where it is left out), or from the
    row after `Last-Event-ID`, then what happens. `?conversation=` is for one that has no session yet: what
    happens from now on, and what was missed where `Last-Event-ID` says so.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub: Final = hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        wants, session, first = _wanted(request)
        stream = self._hub.subscribe(wants)
        try:
            if not session and first > 0:
                session = await self._session_of(request.query_params["conversation"])
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            if scope["method"] == "HEAD":
                await send({"type": "http.response.body"})
                return
            await self._run(stream, session, first, request, send)
        finally:
            self._hub.unsubscribe(stream)

    async def _run(self, stream: Stream, session: str, first: int, request: Request, send: Send) -> None:
        abort: Callable[[], None] = request.scope["state"][ABORT]
        leaving = asyncio.get_running_loop().create_task(_left(stream, request.receive))
        try:
            await _put(send, HELLO)
            after = first - 1
            if session:
                after = await self._missed(stream, session, first, send)
            while True:
                events = await stream.take()
                if not events and stream.ended:
                    break
                data, after = joined(events, after)
                await _put(send, data if events else BEAT)
            await send({"type": "http.response.body"})
        except TimeoutError:
            # The browser leaves its events unread; to end the response would wait for it as well.
            abort()
            await leaving
        finally:
            leaving.cancel()

    async def _missed(self, stream: Stream, session: str, first: int, send: Send) -> int:
        """Send the rows from `first` on and return the last one's seq; what happens meanwhile waits."""
        while not stream.ended:
            try:
                page = await self._hub.ask(ReadRows(session, first), RowPage)
            except WirkenError:
                stream.end(AWAY)
                break
            if not page.payloads:
                break
            events: list[Event | Preview] = [row_event(payload) for payload in page.payloads]
            data, last = joined(events, first - 1)
            await _put(send, data)
            first = last + 1
        return first - 1

    async def _session_of(self, conversation: str) -> str:
        known = await self._hub.ask(ListSessions(WEBCHAT), SessionRows)
        ending = f"/{WEBCHAT}/{conversation}"
        return next((row.session for row in known.sessions if row.session.endswith(ending)), "")


def _wanted(request: Request) -> tuple[Callable[[str], bool], str, int]:
    """Return which sessions' events are wanted, the session where it is known, and the first row's seq."""
    session = request.query_params.get("session", "")
    first = _number(request.query_params.get("from", "0"))
    seen = request.headers.get("last-event-id", "")
    if seen:
        first = max(first, _number(seen) + 1)
    if session:
        parse_session(session)
        return (lambda other: other == session), session, first
    ending = f"/{WEBCHAT}/{conversation_id(request.query_params.get('conversation', ''))}"
    return (lambda other: other.endswith(ending)), "", first


def _number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 15:
        raise BadRequest("A row's number is a whole number from 0 on.")
    return int(text)


async def _put(send: Send, data: bytes) -> None:
    if data:
        async with asyncio.timeout(limits.PAGE_STALL):
            await send({"type": "http.response.body", "body": data, "more_body": True})


async def _left(stream: Stream, receive: Receive) -> None:
    """End the stream when the browser goes away."""
    while (await receive())["type"] != "http.disconnect":
        pass
    stream.end()
