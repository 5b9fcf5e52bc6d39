"""Ollama's native chat, the only one of its formats that takes `num_ctx` (docs.ollama.com/api/chat)."""

from __future__ import annotations

from typing import Final

import msgspec

from wirken.domain import limits
from wirken.domain.conversation import (
    AssistantMessage,
    CallProposed,
    Completed,
    Message,
    ModelEvent,
    SystemMessage,
    TextDelta,
    ToolMessage,
    UserMessage,
)
from wirken.ipc.calls.outbound import Complete
from wirken.outbound import wire
from wirken.outbound.failures import AnswerTooLong, BrokenStream, Where
from wirken.outbound.ndjson import NdjsonDecoder
from wirken.outbound.statuses import failure_in_stream, said

# --- the request ------------------------------------------------------------------------------------


class _Function(msgspec.Struct, frozen=True):
    name: str
    arguments: msgspec.Raw
    """A JSON object, not text."""


class _Call(msgspec.Struct, frozen=True):
    function: _Function


class _Assistant(msgspec.Struct, frozen=True, tag_field="role", tag="assistant"):
    content: str
    tool_calls: tuple[_Call, ...]


class _Tool(msgspec.Struct, frozen=True, tag_field="role", tag="tool"):
    tool_name: str
    content: str


class _Options(msgspec.Struct, frozen=True):
    num_ctx: int


class _Request(msgspec.Struct, frozen=True):
    model: str
    messages: list[SystemMessage | UserMessage | AssistantMessage | _Assistant | _Tool]
    stream: bool
    options: _Options
    tools: msgspec.Raw | msgspec.UnsetType


_encoder: Final = msgspec.json.Encoder()


def body(question: Complete, num_ctx: int) -> bytes:
    """Return the request. Without `num_ctx` Ollama silently cuts the conversation. Raises `BadQuestion`."""
    return _encoder.encode(
        _Request(
            model=question.model,
            messages=[_message(message) for message in wire.messages(question)],
            stream=True,
            options=_Options(num_ctx),
            tools=wire.offered(question.tools),
        )
    )


def _message(message: Message) -> SystemMessage | UserMessage | AssistantMessage | _Assistant | _Tool:
    if isinstance(message, ToolMessage):
        return _Tool(message.name, message.content)
    if isinstance(message, AssistantMessage) and message.tool_calls:
        calls = tuple(
            _Call(_Function(call.name, msgspec.Raw(wire.object_text(call.arguments).encode())))
            for call in message.tool_calls
        )
        return _Assistant(message.content, calls)
    return message


# --- the answer -------------------------------------------------------------------------------------


class _CalledFunction(msgspec.Struct, frozen=True):
    name: str = ""
    arguments: msgspec.Raw = msgspec.Raw(b"{}")


class _Called(msgspec.Struct, frozen=True):
    function: _CalledFunction
    id: str = ""
    """Recent versions send one."""


class _Said(msgspec.Struct, frozen=True):
    content: str | None = None
    thinking: str | None = None
    tool_calls: list[_Called] | None = None


class _Piece(msgspec.Struct, frozen=True):
    message: _Said | None = None
    done: bool = False
    done_reason: str | None = None
    prompt_eval_count: int | None = None
    eval_count: int | None = None
    error: msgspec.Raw = msgspec.Raw()


_piece: Final = msgspec.json.Decoder(_Piece)
_word: Final = msgspec.json.Decoder(str)
_NOTHING: Final = (b"", b"null")


class Parser:
    """Lines of JSON in, events out. See `wire.Parser`."""

    def __init__(self, where: Where) -> None:
        self._where = where
        self._ndjson = NdjsonDecoder(limits.MODEL_LINE)
        self._meter = wire.Meter()
        self._calls: list[ModelEvent] = []
        self.done = False

    def feed(self, data: bytes) -> list[ModelEvent]:
        self._meter.raw(data)
        events: list[ModelEvent] = []
        for document in self._ndjson.feed(data):
            self._take(document, events)
        return events

    def finish(self) -> list[ModelEvent]:
        events: list[ModelEvent] = []
        for document in self._ndjson.finish():
            self._take(document, events)
        if not self.done:
            raise BrokenStream("The model's answer broke off.")
        return events

    def _take(self, document: bytes, events: list[ModelEvent]) -> None:
        if self.done:
            return
        piece = wire.parsed(_piece, document)
        if bytes(piece.error) not in _NOTHING:
            raise failure_in_stream(said(document), self._where)
        if piece.message is not None:
            self._hear(piece.message, events)
        if piece.done:
            self.done = True
            events.extend(self._calls)
            events.append(_completed(piece, called=bool(self._calls)))

    def _hear(self, message: _Said, events: list[ModelEvent]) -> None:
        self._meter.kept(message.content, message.thinking)
        if message.content:
            events.append(TextDelta(message.content))
        for call in message.tool_calls or ():
            arguments = _argument_text(bytes(call.function.arguments))
            self._meter.kept(call.id, call.function.name, arguments)
            if len(self._calls) >= limits.MODEL_CALLS:
                raise AnswerTooLong(f"The model asked for more than {limits.MODEL_CALLS} tool calls at once.")
            self._calls.append(CallProposed(call.id, call.function.name, arguments))


def _argument_text(raw: bytes) -> str:
    """Return the arguments as JSON text: the object's own bytes, or the text some versions send."""
    return wire.parsed(_word, raw) if raw.startswith(b'"') else raw.decode("utf-8", "replace")


def _completed(piece: _Piece, *, called: bool) -> Completed:
    """Ollama says `stop` after calls too; the neutral word for that is `tool_calls`."""
    reason = piece.done_reason or ""
    return Completed(
        "tool_calls" if called and reason in ("", "stop") else reason,
        -1 if piece.prompt_eval_count is None else piece.prompt_eval_count,
        -1 if piece.eval_count is None else piece.eval_count,
    )


# --- the list of models -----------------------------------------------------------------------------


class _Model(msgspec.Struct, frozen=True):
    name: str


class _Models(msgspec.Struct, frozen=True):
    models: list[_Model]


_models: Final = msgspec.json.Decoder(_Models)


def model_names(document: bytes) -> tuple[str, ...]:
    """Return the names in an answer to `GET /api/tags`. Raises `ValueError` or `RecursionError`."""
    return tuple(model.name for model in _models.decode(document).models)


FORMAT: Final = wire.WireFormat(
    chat_path="/api/chat",
    models_path="/api/tags",
    content_type="application/x-ndjson",
    body=body,
    parser=Parser,
    model_names=model_names,
)
