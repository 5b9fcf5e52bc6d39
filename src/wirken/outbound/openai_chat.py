"""The chat completions format, which most servers speak (platform.openai.com/docs/api-reference/chat)."""

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
from wirken.outbound.sse import SseDecoder
from wirken.outbound.statuses import failure_in_stream, said

# --- the request ------------------------------------------------------------------------------------


class _Function(msgspec.Struct, frozen=True):
    name: str
    arguments: str


class _Call(msgspec.Struct, frozen=True):
    id: str
    function: _Function
    type: str = "function"


class _Assistant(msgspec.Struct, frozen=True, tag_field="role", tag="assistant"):
    content: str | None
    tool_calls: tuple[_Call, ...]


class _Tool(msgspec.Struct, frozen=True, tag_field="role", tag="tool"):
    tool_call_id: str
    content: str


class _StreamOptions(msgspec.Struct, frozen=True):
    include_usage: bool = True


class _Request(msgspec.Struct, frozen=True):
    model: str
    messages: list[SystemMessage | UserMessage | AssistantMessage | _Assistant | _Tool]
    stream: bool
    stream_options: _StreamOptions
    tools: msgspec.Raw | msgspec.UnsetType


_encoder: Final = msgspec.json.Encoder()


def body(question: Complete, num_ctx: int) -> bytes:
    """Return the request. `num_ctx` is not part of this format; the server decides. Raises `BadQuestion`."""
    return _encoder.encode(
        _Request(
            model=question.model,
            messages=[_message(message) for message in wire.messages(question)],
            stream=True,
            stream_options=_StreamOptions(),
            tools=wire.offered(question.tools),
        )
    )


def _message(message: Message) -> SystemMessage | UserMessage | AssistantMessage | _Assistant | _Tool:
    if isinstance(message, ToolMessage):
        return _Tool(message.call_id, message.content)
    if isinstance(message, AssistantMessage) and message.tool_calls:
        calls = tuple(
            _Call(call.id, _Function(call.name, wire.object_text(call.arguments))) for call in message.tool_calls
        )
        return _Assistant(message.content or None, calls)
    return message


# --- the answer -------------------------------------------------------------------------------------


class _FunctionPiece(msgspec.Struct, frozen=True):
    name: str | None = None
    arguments: str | None = None


class _CallPiece(msgspec.Struct, frozen=True):
    index: int | None = None
    id: str | None = None
    function: _FunctionPiece | None = None


class _Part(msgspec.Struct, frozen=True):
    """A piece of content in the array form that some servers use; only `text` parts are text."""

    type: str = ""
    text: str | None = None


class _Delta(msgspec.Struct, frozen=True):
    content: str | list[_Part] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[_CallPiece] | None = None


class _Choice(msgspec.Struct, frozen=True):
    index: int | None = 0
    delta: _Delta | None = None
    finish_reason: str | None = None


class _Chunk(msgspec.Struct, frozen=True):
    choices: list[_Choice] | None = None
    usage: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()


class _PromptDetails(msgspec.Struct, frozen=True):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct, frozen=True):
    prompt_tokens: int = -1
    completion_tokens: int = -1
    prompt_tokens_details: _PromptDetails | None = None


_chunk: Final = msgspec.json.Decoder(_Chunk)
_usage: Final = msgspec.json.Decoder(_Usage)
_NOTHING: Final = (b"", b"null")


