from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.telegram_people import entities

from wirken.channels.contract import Press, Received, Undeliverable
from wirken.channels.telegram_convert import (
    MessageId,
    Place,
    button,
    handle,
    message_id,
    place,
    press,
    received,
    unmentioned,
)
from wirken.channels.telegram_types import CallbackQuery, Entity, Message, User
from wirken.domain import channel_limits as limits
from wirken.domain.ids import ConversationId
from wirken.domain.people import sender_id
from wirken.domain.platforms import SessionHandle, Telegram

ME = User(42, is_bot=True, first_name="Wirken", username="wirken_bot")
ALICE = {"id": 111, "is_bot": False, "first_name": "Alice", "last_name": "Liddell"}
GROUP = {"id": -1001234, "type": "supergroup", "title": "Tea"}


def message(**fields: object) -> Message:
    whole = {"message_id": 9, "date": 1, "chat": {"id": 111, "type": "private"}, "from": ALICE, **fields}
    return msgspec.convert(whole, Message)


def said(prefix: str = "", *, edited: bool = False, **fields: Any) -> Received[Telegram]:
    found = received(message(**fields), ME, prefix, edited=edited)
    assert found is not None
    return found


def in_group(text: str, prefix: str = "", **fields: Any) -> Received[Telegram]:
    return said(prefix, chat=GROUP, text=text, entities=entities(text), **fields)


# --- where ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "text"),
    [(Place(111), "111"), (Place(-5), "g5"), (Place(-1001234), "g1001234"), (Place(-1001234, 7), "g1001234:7")],
)
def test_a_chat_is_a_conversation_and_back(where: Place, text: str) -> None:
    assert handle(where).conversation == text
    assert place(handle(where)) == where


@pytest.mark.parametrize("text", ["", "x", "-5", "g", "1:", "1:2:3", "!room:x", "1" * 17])
def test_what_is_no_chat_cannot_be_written_to(text: str) -> None:
    conversation: SessionHandle[Telegram] = SessionHandle(ConversationId(text))
    with pytest.raises(Undeliverable):
        place(conversation)


def test_message_ids_go_there_and_back_and_an_edits_id_names_its_message() -> None:
    assert message_id(str(MessageId(-1001234, 9))) == MessageId(-1001234, 9)
    assert message_id("111:9:1700000000.0123456789ab") == MessageId(111, 9)
    assert message_id("") is None and message_id("x:1") is None and message_id("1:2:xyz") is None


# --- who ------------------------------------------------------------------------------------------------


def test_a_message_says_who_where_and_what() -> None:
    found = said(text="hello")
    assert found == Received("111:9", handle(Place(111)), "111", "Alice Liddell", "hello")
    assert sender_id(found.sender) == "111"


@pytest.mark.parametrize(
    "fields",
    [
        {"from": {**ALICE, "is_bot": True}},
        {"from": None},
        {"sender_chat": GROUP, "chat": GROUP},
        {"is_automatic_forward": True, "chat": GROUP},
        {"chat": {"id": -100, "type": "channel"}},
        {"chat": {"id": -100, "type": "novelty"}},
        {"text": "", "new_chat_members": [ALICE]},
        {"text": "", "dice": {"emoji": "x", "value": 1}},
        {"text": "  \n "},
    ],
)
def test_bots_channels_the_anonymous_and_what_says_nothing_are_not_heard(fields: dict[str, object]) -> None:
    assert received(message(**{"text": "hello", **fields}), ME, "") is None


def test_a_topic_is_a_conversation_of_its_own_and_a_chain_of_replies_is_none() -> None:
    assert said(chat=GROUP, text="x", message_thread_id=7, is_topic_message=True).conversation == handle(
        Place(-1001234, 7)
    )
    assert said(chat=GROUP, text="x", message_thread_id=7).conversation == handle(Place(-1001234))


def test_a_hostile_name_is_cut_and_can_be_stored() -> None:
    sender: dict[str, Any] = {"from": {"id": 1, "first_name": "\ud800" + "n" * 500}}
    name = said(text="x", **sender).sender_name
    assert len(name) == 128
    name.encode()


# --- edits ----------------------------------------------------------------------------------------------


