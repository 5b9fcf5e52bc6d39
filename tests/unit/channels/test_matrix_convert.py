from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirken.channels.contract import Undeliverable
from wirken.channels.matrix_convert import Me, Place, handle, original, place, reaction, received, replied_to
from wirken.channels.matrix_types import Event, events, objects
from wirken.domain import channel_limits as limits
from wirken.domain.ids import BadIdentifier, conversation_id
from wirken.domain.platforms import SessionHandle

ME = Me("@bot:example.org", "Wirken", "!ai")
ROOM = "!room:example.org"


def event(content: dict[str, object], kind: str = "m.room.message", **more: str) -> Event:
    return Event(type=kind, sender=more.get("sender", "@alice:example.org"), event_id="$e1", content=content)


def said(body: str, **more: object) -> Event:
    return event({"msgtype": "m.text", "body": body, **more})


def heard(body: str, more: dict[str, object] | None = None, *, group: bool = True) -> tuple[str, bool]:
    got = received(ROOM, said(body, **(more or {})), ME, group=group)
    assert got is not None
    return got.text, got.mentioned


# --- ids --------------------------------------------------------------------------------------------------


@given(st.text(min_size=1, max_size=20), st.text(max_size=10))
def test_every_room_and_thread_has_a_conversation_of_its_own_and_back(room: str, thread: str) -> None:
    where = Place(f"!{room}", f"${thread}" if thread else "")
    try:
        named = handle(where)
    except BadIdentifier:
        assert len(room) + len(thread) > 6  # escaped it is too long
        return
    except UnicodeDecodeError:
        return
    try:
        assert place(named) == where
    except Undeliverable:
        assert any("\ud800" <= sign <= "\udfff" for sign in room + thread)


@pytest.mark.parametrize("other", ["12", "r", "g12:3", "r1@", "r=ff"])
def test_what_is_no_conversation_of_matrix_is_undeliverable(other: str) -> None:
    with pytest.raises(Undeliverable):
        place(SessionHandle(conversation_id(other)))


def test_a_room_whose_name_is_too_long_is_not_served() -> None:
    long = f"!{'a' * 128}:example.org"
    assert received(long, said("hello"), ME, group=False) is None
    with pytest.raises(BadIdentifier):
        handle(Place(long))


def test_a_reply_to_an_edit_is_one_to_what_was_edited() -> None:
    assert original("$edit~$first") == "$first" and original("$first") == "$first" and original("12") == ""


# --- who is meant -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("Wirken: list the files", "list the files"),
        ("wirken, list the files", "list the files"),
        ("@bot:example.org list the files", "list the files"),
        ("bot list the files", "list the files"),
        ("please, @bot:example.org, say", "please, , say"),
        ("!ai list the files", "list the files"),
        ("Wirken", "/help"),
    ],
)
def test_a_name_at_the_beginning_or_the_prefix_calls_the_bot(body: str, text: str) -> None:
    assert heard(body) == (text, True)


@pytest.mark.parametrize("body", ["Wirkens Freund", "botany is a science", "say Wirken", "hello"])
def test_what_only_looks_like_its_name_does_not(body: str) -> None:
    assert heard(body) == (body, False)


def test_a_mention_by_a_pill_counts_and_nonsense_does_not() -> None:
    assert heard("hello", {"m.mentions": {"user_ids": ["@bot:example.org"]}}) == ("hello", True)
    wrong: tuple[object, ...] = (None, 7, {"user_ids": "@bot:example.org"}, {"user_ids": [7, None, {}]}, [])
    for nonsense in wrong:
        assert heard("hello", {"m.mentions": nonsense}) == ("hello", False)


def test_with_one_person_nobody_needs_to_be_named() -> None:
    assert heard("hello", group=False) == ("hello", False)


@pytest.mark.parametrize("word", ["new", "stop", "status", "help", "whoami"])
def test_words_that_clients_keep_for_themselves_have_a_second_form(word: str) -> None:
    assert heard(f"!{word}", group=False) == (f"/{word}", False)
    assert heard(f"!{word}er", group=False) == (f"!{word}er", False)
    assert heard("!approve ab12", group=False) == ("!approve ab12", False)


def test_what_older_clients_quote_is_not_part_of_a_reply() -> None:
    relates = {"m.in_reply_to": {"event_id": "$first"}}
    body = "> <@eve:example.org> I said\n> two lines\n\nand I say"
    assert heard(body, {"m.relates_to": relates})[0] == "and I say"
    assert heard(body)[0] == body
    assert replied_to(said("x", **{"m.relates_to": relates})) == "$first"
    assert replied_to(said("x", **{"m.relates_to": {**relates, "is_falling_back": True}})) == ""


