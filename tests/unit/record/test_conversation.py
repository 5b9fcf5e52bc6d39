from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.recorded import call, result

from wirken.domain.conversation import ToolSpec
from wirken.domain.events import (
    AssistantMessageFact,
    AssistantToolCalls,
    Compaction,
    Fact,
    SessionClosed,
    SystemPromptSet,
    ToolsSet,
    TurnStarted,
    UserMessageFact,
)
from wirken.domain.inbox import FilesKept, KeptFile, MissingFile, told
from wirken.record.canonical import decode
from wirken.record.conversation import Conversation


def user(text: str) -> UserMessageFact:
    return UserMessageFact(text=text, principal="", sender="", sender_name="", platform_id="")


def heard(*facts: Fact) -> Conversation:
    conversation = Conversation()
    for seq, fact in enumerate(facts):
        conversation.apply(seq, fact)
    return conversation


def messages(conversation: Conversation) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(conversation.messages_json())
    return found


def said(conversation: Conversation) -> list[str]:
    return [message["content"] for message in messages(conversation)]


def test_a_user_message_counts_from_the_moment_a_turn_takes_it_up() -> None:
    assert messages(heard(user("hi"))) == []
    assert messages(heard(user("hi"), TurnStarted(message_seq=0))) == [{"role": "user", "content": "hi"}]


def test_in_a_group_the_model_reads_who_says_each_message_and_elsewhere_nothing() -> None:
    in_group = msgspec.structs.replace(user("hi\nall"), group=True, speaker="anna, user")
    assert said(heard(in_group, TurnStarted(message_seq=0))) == ["[anna, user] hi\n  all"]
    assert said(heard(user("[anna, user] hi"), TurnStarted(message_seq=0))) == ["[anna, user] hi"]


def test_where_files_came_the_model_reads_their_paths_and_which_are_missing() -> None:
    file = KeptFile("a", "image/png", 3, "0" * 64, "inbox/webchat-c/0-a")
    brought, started = msgspec.structs.replace(user("look"), files=(file,)), TurnStarted(message_seq=0)
    note = told("look", (file,), ())
    assert "inbox/webchat-c/0-a (image/png, 3 bytes)" in note
    assert said(heard(brought, FilesKept(message_seq=0, missing=()), started)) == [note]
    missing = (MissingFile(file.path, "No room."),)
    assert said(heard(brought, FilesKept(message_seq=0, missing=missing), started)) == [told("look", (file,), missing)]
    assert said(heard(brought, FilesKept(message_seq=7, missing=missing), started)) == [note]
    spoken = msgspec.structs.replace(brought, group=True, speaker="anna, user")
    assert said(heard(spoken, FilesKept(message_seq=0, missing=()), started)) == [
        told("[anna, user] look", (file,), ())
    ]


def test_a_group_message_that_was_recorded_before_speakers_were_named_is_read_as_it_was() -> None:
    stored = (
        b'{"group":true,"kind":"user_message","platform_id":"p1","principal":"anna","role":"user","sender":"7",'
        b'"sender_name":"Anna K.","seq":0,"session":"default/telegram/g","text":"hi","trust":"user","ts":1,"v":1}'
    )
    assert said(heard(decode(stored).fact, TurnStarted(message_seq=0))) == ["hi"]


def test_a_message_that_arrives_during_a_turn_waits_for_its_own() -> None:
    one = call("1")
    facts: list[Fact] = [
        user("first"),
        TurnStarted(message_seq=0),
        AssistantToolCalls(text="", calls=(one,)),
        user("second"),
        result(one, output="listing"),
        AssistantMessageFact(text="done"),
    ]
    assert said(heard(*facts)) == ["first", "", "listing", "done"]
    assert said(heard(*facts, TurnStarted(message_seq=3))) == ["first", "", "listing", "done", "second"]


def test_waiting_messages_are_taken_up_by_their_row_and_once_only() -> None:
    started = [TurnStarted(message_seq=1), TurnStarted(message_seq=1), TurnStarted(message_seq=99)]
    assert said(heard(user("a"), user("b"), *started, TurnStarted(message_seq=0))) == ["b", "a"]


def test_the_system_prompt_stands_first_and_is_replaced_not_added() -> None:
    conversation = heard(user("hi"), TurnStarted(message_seq=0), SystemPromptSet(text="A"), SystemPromptSet(text="B"))
    assert messages(conversation)[0] == {"role": "system", "content": "B"}
    assert said(conversation) == ["B", "hi"]
    assert conversation.count == 1