def test_an_edit_has_an_id_of_its_own_that_is_the_same_when_it_comes_again() -> None:
    one = said(edited=True, text="hello", edit_date=1700)
    assert one.edited and one.platform_id.startswith("111:9:1700.")
    assert one == said(edited=True, text="hello", edit_date=1700)
    assert one.platform_id != said(edited=True, text="hallo", edit_date=1700).platform_id
    assert one.platform_id != said(edited=True, text="hello", edit_date=1701).platform_id


def test_a_location_that_moves_is_told_once() -> None:
    here = {"latitude": 52.5, "longitude": 13.4}
    assert said(location=here).text == "[Location: 52.500000, 13.400000]"
    assert received(message(location=here, edit_date=5), ME, "", edited=True) is None


# --- mentions -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("@wirken_bot what is up", "what is up"),
        ("@Wirken_BOT, what is up", "what is up"),
        ("hey @wirken_bot do it", "hey do it"),
        ("do it @wirken_bot", "do it"),
        ("😀😀 @wirken_bot 🧑‍🚀 do", "😀😀 🧑‍🚀 do"),
        ("/stop@wirken_bot", "/stop"),
        ("/new@wirken_bot please", "/new please"),
        ("@wirken_bot @wirken_bot twice", "twice"),
        ("@wirken_bot", "/help"),
    ],
)
def test_a_mention_is_found_by_its_place_and_is_not_in_the_text(text: str, kept: str) -> None:
    found = in_group(text)
    assert (found.mentioned, found.text, found.group) == (True, kept, True)


@pytest.mark.parametrize(
    "text", ["hello", "@wirken_bot2 hi", "mail me@wirken_bot.org", "/stop@other_bot", "/stop", "@someone wirken_bot"]
)
def test_what_does_not_call_the_bot_is_no_mention(text: str) -> None:
    found = in_group(text)
    assert (found.mentioned, found.text) == (False, text)


def test_a_person_without_a_user_name_would_be_mentioned_by_id() -> None:
    mark = {"type": "text_mention", "offset": 0, "length": 6, "user": {"id": 42, "is_bot": True}}
    assert said(chat=GROUP, text="Wirken do it", entities=[mark]).text == "do it"
    other = {**mark, "user": {"id": 43}}
    assert not said(chat=GROUP, text="Wirken do it", entities=[other]).mentioned


def test_a_caption_calls_the_bot_as_well() -> None:
    caption = "look @wirken_bot"
    found = said(chat=GROUP, caption=caption, caption_entities=entities(caption), photo=[{"file_id": "f"}])
    assert found.mentioned and found.text == "look" and len(found.files) == 1


def test_a_reply_to_the_bot_calls_it_and_the_first_line_of_a_topic_does_not() -> None:
    reply: dict[str, object] = {"message_id": 1, "from": {"id": 42, "is_bot": True}}
    assert in_group("and then?", reply_to_message=reply).mentioned
    assert not in_group("and then?", reply_to_message={**reply, "from": ALICE}).mentioned
    assert not in_group("and then?", reply_to_message={**reply, "forum_topic_created": {"name": "x"}}).mentioned


def test_a_prefix_calls_the_bot_in_groups() -> None:
    found = in_group("!ai what is up", "!ai")
    assert (found.mentioned, found.text) == (True, "what is up")
    assert not in_group("what is !ai", "!ai").mentioned


def test_with_one_person_nothing_is_a_mention() -> None:
    found = said(text="@wirken_bot hi", entities=entities("@wirken_bot hi"))
    assert (found.group, found.mentioned, found.text) == (False, False, "hi")


@pytest.mark.parametrize("text", ["/start", "/start delete-everything", "/start@wirken_bot"])
def test_telegrams_start_button_asks_for_help_and_a_links_parameter_is_nobodys_word(text: str) -> None:
    assert said(text=text, entities=entities(text)).text == "/help"


@given(st.text(max_size=40), st.lists(st.tuples(st.integers(-5, 60), st.integers(-5, 60)), max_size=4))
def test_marks_that_point_anywhere_lose_nothing_but_themselves(text: str, marks: list[tuple[int, int]]) -> None:
    found, called = unmentioned(text, [Entity("mention", *mark) for mark in marks], ME)
    found.encode()
    assert called or found == text


