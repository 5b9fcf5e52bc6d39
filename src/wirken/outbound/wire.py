"""What every wire format offers, and what they share: reading a conversation, counting an answer."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

import msgspec

from wirken.domain import limits
from wirken.domain.conversation import Message, ModelEvent, ToolSpec
from wirken.domain.errors import ProtocolError
from wirken.ipc.calls.outbound import Complete
from wirken.outbound.failures import AnswerTooLong, Garbled, Where

T = TypeVar("T")


class Parser(Protocol):
    """Bytes of one answer in, events out. Does no I/O; raises `ModelFailure`."""

    @property
    def done(self) -> bool:
        """The answer is complete; what still comes is of no interest."""
        ...

    def feed(self, data: bytes) -> list[ModelEvent]: ...

    def finish(self) -> list[ModelEvent]:
        """The body has ended. Raises `BrokenStream` where the answer had not."""
        ...


@dataclass(frozen=True, slots=True)
class WireFormat:
    """One way of asking models over HTTP. Paths are appended to the provider's `base_url`."""

    chat_path: str
    models_path: str
    content_type: str
    """Of an answer's stream."""
    body: Callable[[Complete, int], bytes]
    """The request body, from the question and the context window (`num_ctx`)."""
    parser: Callable[[Where], Parser]
    model_names: Callable[[bytes], tuple[str, ...]]
    """The names in the answer to `models_path`. Raises `ValueError` or `RecursionError`."""


_messages: Final = msgspec.json.Decoder(list[Message])
_tools: Final = msgspec.json.Decoder(list[ToolSpec])
_encoder: Final = msgspec.json.Encoder()
_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


class BadQuestion(ProtocolError):
    """The gateway's messages or tools are not what the contract says."""


def messages(question: Complete) -> list[Message]:
    """Return the conversation, typed. Raises `BadQuestion`."""
    try:
        return _messages.decode(question.messages)
    except (ValueError, RecursionError) as error:
        raise BadQuestion("The gateway sent a conversation that cannot be read.") from error


def _specs(raw: bytes) -> list[ToolSpec]:
    """Return the offered tools, typed; each schema is known to be a JSON object. Raises `BadQuestion`."""
    try:
        offered = _tools.decode(raw)
        for tool in offered:
            _object.decode(tool.schema)
    except (ValueError, RecursionError) as error:
        raise BadQuestion("The gateway sent tools that cannot be read.") from error
    return offered


class _Offered(msgspec.Struct, frozen=True):
    name: str
    description: str
    parameters: msgspec.Raw


class _OfferedTool(msgspec.Struct, frozen=True):
    function: _Offered
    type: str = "function"


@functools.lru_cache(maxsize=8)
def offered(tools: bytes) -> msgspec.Raw | msgspec.UnsetType:
    """Return the `tools` array of a request; unset where none are offered.

    Cached, for the tools stay the same over a session. Raises `BadQuestion`.
    """
    specs = _specs(tools)
    if not specs:
        return msgspec.UNSET
    array = _encoder.encode(
        [_OfferedTool(_Offered(spec.name, spec.description, msgspec.Raw(spec.schema.encode()))) for spec in specs]
    )
    return msgspec.Raw(array)


def object_text(arguments: str) -> str:
    """Return a past call's arguments as the text of a JSON object.

    What a model once sent malformed comes back as `{"malformed_arguments": "…"}`: providers refuse a whole
    conversation over one such call.
    """
    try:
        _object.decode(arguments or "{}")
    except (ValueError, RecursionError):
        return json.dumps({"malformed_arguments": arguments}, ensure_ascii=False)
    return arguments or "{}"


def parsed(decoder: msgspec.json.Decoder[T], document: bytes) -> T:
    """Return one document of an answer. Raises `Garbled`.

    Lone surrogates, which some servers send where they cut a character in two, become question marks.
    """
    try:
        return decoder.decode(document)
    except (ValueError, RecursionError) as error:
        if b"\\ud" not in document.lower():
            raise Garbled("The model's answer turned into something that cannot be read.") from error
    try:
        mended = json.dumps(json.loads(document), ensure_ascii=False).encode("utf-8", "replace")
        return decoder.decode(mended)
    except (ValueError, RecursionError) as error:
        raise Garbled("The model's answer turned into something that cannot be read.") from error


class Meter:
    """Counts what a model sends. Raises `AnswerTooLong` beyond the limits."""

    def __init__(self) -> None:
        self._raw = 0
        self._kept = 0

    def raw(self, data: bytes) -> None:
        """Count bytes of the stream."""
        self._raw += len(data)
        if self._raw > limits.MODEL_STREAM:
            raise AnswerTooLong("The model's answer does not end.")

    def kept(self, *texts: str | None) -> None:
        """Count the answer: text, reasoning, calls."""
        self._kept += sum(len(text.encode("utf-8", "replace")) for text in texts if text)
        if self._kept > limits.ANSWER:
            raise AnswerTooLong(f"The model's answer passed {limits.ANSWER // 2**20} MiB and was cut off.")