class _Assembly:
    """Tool calls growing from fragments.

    Fragments belong together by `index`; a new id begins a new call, and so does, where there is no index, a
    new name (several compatible servers send whole calls without either).
    """

    def __init__(self) -> None:
        self._calls: list[tuple[int, list[str], list[str], list[str]]] = []

    def add(self, piece: _CallPiece) -> None:
        _, ids, names, arguments = self._place(piece)
        if piece.id and not ids:
            ids.append(piece.id)
        if piece.function is not None:
            names.append(piece.function.name or "")
            arguments.append(piece.function.arguments or "")

    def calls(self) -> list[ModelEvent]:
        return [
            CallProposed("".join(ids), "".join(names), "".join(arguments)) for _, ids, names, arguments in self._calls
        ]

    def _place(self, piece: _CallPiece) -> tuple[int, list[str], list[str], list[str]]:
        last = self._calls[-1] if self._calls else None
        index = piece.index if piece.index is not None else (last[0] if last else 0)
        named = piece.index is None and piece.function is not None and bool(piece.function.name)
        for known in reversed(self._calls):
            same_id = not piece.id or not known[1] or known[1][0] == piece.id
            if known[0] == index and same_id and not (named and any(known[2])):
                return known
        if len(self._calls) >= limits.MODEL_CALLS:
            raise AnswerTooLong(f"The model asked for more than {limits.MODEL_CALLS} tool calls at once.")
        self._calls.append((index, [], [], []))
        return self._calls[-1]


class Parser:
    """Chat completion chunks in, events out. See `wire.Parser`."""

    def __init__(self, where: Where) -> None:
        self._where = where
        self._sse = SseDecoder(limits.MODEL_LINE)
        self._meter = wire.Meter()
        self._assembly = _Assembly()
        self._reason: str | None = None
        self._tokens = _Usage()
        self.done = False

    def feed(self, data: bytes) -> list[ModelEvent]:
        self._meter.raw(data)
        events: list[ModelEvent] = []
        for document in self._sse.feed(data):
            self._take(document, events)
        return events

    def finish(self) -> list[ModelEvent]:
        events: list[ModelEvent] = []
        for document in self._sse.finish():
            self._take(document, events)
        if not self.done:
            if self._reason is None:
                raise BrokenStream("The model's answer broke off.")
            self._complete(events)
        return events

    def _take(self, document: bytes, events: list[ModelEvent]) -> None:
        if self.done:
            return
        if document.strip() == b"[DONE]":
            self._complete(events)
            return
        chunk = wire.parsed(_chunk, document)
        if bytes(chunk.error) not in _NOTHING:
            raise failure_in_stream(said(document), self._where)
        if bytes(chunk.usage) not in _NOTHING:
            self._tokens = wire.parsed(_usage, bytes(chunk.usage))
        for choice in chunk.choices or ():
            if not choice.index:
                self._choose(choice, events)

    def _choose(self, choice: _Choice, events: list[ModelEvent]) -> None:
        if choice.delta is not None:
            self._meter.kept(choice.delta.reasoning_content)
            for text in (_text(choice.delta.content), choice.delta.refusal):
                if text:
                    self._meter.kept(text)
                    events.append(TextDelta(text))
            for piece in choice.delta.tool_calls or ():
                function = piece.function or _FunctionPiece()
                self._meter.kept(piece.id, function.name, function.arguments)
                self._assembly.add(piece)
        if choice.finish_reason:
            self._reason = choice.finish_reason

    def _complete(self, events: list[ModelEvent]) -> None:
        self.done = True
        events.extend(self._assembly.calls())
        tokens = self._tokens
        cached = tokens.prompt_tokens_details.cached_tokens if tokens.prompt_tokens_details is not None else None
        counts = (tokens.prompt_tokens, tokens.completion_tokens, -1 if cached is None else cached)
        events.append(Completed(self._reason or "", *counts))


def _text(content: str | list[_Part] | None) -> str:
    if isinstance(content, list):
        return "".join(part.text or "" for part in content if part.type == "text")
    return content or ""


# --- the list of models -----------------------------------------------------------------------------


class _Model(msgspec.Struct, frozen=True):
    id: str


class _Models(msgspec.Struct, frozen=True):
    data: list[_Model]


_models: Final = msgspec.json.Decoder(_Models)


def model_names(document: bytes) -> tuple[str, ...]:
    """Return the ids in an answer to `GET /models`. Raises `ValueError` or `RecursionError`."""
    return tuple(model.id for model in _models.decode(document).data)


FORMAT: Final = wire.WireFormat(
    chat_path="/chat/completions",
    models_path="/models",
    content_type="text/event-stream",
    body=body,
    parser=Parser,
    model_names=model_names,
)
