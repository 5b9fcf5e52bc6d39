from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import fake_openai
from tests.support.outbound import EXEC, question

from wirken.domain import limits
from wirken.domain.actions import ToolCall
from wirken.domain.conversation import (
    AssistantMessage,
    CallProposed,
    Completed,
    ModelEvent,
    SystemMessage,
    TextDelta,
    ToolMessage,
    ToolSpec,
    UserMessage,
)
from wirken.domain.ids import CallId
from wirken.outbound.failures import (
    AnswerTooLong,
    BrokenStream,
    ContextTooLong,
    Garbled,
    ModelFailure,
    ProviderTrouble,
    Where,
)
from wirken.outbound.openai_chat import Parser, body, model_names
from wirken.outbound.wire import BadQuestion

WHERE = Where("it", "openai", "http://127.0.0.1", "gpt-test")
ANSWER = fake_openai.Answer(
    pieces=("Grüße ", "😀", " – done"),
    calls=(("call_a", "exec", '{"command":"echo ü😀"}'), ("call_b", "read_file", '{"path":"a b"}')),
    fragment=3,
    reasoning="hidden thought",
)


def read(*parts: bytes) -> list[ModelEvent]:
    parser = Parser(WHERE)
    return [event for part in parts for event in parser.feed(part)] + parser.finish()


def merged(events: list[ModelEvent]) -> tuple[str, list[ModelEvent]]:
    text = "".join(event.text for event in events if isinstance(event, TextDelta))
    return text, [event for event in events if not isinstance(event, TextDelta)]


def chunks(*deltas: object, finish: str | None = "stop") -> bytes:
    documents = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    documents.append({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    return b"".join(b"data: " + json.dumps(document).encode() + b"\n\n" for document in documents)


STREAM = b"".join(fake_openai.events(ANSWER))


def test_text_calls_and_usage_are_read_and_reasoning_is_not_shown() -> None:
    text, rest = merged(read(STREAM))
    assert text == "Grüße 😀 – done"
    assert rest == [
        CallProposed("call_a", "exec", '{"command":"echo ü😀"}'),
        CallProposed("call_b", "read_file", '{"path":"a b"}'),
        Completed("tool_calls", 11, 7),
    ]


@given(st.lists(st.integers(0, len(STREAM)), max_size=30))
def test_any_split_of_the_stream_gives_the_same_events(cuts: list[int]) -> None:
    places = sorted({0, len(STREAM), *cuts})
    assert read(*(STREAM[a:b] for a, b in pairwise(places))) == read(STREAM)


def test_byte_by_byte_gives_the_same_events() -> None:
    assert read(*(STREAM[at : at + 1] for at in range(len(STREAM)))) == read(STREAM)


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda raw: b"data: " + raw + b"\n\n"))
def test_hostile_bytes_end_in_a_failure_of_ours(raw: bytes) -> None:
    try:
        assert isinstance(read(raw)[-1], Completed)  # Hypothesis does find `data:[DONE]`
    except ModelFailure:
        return


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["choices", "delta", "content", "tool_calls", "function", "index", "id", "usage", "error"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(_JSON)
def test_hostile_documents_never_crash(document: object) -> None:
    try:
        read(b"data: " + json.dumps(document).encode() + b"\n\ndata: [DONE]\n\n")
    except ModelFailure:
        return


def test_deeply_nested_documents_never_crash() -> None:
    with pytest.raises(Garbled):
        read(b'data: {"x":' + b"[" * 100_000 + b"\n\n")


def test_malformed_arguments_pass_through_as_text() -> None:
    call = {"index": 0, "id": "c", "function": {"name": "exec", "arguments": '{"command": "tru'}}
    assert CallProposed("c", "exec", '{"command": "tru') in read(chunks({"tool_calls": [call]}, finish="length"))


def test_calls_without_index_are_told_apart_by_id_or_name() -> None:
    by_id = [{"id": name, "function": {"name": "exec", "arguments": "{}"}} for name in ("a", "b")]
    by_name = [{"function": {"name": name, "arguments": "{}"}} for name in ("exec", "list_files")]
    same_index = [{"index": 0, **call} for call in by_id]
    for calls in (by_id, same_index):
        assert [event for event in read(chunks({"tool_calls": calls})) if isinstance(event, CallProposed)] == [
            CallProposed("a", "exec", "{}"),
            CallProposed("b", "exec", "{}"),
        ]
    named = [event for event in read(chunks({"tool_calls": by_name})) if isinstance(event, CallProposed)]
    assert [call.name for call in named] == ["exec", "list_files"]


def test_interleaved_fragments_are_put_together_by_index() -> None:
    def piece(index: int, text: str, call: str | None = None) -> dict[str, object]:
        return {"tool_calls": [{"index": index, "id": call, "function": {"arguments": text}}]}

    events = read(chunks(piece(0, '{"a"', "x"), piece(1, '{"b"', "y"), piece(0, ":1}"), piece(1, ":2}")))
    assert [event.arguments for event in events if isinstance(event, CallProposed)] == ['{"a":1}', '{"b":2}']


def test_content_in_parts_counts_only_text_parts() -> None:
    content = [{"type": "thinking", "thinking": "no"}, {"type": "text", "text": "yes"}]
    assert merged(read(chunks({"content": content})))[0] == "yes"


def test_a_refusal_is_text() -> None:
    assert merged(read(chunks({"refusal": "I will not."})))[0] == "I will not."


def test_usage_that_is_not_told_is_minus_one() -> None:
    assert read(chunks({"content": "x"}) + b"data: [DONE]\n\n")[-1] == Completed("stop", -1, -1)


@pytest.mark.parametrize(
    ("details", "cached"), [({"cached_tokens": 3}, 3), ({"cached_tokens": None}, -1), ({}, -1), (None, -1)]
)
def test_tokens_that_the_provider_had_already_read_are_told_apart(details: object, cached: int) -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 7, "prompt_tokens_details": details}
    stream = b"data: " + json.dumps({"choices": [], "usage": usage}).encode() + b"\n\n"
    assert read(chunks({"content": "x"}) + stream + b"data: [DONE]\n\n")[-1] == Completed("stop", 5, 7, cached)