# --- content --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"contact": {"first_name": "Bob", "phone_number": "+49"}}, "[Contact: Bob, +49]"),
        ({"poll": {"question": "Tea?", "options": [{"text": "Yes"}, {"text": "No"}]}}, "[Poll: Tea? (Yes; No)]"),
        (
            {"venue": {"title": "Pub", "address": "Here 1"}, "location": {"latitude": 1, "longitude": -2.5}},
            "[Place: Pub, Here 1 1.000000, -2.500000]",
        ),
        ({"sticker": {"file_id": "s", "emoji": "👍"}}, "[Sticker 👍]"),
        ({"sticker": {"file_id": "s"}, "caption": ""}, "[Sticker]"),
    ],
)
def test_what_is_no_text_is_told_in_words(fields: dict[str, Any], text: str) -> None:
    assert said(**fields).text == text


@pytest.mark.parametrize(
    ("fields", "name", "media_type", "size"),
    [
        ({"photo": [{"file_id": "f", "file_size": 9}, {"file_id": "s", "file_size": 2}]}, "photo.jpg", "image/jpeg", 9),
        ({"document": {"file_id": "f", "file_name": "../../etc/pass wd"}}, "pass wd", "application/octet-stream", -1),
        ({"document": {"file_id": "f", "file_name": "C:\\x\\..", "mime_type": "text/x"}}, "document", "text/x", -1),
        ({"voice": {"file_id": "f", "file_size": 0}}, "voice.ogg", "audio/ogg", 0),
        ({"audio": {"file_id": "f", "file_name": "a.flac"}}, "a.flac", "audio/mpeg", -1),
        ({"video": {"file_id": "f", "file_size": -7}}, "video.mp4", "video/mp4", -1),
        ({"video_note": {"file_id": "f"}}, "video.mp4", "video/mp4", -1),
        ({"animation": {"file_id": "f"}, "document": {"file_id": "d"}}, "animation.mp4", "video/mp4", -1),
        ({"sticker": {"file_id": "f", "is_video": True}}, "sticker.webm", "video/webm", -1),
        ({"sticker": {"file_id": "f", "is_animated": True}}, "sticker.tgs", "application/x-tgsticker", -1),
        ({"sticker": {"file_id": "f"}}, "sticker.webp", "image/webp", -1),
    ],
)
def test_each_kind_of_file_is_an_attachment(fields: dict[str, Any], name: str, media_type: str, size: int) -> None:
    (file,) = said(**fields).files
    assert (file.name, file.media_type, file.size, file.reference) == (name, media_type, size, "f")


def test_a_long_name_keeps_its_end() -> None:
    (file,) = said(document={"file_id": "f", "file_name": "n" * 500 + ".txt"}).files
    assert len(file.name) == limits.TELEGRAM_NAME and file.name.endswith(".txt")


# --- buttons --------------------------------------------------------------------------------------------


def pressed(data: str, **fields: object) -> Press[Telegram] | None:
    query = {"id": "1", "from": ALICE, "data": data, "message": {"message_id": 9, "chat": GROUP}, **fields}
    return press(msgspec.convert(query, CallbackQuery))


def test_a_button_says_which_question_and_what_was_chosen() -> None:
    found = pressed(button("0123456789abcdef", "30d"))
    assert found == Press("111", handle(Place(-1001234)), "0123456789abcdef", "30d", "-1001234:9")


@pytest.mark.parametrize("data", ["", "x", "abc:always", "abc:once:", "ab c:once", "x" * 49 + ":once", "abc:ONCE"])
def test_a_button_that_is_none_of_ours_is_no_press(data: str) -> None:
    assert pressed(data) is None


def test_a_press_by_a_bot_or_on_nothing_is_none() -> None:
    assert pressed("abc:once", **{"from": {**ALICE, "is_bot": True}}) is None
    assert pressed("abc:once", message=None) is None


def test_a_button_holds_what_telegram_takes_and_no_more() -> None:
    assert len(button("x" * 48, "session")) <= limits.TELEGRAM_CALLBACK
    for approval in ("x" * 49, "ä", "", "a:b"):
        with pytest.raises(Undeliverable):
            button(approval, "session")
