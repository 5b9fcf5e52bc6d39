from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.slack_state import escaped

from wirken.channels.contract import Received, Undeliverable
from wirken.channels.slack_convert import (
    Me,
    Place,
    buttons,
    client_id,
    handle,
    own_message,
    place,
    plain,
    press,
    received,
    said,
    sections,
)
from wirken.channels.slack_types import Event, Events, Interaction, Nonsense, decoded
from wirken.domain import channel_limits as limits
from wirken.domain.platforms import Slack

ME = Me("U0WIRKEN00", "!ai")


def event(**fields: object) -> Event:
    known = {"type": "message", "channel": "D0ALICE000", "user": "U0ALICE000", "ts": "1.1", "text": "", **fields}
    return decoded(json.dumps({"event": known}), Events).event


def got(**fields: object) -> Received[Slack] | None:
    came = event(**fields)
    message = said(came)
    return received(came, message, ME) if message is not None else None


@pytest.mark.parametrize(
    ("wire", "read"),
    [
        ("a &lt;b&gt; &amp;amp; c", "a <b> &amp; c"),
        ("<@U123|bob> and <@U124>", "@bob and @U124"),
        ("<#C1|general> <#C2>", "#general #C2"),
        ("<!here> <!subteam^S1|@team> <!subteam^S2>", "@here @team @subteam"),
        ("<!date^1392734382^{date}|Feb 18>", "Feb 18"),
        ("<https://a.example/?x=1&amp;y=2>", "https://a.example/?x=1&y=2"),
        ("<http://a.example|a.example>", "http://a.example"),
        ("<https://evil.example|bank.example>", "bank.example (https://evil.example)"),
        ("<mailto:a@b.example|a@b.example>", "a@b.example"),
        ("<> < >", "  "),
        ("&lt;@U0WIRKEN00&gt;", "<@U0WIRKEN00>"),
    ],
)
def test_slacks_text_reads_as_it_is_shown(wire: str, read: str) -> None:
    assert plain(wire).strip() == read.strip()


@given(st.text())
def test_whatever_somebody_types_reads_as_typed(text: str) -> None:
    assert plain(escaped(text)) == text


@pytest.mark.parametrize(
    ("text", "heard", "called"),
    [
        ("<@U0WIRKEN00> hello", "hello", True),
        ("<@U0WIRKEN00|wirken>, hello", "hello", True),
        ("<@U0WIRKEN00>", "/help", True),
        ("<@U0WIRKEN00> /status", "/status", True),
        ("!ai hello", "hello", True),
        ("!ai", "/help", True),
        ("!air hello", "!air hello", False),
        ("<@U0WIRKEN001> hello", "@U0WIRKEN001 hello", False),
        ("&lt;@U0WIRKEN00&gt; hello", "<@U0WIRKEN00> hello", False),
    ],
)
def test_in_a_channel_it_counts_who_names_the_bot(text: str, heard: str, called: bool) -> None:
    came = got(channel="C1", text=text)
    assert came is not None and (came.text, came.mentioned, came.group) == (heard, called, True)


def test_an_empty_message_says_nothing() -> None:
    assert got(text="") is None and got(text="   ") is None


def test_a_thread_in_a_channel_is_what_a_message_begins_or_stands_in() -> None:
    for fields, conversation in (
        ({"channel": "C1"}, "C1:1.1"),
        ({"channel": "C1", "thread_ts": "0.5"}, "C1:0.5"),
        ({"channel": "D1"}, "D1"),
        ({"channel": "D1", "thread_ts": "0.5"}, "D1:0.5"),
    ):
        came = got(text="x", **fields)
        assert came is not None and came.conversation.conversation == conversation
        assert handle(place(came.conversation)) == came.conversation


def test_who_begins_the_text_with_another_bots_thread_is_not_the_bots() -> None:
    assert not (got(channel="C1", text="x", thread_ts="0.5", parent_user_id="U1") or pytest.fail()).mentioned
    assert (got(channel="C1", text="x", thread_ts="0.5", parent_user_id=ME.user) or pytest.fail()).mentioned


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("a" * limits.SLACK_FILE_NAME, "a" * limits.SLACK_FILE_NAME),
        ("b" + "a" * limits.SLACK_FILE_NAME, "a" * limits.SLACK_FILE_NAME),
        ("..\\..\\x", "x"),
        ("../..", "file"),
        (None, "file"),
    ],
)
def test_a_files_name_is_its_last_part_and_not_too_long(name: str | None, kept: str) -> None:
    came = got(files=[{"id": "F1", "name": name, "size": None, "mimetype": None}])
    assert came is not None and came.files[0].name == kept and came.files[0].size == -1


def test_what_is_gone_or_elsewhere_is_no_file() -> None:
    gone = [
        {"id": "F1", "mode": "tombstone"},
        {"id": "F2", "mode": "hidden_by_limit"},
        {"id": "F3", "mode": "external"},
    ]
    came = got(text="x", files=gone)
    assert came is not None and came.files == () and came.text == "x\n[File elsewhere:  ]"


@pytest.mark.parametrize(
    "fields",
    [
        {"channel": "C" + "1" * 25},
        {"channel": "C1\n"},
        {"channel": "c1"},
        {"user": "../x"},
        {"user": "U1 "},
        {"ts": "1"},
        {"ts": "1.1;"},
        {"thread_ts": "1.1/.."},
        {"text": 5},
        {"files": [{"id": "../F1"}]},
    ],
)
def test_hostile_ids_are_nonsense(fields: dict[str, object]) -> None:
    with pytest.raises(Nonsense):
        event(**fields)


@given(st.text(max_size=200))
def test_no_text_is_mistaken_for_a_place_or_a_message(text: str) -> None:
    try:
        own = own_message(text)
    except Undeliverable:
        return
    assert str(own) == text


def test_a_button_of_every_choice_comes_back_as_that_choice() -> None:
    block = buttons("appr-1", ("once", "session", "30d", "deny"))
    elements = block["elements"]
    assert isinstance(elements, list)
    for element in elements:
        told = {
            "type": "block_actions",
            "user": {"id": "U1"},
            "container": {"channel_id": "C1", "message_ts": "2.2", "thread_ts": "1.1"},
            "actions": [element],
        }
        pressed = press(decoded(json.dumps(told), Interaction))
        assert pressed is not None and pressed.approval == "appr-1" and pressed.message_id == "C1:2.2"
        assert element["action_id"] == f"wirken-{pressed.choice}"
        assert pressed.conversation.conversation == "C1:1.1"
        assert press(decoded(json.dumps({**told, "type": "view_submission"}), Interaction)) is None
        assert press(decoded(json.dumps({**told, "actions": [element, element]}), Interaction)) is None


def test_a_section_ends_where_slack_takes_no_more() -> None:
    size = limits.SLACK_SECTION
    assert [len(sections("x" * count)) for count in (size, size + 1)] == [1, 2]


def test_a_key_has_one_client_id_of_the_right_form() -> None:
    assert client_id("k") == client_id("k") != client_id("l")
    assert [len(part) for part in client_id("k").split("-")] == [8, 4, 4, 4, 12]


def test_a_place_of_another_platform_is_refused() -> None:
    assert place(handle(Place("C1", "1.1"))) == Place("C1", "1.1")
