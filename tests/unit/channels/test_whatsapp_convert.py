"""What webhooks say as what people said: pure, over the documented forms and some others."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wirken.channels.contract import CHOICES, Choice, Undeliverable
from wirken.channels.whatsapp_convert import can_be_quoted, handle, interactive, press, received, to
from wirken.channels.whatsapp_media import sent_as
from wirken.channels.whatsapp_types import Message, Nonsense, call
from wirken.domain import channel_limits as limits
from wirken.domain.limits import SENDER_NAME

Json = dict[str, object]
KEYS = ("metadata", "phone_number_id", "contacts", "messages", "statuses", "id", "type", "text", "body", "from")
NUMBER, USER = "4915700000001", "DE.13491208655302740001"


def message(**content: object) -> Message:
    told: Json = {"id": "wamid.HBgL", "from": NUMBER, "from_user_id": USER, "type": "text", **content}
    value = {"metadata": {"phone_number_id": "1"}, "messages": [told]}
    whole = {"object": "whatsapp_business_account", "entry": [{"changes": [{"field": "messages", "value": value}]}]}
    ((found, _),) = call(json.dumps(whole).encode(), "1").messages
    return found


def said(**content: object) -> str | None:
    found = received(message(**content), "Alice")
    return found.text if found is not None else None


def test_each_kind_of_message_says_what_it_is() -> None:
    assert said(text={"body": " hello 😀 "}) == "hello 😀"
    assert said(type="image", image={"id": "1", "caption": "look"}) == "look"
    assert said(type="button", button={"text": "Yes", "payload": "y"}) == "Yes"
    spot = {"latitude": 52.5, "longitude": 13.4, "name": "Gate", "address": "Berlin"}
    assert said(type="location", location=spot) == "[Location: Gate, Berlin 52.500000, 13.400000]"
    assert said(type="location", location={"latitude": 1, "longitude": 2}) == "[Location: 1.000000, 2.000000]"
    card = {"name": {"formatted_name": "Bob"}, "phones": [{"phone": "+49 1"}, {"phone": "+49 2"}]}
    assert said(type="contacts", contacts=[card]) == "[Contact: Bob, +49 1, +49 2]"


@pytest.mark.parametrize(
    "content",
    [
        {"type": "reaction", "reaction": {"message_id": "x", "emoji": "👍"}},
        {"type": "unsupported", "errors": [{"code": 131051}]},
        {"type": "system", "system": {"body": "changed", "type": "user_changed_number"}},
        {"type": "revoke", "revoke": {"original_message_id": "x"}},
        {"type": "text", "text": {"body": "  \n "}},
        {"type": "image", "image": {"id": "../../me"}},
        {"type": "interactive", "interactive": {"type": "nfm_reply", "nfm_reply": {"body": "x"}}},
    ],
)
def test_what_says_nothing_to_us_is_left_out(content: Json) -> None:
    assert said(**content) is None


def test_an_edit_is_a_message_of_its_own() -> None:
    edit = {"original_message_id": "wamid.A", "message": {"type": "text", "text": {"body": "better"}}}
    found = received(message(type="edit", edit=edit), "Alice")
    assert found is not None and (found.text, found.edited, found.platform_id) == ("better", True, "wamid.HBgL")


def test_files_have_names_that_lead_nowhere_and_types() -> None:
    told = {"id": "5", "filename": "..\\..\\etc/pass\u202ewd.txt", "mime_type": "text/plain; charset=utf-8"}
    found = received(message(type="document", document=told), "Alice")
    assert found is not None
    (file,) = found.files
    assert (file.reference, file.media_type, file.size) == ("5", "text/plain", -1) and "/" not in file.name
    voice = received(message(type="audio", audio={"id": "6", "voice": True}), "Alice")
    assert voice is not None and (voice.files[0].name, voice.files[0].media_type) == ("audio.ogg", "audio/ogg")
    long = received(message(type="document", document={"id": "5", "filename": "x" * 500}), "Alice")
    assert long is not None and len(long.files[0].name) == limits.WHATSAPP_NAME


def test_who_wrote_is_the_number_or_else_the_user_id_and_neither_passes_for_the_other() -> None:
    body = {"body": "hello"}
    assert received(message(text=body), "A").sender == NUMBER  # type: ignore[union-attr]  # there is one
    assert received(message(**{"from": "", "text": body}), "A").sender == USER  # type: ignore[union-attr]  # likewise
    for number, user in (
        ("", ""),
        ("", "4915700000001"),
        ("", "../DE.1"),
        ("abc", USER),
        (USER, USER),
        ("1" * 21, USER),
        ("+49157", USER),
        ("٤٩١٥٧٠٠٠", USER),
        (f"{NUMBER}\n", USER),
    ):
        assert received(message(**{"from": number, "from_user_id": user, "text": body}), "A") is None, (number, user)


def test_what_is_said_in_a_group_is_not_heard_as_if_it_were_said_to_the_bot_alone() -> None:
    assert said(text={"body": "hello"}, group_id="120363") is None
    carried = {"type": "button_reply", "button_reply": {"id": "a1:once"}}
    assert press(message(type="interactive", interactive=carried, group_id="120363")) is None


def test_ids_and_names_have_their_limits() -> None:
    assert said(id="w" * 256, text={"body": "a"}) == "a"
    assert said(id="w" * 257, text={"body": "a"}) is None
    assert said(id="a b", text={"body": "a"}) is None
    found = received(message(text={"body": "a"}), "n\ud800" * 500)
    assert found is not None and len(found.sender_name) == SENDER_NAME and "\ud800" not in found.sender_name


def test_a_conversation_leads_back_to_its_person() -> None:
    assert to(handle(NUMBER)) == (NUMBER, None)
    assert to(handle(USER)) == (None, USER)
    with pytest.raises(Undeliverable):
        to(handle("g5:7"))


def test_only_messages_of_the_cloud_api_can_be_quoted() -> None:
    assert can_be_quoted("wamid.HBgLMTY1MDM4Nzk0MzkVAgARGBJDQjZCMzlEQUE4OTJBMTE4RTUA")
    assert not any(map(can_be_quoted, ("", "files:wamid.A", "wamid.", "wamid.A B", "5:7")))


# --- buttons --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["button_reply", "list_reply"])
@pytest.mark.parametrize("choice", CHOICES)
def test_what_a_button_carries_comes_back(kind: str, choice: Choice) -> None:
    carried = {"type": kind, kind: {"id": f"a-1_Z:{choice}", "title": "x"}}
    found = press(message(type="interactive", interactive=carried, context={"id": "wamid.Q"}))
    assert found is not None
    assert (found.approval, found.choice, found.sender, found.message_id) == ("a-1_Z", choice, NUMBER, "wamid.Q")


@pytest.mark.parametrize(
    "carried", ["", "a1", "a1:always", ":once", "a1:once:x", "a1:once\n", "a" * 49 + ":once", "a b:once"]
)
def test_a_button_of_others_is_none_of_ours(carried: str) -> None:
    told = {"type": "button_reply", "button_reply": {"id": carried}}
    assert press(message(type="interactive", interactive=told)) is None


def test_a_question_with_an_id_that_no_button_holds_is_refused() -> None:
    assert interactive("x", "a" * 48, ("once",))["type"] == "button"
    with pytest.raises(Undeliverable):
        interactive("x", "a" * 49, ("once",))


def test_a_long_title_makes_a_list() -> None:
    assert max(len(title) for title in CHOICES.values()) <= limits.WHATSAPP_ROW
    for choices in (("session",), ("once", "session", "deny"), ("once", "session", "30d", "deny")):
        assert interactive("x", "a", choices)["type"] == "list"
    assert interactive("x", "a", ("once", "30d", "deny"))["type"] == "button"
    assert all(len(CHOICES[choice]) <= limits.WHATSAPP_BUTTON for choice in ("once", "30d", "deny"))


# --- calls ----------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(st.binary(max_size=200) | st.recursive(st.none() | st.text(), st.lists).map(json.dumps).map(str.encode))
def test_nonsense_is_told_from_calls(body: bytes) -> None:
    with pytest.raises(Nonsense):
        call(body, "1")


@settings(max_examples=60)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
        max_leaves=30,
    )
)
def test_a_signed_call_of_any_form_is_read_as_far_as_it_can_be(value: object) -> None:
    whole = {"object": "whatsapp_business_account", "entry": [{"changes": [{"field": "messages", "value": value}]}]}
    for found, name in call(json.dumps(whole).encode(), "").messages:
        received(found, name)
        press(found)


# --- files that go --------------------------------------------------------------------------------------


def test_a_file_goes_as_what_whatsapp_takes() -> None:
    assert sent_as("image/PNG", b"x") == ("image", "image/png")
    assert sent_as("application/pdf", b"%PDF\x00") == ("document", "application/pdf")
    assert sent_as("text/plain; charset=utf-8", b"x") == ("document", "text/plain")
    assert sent_as("application/json", '{"ä": 1}'.encode()) == ("document", "text/plain")
    assert sent_as("", b"x") == ("document", "text/plain")


@pytest.mark.parametrize("data", [b"PK\x03\x04\x00", b"\xff\xfe", b""])
def test_a_file_that_whatsapp_does_not_take_is_refused(data: bytes) -> None:
    with pytest.raises(Undeliverable):
        sent_as("application/zip", data)


@pytest.mark.parametrize(
    ("kind", "most"),
    [
        ("image/png", limits.WHATSAPP_IMAGE),
        ("audio/mpeg", limits.WHATSAPP_AUDIO),
        ("video/mp4", limits.WHATSAPP_VIDEO),
        ("application/pdf", limits.WHATSAPP_DOCUMENT),
    ],
)
def test_files_have_the_limit_of_their_kind(kind: str, most: int) -> None:
    assert sent_as(kind, b"x" * most)
    with pytest.raises(Undeliverable, match="MiB"):
        sent_as(kind, b"x" * (most + 1))