def test_a_finish_reason_without_done_is_enough() -> None:
    assert read(chunks({"content": "x"}))[-1] == Completed("stop", -1, -1)


def test_an_answer_that_breaks_off_is_a_failure() -> None:
    with pytest.raises(BrokenStream):
        read(chunks({"content": "x"}, finish=None))


def test_an_error_inside_the_stream_is_told() -> None:
    with pytest.raises(ProviderTrouble, match="engine overloaded"):
        read(b'data: {"error":{"message":"engine overloaded","code":null}}\n\n')
    with pytest.raises(ContextTooLong):
        read(b'data: {"error":{"message":"no","code":"context_length_exceeded"}}\n\n')


def test_half_a_surrogate_pair_does_not_end_the_answer() -> None:
    raw = b'data: {"choices":[{"index":0,"delta":{"content":"a\\ud83d"}}]}\n\n' + chunks({"content": "b"})
    assert merged(read(raw))[0] == "a?b"


@pytest.mark.parametrize("field", ["content", "reasoning_content"])
def test_an_answer_without_end_is_cut(field: str) -> None:
    parser = Parser(WHERE)
    piece = chunks({field: "x" * 10_000}, finish=None)
    with pytest.raises(AnswerTooLong):
        for _ in range(limits.ANSWER // 10_000 + 2):
            parser.feed(piece)


def test_a_flood_of_calls_is_cut() -> None:
    calls = [{"index": at, "id": str(at), "function": {"name": "exec"}} for at in range(limits.MODEL_CALLS + 1)]
    with pytest.raises(AnswerTooLong):
        read(chunks({"tool_calls": calls}))


def test_endless_comments_are_cut() -> None:
    parser = Parser(WHERE)
    block = b": keep-alive\n" * 80_000
    with pytest.raises(AnswerTooLong):
        for _ in range(limits.MODEL_STREAM // len(block) + 2):
            parser.feed(block)


def test_the_request_holds_the_whole_conversation() -> None:
    call = ToolCall(CallId("c1"), "exec", '{"command":"ls"}')
    broken = ToolCall(CallId("c2"), "exec", '{"command":')
    sent = json.loads(
        body(
            question(
                [
                    SystemMessage("be kind"),
                    UserMessage("hi"),
                    AssistantMessage("", (call, broken)),
                    ToolMessage("c1", "exec", "a.txt"),
                    ToolMessage("c2", "exec", "not JSON"),
                    AssistantMessage("done"),
                ]
            ),
            8192,
        )
    )
    assert sent["stream"] is True
    assert sent["stream_options"] == {"include_usage": True}
    assert sent["tools"][0]["function"]["parameters"] == json.loads(EXEC.schema)
    roles = [message["role"] for message in sent["messages"]]
    assert roles == ["system", "user", "assistant", "tool", "tool", "assistant"]
    assert sent["messages"][2]["content"] is None
    malformed = json.loads(sent["messages"][2]["tool_calls"][1]["function"]["arguments"])
    assert malformed == {"malformed_arguments": '{"command":'}
    assert sent["messages"][3] == {"role": "tool", "tool_call_id": "c1", "content": "a.txt"}
    assert fake_openai.complaint(json.dumps(sent).encode(), ("gpt-test",)) is None


def test_no_tools_means_no_such_key() -> None:
    assert "tools" not in json.loads(body(question(tools=()), 8192))


@pytest.mark.parametrize("schema", ["", "[]", '{"a":', '{}},"stream":false,"x":{"y":{}'])
def test_a_schema_that_is_no_object_cannot_bend_the_request(schema: str) -> None:
    with pytest.raises(BadQuestion):
        body(question(tools=[ToolSpec("x", "y", schema)]), 8192)


def test_model_names_are_read() -> None:
    assert model_names(b'{"data":[{"id":"a"},{"id":"b"}]}') == ("a", "b")