def test_the_tools_offered_are_the_last_list_in_full() -> None:
    assert heard().tools_json() == b"[]"
    one, two = ToolSpec("exec", "Run.", "{}"), ToolSpec("read_file", "Read.", "{}")
    conversation = heard(ToolsSet(tools=(one, two)), ToolsSet(tools=(two,)))
    assert json.loads(conversation.tools_json()) == [{"name": "read_file", "description": "Read.", "schema": "{}"}]


def test_other_facts_are_no_part_of_a_conversation() -> None:
    assert messages(heard(SessionClosed(by="owner"))) == []


def test_the_bytes_of_a_conversation_stay_the_same_as_it_grows() -> None:
    """A prompt cache hits only if what was sent before is a prefix of what is sent now."""
    conversation = Conversation()
    before = b"["
    for seq, fact in enumerate([SystemPromptSet(text="S"), user("a"), TurnStarted(message_seq=1), *TURN]):
        conversation.apply(seq, fact)
        now = conversation.messages_json()
        assert now.startswith(before)
        before = now[:-1]


TURN: list[Fact] = [AssistantToolCalls(text="", calls=(call("1"),)), result(call("1")), AssistantMessageFact(text="x")]

turns = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 3), st.integers(0, 60)), min_size=1, max_size=8)


def grown(shape: list[tuple[int, int, int]]) -> Conversation:
    """A conversation of turns, each given as the lengths of its message and answer and its number of calls."""
    facts: list[Fact] = []
    for number, (asks, calls, answers) in enumerate(shape):
        facts.append(user("u" * asks))
        facts.append(TurnStarted(message_seq=len(facts) - 1))
        made = tuple(call(f"{number}.{index}") for index in range(calls))
        if made:
            facts += [AssistantToolCalls(text="", calls=made), *(result(one, output="o" * answers) for one in made)]
        facts.append(AssistantMessageFact(text="a" * answers))
    return heard(*facts)


@given(turns, st.integers(0, 2000))
def test_a_compaction_fits_the_budget_or_keeps_the_last_turn_only_and_parts_no_call_from_its_result(
    shape: list[tuple[int, int, int]], budget: int
) -> None:
    conversation = grown(shape)
    size, count = conversation.size, conversation.count
    cut = conversation.oldest_kept_within(budget)
    if cut is None:
        assert size <= budget or len(shape) == 1
        return
    assert size > budget
    kept = conversation.count_from(cut)
    conversation.apply(10_000, Compaction(first_seq=cut, left_out=count - kept))
    left = messages(conversation)
    assert conversation.count == kept == len(left) < count
    assert left[0]["role"] == "user"
    made = [one["id"] for message in left for one in message.get("tool_calls", ())]
    assert made == [message["call_id"] for message in left if message["role"] == "tool"]
    turns_left = sum(message["role"] == "user" for message in left)
    assert conversation.size <= budget or turns_left == 1
    assert conversation.size == len(conversation.messages_json()) - 2 - (kept - 1)


@given(turns)
def test_no_more_is_left_out_than_the_budget_asks_for(shape: list[tuple[int, int, int]]) -> None:
    conversation = grown(shape)
    for turn in range(1, len(shape)):
        rest = grown(shape[turn:]).size
        cut = conversation.oldest_kept_within(rest)
        assert cut is not None
        assert conversation.count_from(cut) >= grown(shape[turn:]).count


@pytest.mark.parametrize(("less", "turns_left"), [(0, 2), (1, 1)])
def test_a_budget_is_met_to_the_byte(less: int, turns_left: int) -> None:
    conversation = grown([(5, 1, 5), (6, 1, 6), (7, 0, 7)])
    last_two = conversation.size - grown([(5, 1, 5)]).size
    cut = conversation.oldest_kept_within(last_two - less)
    assert cut is not None
    conversation.apply(99, Compaction(first_seq=cut, left_out=0))
    assert sum(message["role"] == "user" for message in messages(conversation)) == turns_left


def test_nothing_is_cut_from_what_fits_exactly_or_has_one_turn_only() -> None:
    conversation = grown([(5, 1, 5), (6, 1, 6)])
    assert conversation.oldest_kept_within(conversation.size) is None
    assert conversation.oldest_kept_within(conversation.size - 1) is not None
    assert grown([(500, 3, 500)]).oldest_kept_within(10) is None
    assert Conversation().oldest_kept_within(0) is None
