"""Ask the model once, through the outbound process, and collect what it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from wirken.domain import limits
from wirken.domain.conversation import CallProposed, Completed, ModelEvent, TextDelta
from wirken.domain.errors import ProtocolError
from wirken.domain.ids import RoleName
from wirken.domain.text import brief, clean
from wirken.gateway.agent.seat import Seat
from wirken.gateway.wings import Wings
from wirken.ipc.calls.outbound import Complete, CompletionEnd

OUTBOUND = RoleName("outbound")
_events: msgspec.msgpack.Decoder[ModelEvent] = msgspec.msgpack.Decoder(ModelEvent)


@dataclass(slots=True)
class Answer:
    """One answer, within the limits. `error` is empty, or one sentence; text and calls are what came before it."""

    text: str = ""
    calls: list[CallProposed] = field(default_factory=list)
    completed: Completed = field(default_factory=lambda: Completed("", -1, -1))
    error: str = ""


async def ask_model(wings: Wings, seat: Seat, messages: bytes, tools: bytes, on_text: Callable[[str], None]) -> Answer:
    """Return the model's whole answer; `on_text` gets its text as it comes.

    Raises `LinkLost` when the outbound process went away, `Unavailable` when it does not come back.
    """
    answer = Answer()
    pieces: list[str] = []
    size = 0

    def take(body: bytes) -> None:
        nonlocal size
        event = _event(body)
        match event:
            case TextDelta(text=text):
                size += len(text.encode("utf-8", "replace"))
                if size <= limits.ANSWER and text:
                    pieces.append(clean(text))
                    on_text(pieces[-1])
            case CallProposed():
                size += len(event.arguments.encode("utf-8", "replace"))
                if size <= limits.ANSWER and len(answer.calls) <= limits.TOOL_CALLS:
                    answer.calls.append(_bounded_call(event))
            case Completed():
                answer.completed = _bounded_end(event)

    link = await wings.get(OUTBOUND)
    question = Complete(seat.provider, seat.model, messages, tools)
    end = await link.stream(question, take, CompletionEnd)
    answer.text = "".join(pieces)
    answer.error = brief(end.error)
    if not end.error and size > limits.ANSWER:
        answer.error = f"The model's answer passed {limits.ANSWER} bytes and was dropped."
    return answer


def _bounded_call(call: CallProposed) -> CallProposed:
    return CallProposed("", clean(call.name)[: limits.TOOL_NAME], clean(call.arguments))


def _bounded_end(end: Completed) -> Completed:
    return Completed(
        clean(end.stop_reason)[: limits.STOP_REASON],
        _tokens(end.input_tokens),
        _tokens(end.output_tokens),
        _tokens(end.cached_tokens),
    )


def _tokens(count: int) -> int:
    """Return a count that the record can hold; -1, as where none was told, for any other."""
    return count if 0 <= count < limits.ROW_NUMBER else -1


def _event(body: bytes) -> ModelEvent:
    try:
        return _events.decode(body)
    except msgspec.DecodeError as error:
        raise ProtocolError("The outbound process sent something unknown.") from error