# --- what counts --------------------------------------------------------------------------------------------


def test_bots_and_what_is_no_message_are_not_heard() -> None:
    assert received(ROOM, event({"msgtype": "m.notice", "body": "hello"}), ME, group=False) is None
    assert received(ROOM, event({"body": "hello"}, "m.sticker"), ME, group=False) is None
    assert received(ROOM, said(""), ME, group=False) is None
    for sender in ("alice", "@alice", "@a b:example.org", "@a:" + "x" * 300):
        hostile = event({"msgtype": "m.text", "body": "hello"}, sender=sender)
        assert received(ROOM, hostile, ME, group=False) is None, sender


def test_an_edit_has_an_id_of_its_own_and_the_new_text() -> None:
    relates = {"rel_type": "m.replace", "event_id": "$first"}
    edit = said("* new", **{"m.new_content": {"msgtype": "m.text", "body": "new"}, "m.relates_to": relates})
    got = received(ROOM, edit, ME, group=False)
    assert got is not None and (got.platform_id, got.text, got.edited) == ("$e1~$first", "new", True)


def test_a_thread_is_a_conversation() -> None:
    got = received(ROOM, said("x", **{"m.relates_to": {"rel_type": "m.thread", "event_id": "$root"}}), ME, group=False)
    assert got is not None and place(got.conversation) == Place(ROOM, "$root")


def test_a_file_is_named_by_its_sender_and_said_with_its_caption() -> None:
    locked = {"url": "mxc://example.org/abc", "key": {"k": "K"}, "iv": "I", "hashes": {"sha256": "H"}}
    content: dict[str, object] = {"msgtype": "m.image", "body": "look", "filename": "../../etc/passwd", "file": locked}
    got = received(ROOM, event({**content, "info": {"size": 5, "mimetype": "image/png"}}), ME, group=False)
    assert got is not None and got.text == "look"
    [file] = got.files
    assert (file.name, file.media_type, file.size) == ("passwd", "image/png", 5) and '"K"' in file.reference
    for url in ("http://example.org/abc", "mxc://example.org", "mxc:///abc", 7, None):
        assert received(ROOM, event({"msgtype": "m.file", "body": "a", "url": url}), ME, group=False) is None


def test_a_files_name_has_a_limit() -> None:
    for length in (limits.MATRIX_NAME, limits.MATRIX_NAME + 1):
        content: dict[str, object] = {
            "msgtype": "m.file",
            "body": "n" * length,
            "url": "mxc://a/b",
            "info": {"size": True},
        }
        got = received(ROOM, event(content), ME, group=False)
        assert got is not None and len(got.files[0].name) == limits.MATRIX_NAME and got.files[0].size == -1


# --- reactions ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "choice"),
    [("👍", "once"), ("👍\ufe0f", "once"), ("👍🏿", "once"), ("👎", "deny"), ("🔁", "session"), ("📅", "30d")],
)
def test_a_sign_is_an_answer_whatever_it_wears(key: str, choice: str) -> None:
    relates = {"rel_type": "m.annotation", "event_id": "$q", "key": key}
    assert reaction(event({"m.relates_to": relates}, "m.reaction")) == ("$q", choice)


@pytest.mark.parametrize("key", ["", "x", "👍👎", "❤️", 7, None])
def test_anything_else_is_none(key: object) -> None:
    relates = {"rel_type": "m.annotation", "event_id": "$q", "key": key}
    assert reaction(event({"m.relates_to": relates}, "m.reaction")) is None
    assert reaction(event({"m.relates_to": {**relates, "key": "👍"}})) is None


# --- hostile ------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["body", "msgtype", "m.relates_to", "rel_type", "event_id", "m.new_content", "url", "file", "info", "key",
         "m.mentions", "user_ids", "m.in_reply_to", "filename"]
    ), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["body", "msgtype", "m.relates_to", "m.new_content", "url", "file"]), JSON))
def test_no_content_of_an_event_raises(content: dict[str, object]) -> None:
    received(ROOM, event(content), ME, group=True)
    reaction(event(content, "m.reaction"))
    replied_to(event(content))


def test_one_bad_event_spoils_no_other() -> None:
    good = b'{"type":"m.room.message","sender":"@a:b","content":{}}'
    deep = b'{"type":"x","sender":"@a:b","content":{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}}"
    raws = [b"7", b'{"type":1}', deep, good, b"[]", b'{"type":"x","sender":"y","content":null}']
    assert [one.type for one in events(raws)] == ["m.room.message"]  # type: ignore[arg-type]  # Raw is bytes in memory
    assert len(list(objects(raws))) == 3  # type: ignore[arg-type]  # Raw is bytes in memory
