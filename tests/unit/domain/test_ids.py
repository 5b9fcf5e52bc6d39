from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirken.domain.ids import (
    DEFAULT_AGENT,
    OPERATIONS,
    TERMINAL,
    WEBCHAT,
    AgentId,
    BadIdentifier,
    agent_id,
    channel_id,
    conversation_id,
    parse_session,
    session_id,
)

names = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,63}", fullmatch=True)
conversations = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:@+=-]{0,127}", fullmatch=True).filter(str.isascii)


@given(names, names, conversations)
def test_a_session_id_reads_back_as_its_three_parts(agent: str, channel: str, conversation: str) -> None:
    session = session_id(agent_id(agent), channel_id(channel), conversation_id(conversation))
    assert session == f"{agent}/{channel}/{conversation}"
    assert parse_session(session) == (agent, channel, conversation)


@pytest.mark.parametrize("name", ["a", "0", "a" * 64, "my-agent_2"])
def test_names_of_small_letters_digits_and_signs_are_taken(name: str) -> None:
    assert agent_id(name) == str(channel_id(name)) == name


@pytest.mark.parametrize(
    "name", ["", "a" * 65, "-a", "_a", "A", "a b", "a/b", "..", "a\n", "a\0", "é", "a.b", "a#sub-1", "\u0430"]
)
def test_anything_else_is_no_name(name: str) -> None:
    for read in (agent_id, channel_id):
        with pytest.raises(BadIdentifier):
            read(name)


@pytest.mark.parametrize("text", ["", ".", "..", ".hidden", "-x", "a/b", "a b", "a\n", "a\0b", "a" * 129, "é", "a#b"])
def test_a_conversation_cannot_climb_hide_or_break_a_line(text: str) -> None:
    with pytest.raises(BadIdentifier):
        conversation_id(text)


@given(st.text())
def test_any_text_is_a_name_of_the_documented_form_or_refused(text: str) -> None:
    try:
        assert re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", agent_id(text), re.ASCII)
    except BadIdentifier as error:
        assert str(error) == "This agent name cannot be used."
        assert error.advice


@given(st.text(st.characters() | st.sampled_from("a/"), max_size=20))
def test_any_text_is_a_session_or_refused(text: str) -> None:
    try:
        assert session_id(*parse_session(text)) == text
    except BadIdentifier as error:
        assert error.exit_code == 64


@pytest.mark.parametrize("text", ["", "a", "a/b", "a/b/c/d", "/b/c", "a//c", "a/b/", "a/b/c#sub-1"])
def test_a_session_has_exactly_three_parts(text: str) -> None:
    with pytest.raises(BadIdentifier):
        parse_session(text)


def test_the_fixed_names_have_the_form_of_the_others() -> None:
    assert parse_session(OPERATIONS) == ("gateway", "operations", "log")
    assert agent_id(DEFAULT_AGENT) == AgentId("default")
    assert (channel_id(WEBCHAT), channel_id(TERMINAL)) == ("webchat", "terminal")
