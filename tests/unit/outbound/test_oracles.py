"""The vendors' own SDKs as oracle: same conversation, same request; same bytes, same answer."""

from __future__ import annotations

import json
from typing import cast

import ollama
import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolUnionParam
from tests.support import fake_ollama, fake_openai
from tests.support.fake_ollama import FakeOllama
from tests.support.fake_openai import FakeOpenAI
from tests.support.outbound import EXEC, KEY, ask, question

from wirken.domain.actions import ToolCall
from wirken.domain.conversation import AssistantMessage, Message, SystemMessage, ToolMessage, UserMessage
from wirken.domain.ids import CallId

CALL = ToolCall(CallId("call_1"), "exec", '{"command":"ls ü"}')
CONVERSATION: list[Message] = [
    SystemMessage("Be brief."),
    UserMessage("What is here? 😀"),
    AssistantMessage("Let me see.", (CALL,)),
    ToolMessage("call_1", "exec", "a.txt\nb.txt"),
    AssistantMessage("Two files."),
    UserMessage("Thanks. And now?"),
]
TOOL = {
    "type": "function",
    "function": {"name": EXEC.name, "description": EXEC.description, "parameters": json.loads(EXEC.schema)},
}


def openai_messages() -> list[ChatCompletionMessageParam]:
    """Return the conversation as the SDK's documentation writes it."""
    function = {"name": "exec", "arguments": CALL.arguments}
    written: list[dict[str, object]] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is here? 😀"},
        {
            "role": "assistant",
            "content": "Let me see.",
            "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "a.txt\nb.txt"},
        {"role": "assistant", "content": "Two files."},
        {"role": "user", "content": "Thanks. And now?"},
    ]
    return cast(list[ChatCompletionMessageParam], written)


OPENAI_ANSWERS = [
    fake_openai.Answer(),
    fake_openai.Answer(pieces=("Grüße ", "😀"), usage=None),
    fake_openai.Answer(pieces=(), calls=(("c1", "exec", '{"command":"a"}'), ("c2", "exec", '{"command":')), fragment=2),
    fake_openai.Answer(pieces=("cut",), finish="length"),
    fake_openai.Answer(reasoning="hidden", pieces=("shown",)),
]


@pytest.mark.parametrize("answer", OPENAI_ANSWERS)
async def test_the_openai_sdk_sends_and_reads_the_same(answer: fake_openai.Answer) -> None:
    async with FakeOpenAI([answer, answer], key=KEY) as fake:
        end, heard = await ask("openai", fake.base_url, question(CONVERSATION), credential="it-key")
        text, calls, finish, usage = await _openai_sdk(fake.base_url)
    assert not end.error
    ours, theirs = fake.requests
    assert json.loads(ours.body) == json.loads(theirs.body)
    for header in ("authorization", "content-type"):
        assert ours.headers[header] == theirs.headers[header]
    assert (ours.method, ours.path) == (theirs.method, theirs.path)
    assert heard.text == text
    assert [(call.id, call.name, call.arguments) for call in heard.calls] == calls
    assert heard.completed is not None
    assert heard.completed.stop_reason == finish
    assert (heard.completed.input_tokens, heard.completed.output_tokens) == usage


async def _openai_sdk(base_url: str) -> tuple[str, list[tuple[str, str, str]], str, tuple[int, int]]:
    """Ask with the SDK; return text, calls, finish reason and usage."""
    text, finish, usage = "", "", (-1, -1)
    calls: dict[int, tuple[str, str, str]] = {}
    async with openai.AsyncOpenAI(api_key=KEY, base_url=base_url, max_retries=0) as client:
        stream = await client.chat.completions.create(
            model=fake_openai.MODEL,
            messages=openai_messages(),
            tools=[cast(ChatCompletionToolUnionParam, TOOL)],
            stream=True,
            stream_options={"include_usage": True},
        )
        async for chunk in stream:
            if chunk.usage is not None:
                usage = (chunk.usage.prompt_tokens, chunk.usage.completion_tokens)
            for choice in chunk.choices:
                text += choice.delta.content or ""
                finish = choice.finish_reason or finish
                for piece in choice.delta.tool_calls or ():
                    known = calls.get(piece.index, ("", "", ""))
                    function = piece.function
                    calls[piece.index] = (
                        known[0] or piece.id or "",
                        known[1] + ((function.name or "") if function else ""),
                        known[2] + ((function.arguments or "") if function else ""),
                    )
    return text, [calls[index] for index in sorted(calls)], finish, usage


OLLAMA_ANSWERS = [
    fake_ollama.Answer(),
    fake_ollama.Answer(pieces=("Grüße ", "😀"), thinking="hidden", reason="length"),
    fake_ollama.Answer(pieces=(), calls=(("exec", '{"command": "ls"}'), ("list_files", "{}"))),
]


@pytest.mark.parametrize("answer", OLLAMA_ANSWERS)
async def test_the_ollama_sdk_sends_and_reads_the_same(answer: fake_ollama.Answer) -> None:
    async with FakeOllama([answer, answer]) as fake:
        end, heard = await ask("ollama", fake.base_url, question(CONVERSATION, model=fake_ollama.MODEL))
        text, calls, finish, counts = await _ollama_sdk(fake.base_url)
    assert not end.error
    ours, theirs = fake.requests
    assert json.loads(ours.body) == json.loads(theirs.body)
    assert (ours.method, ours.path) == (theirs.method, theirs.path)
    assert heard.text == text
    assert [(call.name, json.loads(call.arguments)) for call in heard.calls] == calls
    assert heard.completed is not None
    assert heard.completed.stop_reason == ("tool_calls" if calls else finish)
    assert (heard.completed.input_tokens, heard.completed.output_tokens) == counts


async def _ollama_sdk(url: str) -> tuple[str, list[tuple[str, object]], str, tuple[int, int]]:
    """Ask with the SDK; return text, calls, done reason and counts."""
    text, finish, counts = "", "", (-1, -1)
    calls: list[tuple[str, object]] = []
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is here? 😀"},
        {
            "role": "assistant",
            "content": "Let me see.",
            "tool_calls": [{"function": {"name": "exec", "arguments": {"command": "ls ü"}}}],
        },
        {"role": "tool", "tool_name": "exec", "content": "a.txt\nb.txt"},
        {"role": "assistant", "content": "Two files."},
        {"role": "user", "content": "Thanks. And now?"},
    ]
    client = ollama.AsyncClient(host=url)
    stream = await client.chat(
        model=fake_ollama.MODEL,
        messages=cast(list[dict[str, object]], messages),
        tools=[cast(dict[str, object], TOOL)],
        stream=True,
        options={"num_ctx": 8192},
    )
    async for piece in stream:
        text += piece.message.content or ""
        calls += [(call.function.name, dict(call.function.arguments)) for call in piece.message.tool_calls or ()]
        finish = piece.done_reason or finish
        if piece.done:
            counts = (piece.prompt_eval_count or -1, piece.eval_count or -1)
    await client._client.aclose()
    return text, calls, finish, counts
