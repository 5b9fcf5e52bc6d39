from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import fake_ollama
from tests.support.outbound import EXEC, question

from wirken.domain import limits
from wirken.domain.actions import ToolCall
from wirken.domain.conversation import (
    AssistantMessage,
    CallProposed,
    Completed,
    Message,
    ModelEvent,
    TextDelta,
    ToolMessage,
    UserMessage,
)
from wirken.domain.ids import CallId
from wirken.outbound.failures import AnswerTooLong, BrokenStream, ModelFailure, NotEnoughMemory, Where
from wirken.outbound.ollama_chat import Parser, body, model_names

WHERE = Where("it", "ollama", "http://127.0.0.1", "llama3.2:3b")
ANSWER = fake_ollama.Answer(
    pieces=("Grüße ", "😀"), calls=(("exec", '{"command": "echo 😀"}'), ("list_files", "{}")), thinking="hm"
)
STREAM = b"".join(fake_ollama.lines(ANSWER))


def read(*parts: bytes) -> list[ModelEvent]:
    parser = Parser(WHERE)
    return [event for part in parts for event in parser.feed(part)] + parser.finish()


def test_text_calls_and_counts_are_read_and_thinking_is_not_shown() -> None:
    events = read(STREAM)
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "Grüße 😀"
    first, second = (event for event in events if isinstance(event, CallProposed))
    assert (first.id, first.name, json.loads(first.arguments)) == ("", "exec", {"command": "echo 😀"})
    assert second == CallProposed("", "list_files", "{}")
    assert events[-1] == Completed("tool_calls", 26, 8)


@given(st.lists(st.integers(0, len(STREAM)), max_size=30))
def test_any_split_of_the_stream_gives_the_same_events(cuts: list[int]) -> None:
    places = sorted({0, len(STREAM), *cuts})
    assert read(*(STREAM[a:b] for a, b in pairwise(places))) == read(STREAM)


@given(st.binary(max_size=200))
def test_hostile_bytes_end_in_a_failure_of_ours(raw: bytes) -> None:
    with pytest.raises(ModelFailure):
        read(raw)


def test_ids_of_recent_versions_are_kept_and_text_arguments_pass_through() -> None:
    call = {"id": "call_1", "function": {"name": "exec", "arguments": '{"command":'}}
    events = read(json.dumps({"message": {"tool_calls": [call]}, "done": True}).encode())
    assert events[0] == CallProposed("call_1", "exec", '{"command":')
    assert events[1] == Completed("tool_calls", -1, -1)


def test_arguments_keep_the_bytes_that_were_sent() -> None:
    raw = b'{"message":{"tool_calls":[{"function":{"name":"x","arguments":{"a": 1.50, "a":2}}}]},"done":true}'
    assert read(raw)[0] == CallProposed("", "x", '{"a": 1.50, "a":2}')


def test_an_answer_that_breaks_off_is_a_failure() -> None:
    with pytest.raises(BrokenStream):
        read(*fake_ollama.lines(ANSWER)[:-1])


def test_an_error_inside_the_stream_is_told() -> None:
    with pytest.raises(NotEnoughMemory):
        read(b'{"error":"model requires more system memory (9 GiB) than is available"}\n')


def test_an_answer_without_end_is_cut() -> None:
    line = json.dumps({"message": {"content": "x" * 10_000}}).encode() + b"\n"
    parser = Parser(WHERE)
    with pytest.raises(AnswerTooLong):
        for _ in range(limits.ANSWER // 10_000 + 2):
            parser.feed(line)


def test_the_request_always_carries_the_context_window() -> None:
    assert json.loads(body(question(model="m"), 4096))["options"] == {"num_ctx": 4096}


def test_the_request_has_objects_as_arguments_and_tool_names() -> None:
    calls = (ToolCall(CallId("1"), "exec", '{"command":"ls"}'), ToolCall(CallId("2"), "exec", "ls -la"))
    messages: list[Message] = [
        UserMessage("hi"),
        AssistantMessage("", calls),
        ToolMessage("1", "exec", "a.txt"),
    ]
    sent = json.loads(body(question(messages), 8192))
    assert sent["messages"][1]["tool_calls"] == [
        {"function": {"name": "exec", "arguments": {"command": "ls"}}},
        {"function": {"name": "exec", "arguments": {"malformed_arguments": "ls -la"}}},
    ]
    assert sent["messages"][2] == {"role": "tool", "tool_name": "exec", "content": "a.txt"}
    assert sent["tools"][0]["function"]["parameters"] == json.loads(EXEC.schema)


def test_model_names_are_read() -> None:
    assert model_names(b'{"models":[{"name":"a:1","size":2}]}') == ("a:1",)
