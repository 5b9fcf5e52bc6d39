from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.values import struct_of

from wirken.domain.actions import ToolCall
from wirken.domain.conversation import (
    AssistantMessage,
    CallProposed,
    Completed,
    Message,
    ModelEvent,
    SystemMessage,
    TextDelta,
    ToolMessage,
    ToolSpec,
    UserMessage,
)
from wirken.domain.ids import CallId

messages = st.sampled_from([SystemMessage, UserMessage, AssistantMessage, ToolMessage]).flatmap(struct_of)
events = st.sampled_from([TextDelta, CallProposed, Completed]).flatmap(struct_of)


@given(messages)
def test_a_message_reads_back_by_its_role(message: Message) -> None:
    assert msgspec.json.decode(msgspec.json.encode(message), type=Message) == message


@given(events)
def test_a_model_event_reads_back_by_its_tag(event: ModelEvent) -> None:
    raw = msgspec.msgpack.encode(event)
    assert msgspec.msgpack.decode(raw, type=ModelEvent) == event


@pytest.mark.parametrize(
    ("message", "shape"),
    [
        (SystemMessage("s"), {"role": "system", "content": "s"}),
        (UserMessage("u"), {"role": "user", "content": "u"}),
        (AssistantMessage("a"), {"role": "assistant", "content": "a"}),
        (
            AssistantMessage("", (ToolCall(CallId("1"), "exec", "{}"),)),
            {"role": "assistant", "content": "", "tool_calls": [{"id": "1", "name": "exec", "arguments": "{}"}]},
        ),
        (ToolMessage("1", "exec", "out"), {"role": "tool", "call_id": "1", "name": "exec", "content": "out"}),
        (ToolSpec("exec", "runs", "{}"), {"name": "exec", "description": "runs", "schema": "{}"}),
    ],
)
def test_the_shapes_whose_bytes_are_hashed_do_not_change(message: msgspec.Struct, shape: dict[str, object]) -> None:
    assert json.loads(msgspec.json.encode(message)) == shape
