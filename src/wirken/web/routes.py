"""The page's API: each route parses, asks the gateway, renders. It decides nothing; docs/page.md lists it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from wirken.domain import limits
from wirken.domain.clock import Clock
from wirken.domain.ids import WEBCHAT, SessionId, agent_id, channel_id, conversation_id, session_id
from wirken.domain.text import clean
from wirken.ipc.calls.operator import (
    Acknowledged,
    AnswerApproval,
    ApprovalRows,
    GatewayReport,
    GatewayStatus,
    ListSessions,
    PendingApprovals,
    ReadRows,
    RowPage,
    SessionRows,
    StopTurn,
    Verification,
    VerifySession,
)
from wirken.ipc.calls.senders import AllowSender, BlockSender, ListSenders, SenderRows
from wirken.ipc.frames import Inbound, Said
from wirken.web.answers import (
    Answering,
    ApprovalAnswer,
    BadRequest,
    NewMessage,
    SenderDecision,
    TooLarge,
    body_of,
    json_response,
)
from wirken.web.events import CardCall, card
from wirken.web.guard import Guard
from wirken.web.hub import Hub
from wirken.web.static_files import StaticFiles
from wirken.web.stream import Events

_SESSION: Final = "/api/sessions/{agent}/{channel}/{conversation}"


class Taken(msgspec.Struct, frozen=True):
    """The message's row is on disk."""

    session: str
    seq: int
    conversation: str
    id: str


class Answered(msgspec.Struct, frozen=True):
    """The gateway itself answered, as to `/status`; plain text."""

    said: str


class Rows(msgspec.Struct, frozen=True):
    """Rows as stored; an empty list is the end."""

    rows: tuple[msgspec.Raw, ...]


class Cards(msgspec.Struct, frozen=True):
    approvals: tuple[CardCall, ...]


def application(hub: Hub, clock: Clock, new_id: Callable[[], str]) -> ASGIApp:
    """Return the whole page, its guard outermost. `new_id` names unnamed messages and conversations."""
    api = _Api(hub, clock, new_id)
    routes = (
        ("/api/messages", "POST", api.send),
        ("/api/sessions", "GET", api.sessions),
        (_SESSION + "/rows", "GET", api.rows),
        (_SESSION + "/verify", "POST", api.verify),
        (_SESSION + "/stop", "POST", api.stop),
        ("/api/approvals", "GET", api.approvals),
        ("/api/approvals/{approval}", "POST", api.answer),
        ("/api/senders", "GET", api.senders),
        ("/api/senders", "POST", api.decide),
        ("/api/status", "GET", api.status),
    )
    router = Router(
        [
            Route("/api/events", Events(hub), methods=["GET"]),
            *(Route(path, endpoint, methods=[method]) for path, method, endpoint in routes),
        ],
        redirect_slashes=False,
        default=StaticFiles(),
    )
    return Guard(Answering(router))


Endpoint = Callable[[Request], Awaitable[Response]]


class _Api:
    def __init__(self, hub: Hub, clock: Clock, new_id: Callable[[], str]) -> None:
        self._hub: Final = hub
        self._clock: Final = clock
        self._new_id: Final = new_id

    async def send(self, request: Request) -> Response:
        message = await body_of(request, NewMessage)
        _check_message(message)
        conversation = conversation_id(message.conversation or self._new_id())
        identity = message.id or self._new_id()
        taken = await self._hub.converse(Inbound(identity, conversation, clean(message.text)))
        if isinstance(taken, Said):
            return json_response(Answered(taken.text))
        return json_response(Taken(taken.session, taken.seq, conversation, identity), 202)

    async def sessions(self, request: Request) -> Response:
        return json_response(await self._hub.ask(ListSessions(WEBCHAT), SessionRows))

    async def rows(self, request: Request) -> Response:
        first = request.query_params.get("from", "0")
        if not first.isascii() or not first.isdecimal() or len(first) > 15:
            raise BadRequest("A row's number is a whole number from 0 on.")
        page = await self._hub.ask(ReadRows(_session(request), int(first)), RowPage)
        return json_response(Rows(tuple(map(msgspec.Raw, page.payloads))))

    async def verify(self, request: Request) -> Response:
        return json_response(await self._hub.ask(VerifySession(_session(request)), Verification))

    async def stop(self, request: Request) -> Response:
        return json_response(await self._hub.ask(StopTurn(_session(request)), Acknowledged))

    async def approvals(self, request: Request) -> Response:
        waiting = await self._hub.ask(PendingApprovals(), ApprovalRows)
        return json_response(Cards(tuple(card(row, self._clock) for row in waiting.approvals)))

    async def answer(self, request: Request) -> Response:
        given = await body_of(request, ApprovalAnswer)
        answer = AnswerApproval(
            approval=request.path_params["approval"],
            lease=given.lease,
            choice=given.choice,
            reason=given.reason,
        )
        return json_response(await self._hub.ask(answer, Acknowledged))

    async def senders(self, request: Request) -> Response:
        return json_response(await self._hub.ask(ListSenders(), SenderRows))

    async def decide(self, request: Request) -> Response:
        given = await body_of(request, SenderDecision)
        if given.decision == "block":
            block = BlockSender(channel=given.channel, sender=given.sender)
            return json_response(await self._hub.ask(block, Acknowledged))
        allow = AllowSender(channel=given.channel, sender=given.sender, role=given.role, principal=given.name)
        return json_response(await self._hub.ask(allow, Acknowledged))

    async def status(self, request: Request) -> Response:
        return json_response(await self._hub.ask(GatewayStatus(), GatewayReport))


def _check_message(message: NewMessage) -> None:
    if not message.text.strip():
        raise BadRequest("The message is empty.", hint="Type something first.")
    if len(message.text.encode("utf-8", "surrogatepass")) > limits.MESSAGE:
        raise TooLarge("This message is too long for the page.")
    if len(message.id) > limits.PLATFORM_ID:
        raise BadRequest("The message's id is too long.")


def _session(request: Request) -> SessionId:
    """Return the session that the address names. Raises `BadIdentifier`."""
    params = request.path_params
    return session_id(agent_id(params["agent"]), channel_id(params["channel"]), conversation_id(params["conversation"]))
