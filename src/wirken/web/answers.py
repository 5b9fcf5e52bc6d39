"""JSON in, JSON out: what the API's requests hold, how it answers, and which status a failure has."""

from __future__ import annotations

from typing import Final, Literal, TypeVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from wirken.domain import limits
from wirken.domain.errors import ProtocolError, Refused, Unavailable, UsageError, WirkenError
from wirken.ipc.calls.operator import Choice

T = TypeVar("T")

_encoder: Final = msgspec.json.Encoder()


class Problem(msgspec.Struct, frozen=True):
    """A refusal or failure for a person: one sentence and the next step."""

    status: int
    error: str
    hint: str = ""


class _Shown(msgspec.Struct, frozen=True):
    error: str
    hint: str


class BadRequest(UsageError):
    """The request's body or address is not what the API takes."""

    hint = "docs/page.md lists what the page's API takes."


class TooLarge(WirkenError):
    """The request's body passes `limits.PAGE_BODY`."""

    hint = "Put long text into a file in the workspace and name it in the message."


class NotTaken(WirkenError):
    """The gateway did not take a message, for its own reason."""


class TooManyStreams(Unavailable):
    """`limits.PAGE_STREAMS` event streams are open already."""

    hint = "Close tabs of this page that you do not need."


class NewMessage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /api/messages. `id` makes a repetition harmless; without it, each request is a new message."""

    text: str
    conversation: str = ""
    id: str = ""


class ApprovalAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /api/approvals/{id}."""

    choice: Choice
    lease: str
    reason: str = ""


class SenderDecision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /api/senders: about a platform's account that waits. `name`: who that is; empty: the account itself."""

    channel: str
    sender: str
    decision: Literal["allow", "block"]
    role: Literal["user", "guest"] = "user"
    name: str = ""


_STATUS: Final[tuple[tuple[type[WirkenError], int], ...]] = (
    (TooLarge, 413),
    (NotTaken, 422),
    (UsageError, 400),
    (Refused, 403),
    (ProtocolError, 502),
    (Unavailable, 503),
    (WirkenError, 500),
)


def problem_of(error: WirkenError) -> Problem:
    """Return what a person is told about a foreseen failure."""
    status = next(status for cls, status in _STATUS if isinstance(error, cls))
    return Problem(status, str(error), error.advice)


def problem_response(problem: Problem) -> Response:
    """Return `{error, hint}` with the problem's status."""
    return json_response(_Shown(problem.error, problem.hint), problem.status)


def json_response(value: object, status: int = 200) -> Response:
    """Return `value` as JSON."""
    return Response(_encoder.encode(value), status, media_type="application/json")


async def body_of(request: Request, shape: type[T]) -> T:
    """Return the request's JSON body as `shape`, reading at most `limits.PAGE_BODY` bytes of it.

    Raises `TooLarge` as soon as the limit is passed, or `BadRequest`.
    """
    announced = request.headers.get("content-length", "0")
    if not announced.isdecimal() or int(announced[:20]) > limits.PAGE_BODY:
        raise TooLarge("This message is too long for the page.")
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > limits.PAGE_BODY:
            raise TooLarge("This message is too long for the page.")
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadRequest("The request's JSON is not what this address takes.") from None


class Answering:
    """Turns foreseen failures of the routes into `{error, hint}`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def noting(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except WirkenError as error:
            if started:
                raise
            await problem_response(problem_of(error))(scope, receive, send)
        except HTTPException as error:
            await problem_response(Problem(error.status_code, "There is nothing here."))(scope, receive, send)
