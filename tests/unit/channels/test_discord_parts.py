"""The parts of Discord's adapter that compute: messages, numbers of a session, pauses, and the file it is kept in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wirken.channels.contract import CHOICES, PlatformAway, SlowDown, Undeliverable
from wirken.channels.discord_convert import Place, actor, button, command, handle, message_id, place, press, received
from wirken.channels.discord_errors import closed, refused
from wirken.channels.discord_pace import Paces, Route
from wirken.channels.discord_session import Kept, Session, Window
from wirken.channels.discord_state import load, save
from wirken.channels.discord_types import File, Interaction, Message, User, decoded
from wirken.domain import channel_limits as limits

ME = "900"
ALICE = User("111", "alice", "Alice")
PLANES = "Aé Жш ا ह 中 한 😀 𠀀 𰀀 𝒳 \U000e0041 \U000f0000 \U00100000"


def message(content: str, **more: object) -> Message:
    return Message("5", "7", ALICE, content=content, **more)  # type: ignore[arg-type]  # fields by name


def text_of(content: str, prefix: str = "", **more: object) -> str | None:
    said = received(message(content, **more), ME, prefix, guild=True)
    return None if said is None else said.text


# --- messages -------------------------------------------------------------------------------------------


def test_text_of_every_plane_stays_as_it_is() -> None:
    assert text_of(PLANES) == PLANES


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("<@900> hello", "hello"),
        ("<@!900>, hello", "hello"),
        ("hello <@900>", "hello"),
        ("<@900><@900>", "/help"),
        ("!ai hello", "hello"),
        ("<@900>:  /status", "/status"),
        ("<@111> and <@222>", "@Alice and <@222>"),
        ("<@9001> no", "<@9001> no"),
        ("&lt;<#900>", "&lt;<#900>"),
    ],
)
def test_a_mention_of_the_bot_is_not_part_of_the_text(content: str, text: str) -> None:
    assert text_of(content, "!ai", mentions=(ALICE,)) == text


def test_a_message_that_says_nothing_is_none() -> None:
    assert text_of("") is None and text_of(" \n") is None
    assert received(Message("5", "7"), ME, "", guild=False) is None


@given(st.text())
@settings(max_examples=200, deadline=None)
def test_any_text_is_taken(content: str) -> None:
    said = received(message(content), ME, "!", guild=True)
    assert said is None or said.text


def test_files_have_harmless_names_and_what_was_forwarded_is_told() -> None:
    named = {"": "file", "../x": "x", "a\\b": "b", "...": "file", "x" * 300 + ".txt": "x" * 124 + ".txt"}
    for theirs, ours in named.items():
        said = received(message("", attachments=(File("u", theirs, -9),)), ME, "", guild=False)
        assert said is not None and (said.files[0].name, said.files[0].size) == (ours, -1)
        assert len(said.files[0].name) <= limits.DISCORD_NAME
    whole = decoded(
        json.dumps(
            {
                "id": "5",
                "channel_id": "7",
                "author": {"id": "1", "username": "a"},
                "sticker_items": [{"id": "1", "name": "Wave"}],
                "message_snapshots": [{"message": {"content": "old", "attachments": [{"url": "u"}]}}],
            }
        ),
        Message,
    )
    assert whole is not None
    said = received(whole, ME, "", guild=False)
    assert said is not None and said.text == "[Forwarded] old\n[Sticker Wave]" and len(said.files) == 1


def test_an_edit_has_an_id_of_its_own_and_the_same_twice() -> None:
    edits = [
        received(message(text, edited_timestamp=when), ME, "", guild=False, edited=True)
        for text, when in (("a", "1"), ("a", "1"), ("b", "1"), ("a", "2"))
    ]
    ids = [edit.platform_id for edit in edits if edit is not None]
    assert len(ids) == 4 and len(set(ids)) == 3 and ids[0] == ids[1]
    assert {str(message_id(one)) for one in ids} == {"7:5"}


@pytest.mark.parametrize("where", [Place("7"), Place("7", guild=True), Place("9" * 20)])
def test_a_conversation_says_where_it_is(where: Place) -> None:
    assert place(handle(where)) == where


# --- interactions ---------------------------------------------------------------------------------------


def interaction(**more: object) -> Interaction:
    wire = {"id": "1", "token": "t", "application_id": "2", "type": 3, "channel_id": "7", "message": {"id": "5"}}
    found = decoded(json.dumps(wire | {"user": {"id": "111"}, "data": {"custom_id": "a-1:once"}} | more), Interaction)
    assert found is not None
    return found


def test_who_pressed_comes_from_the_interaction_alone() -> None:
    pressed = press(interaction())
    assert pressed is not None and (pressed.sender, pressed.approval, pressed.choice) == ("111", "a-1", "once")
    in_guild = press(interaction(guild_id="3", member={"user": {"id": "222"}}))
    assert in_guild is not None and (in_guild.sender, in_guild.conversation.conversation) == ("222", "g7")
    robot: dict[str, object] = {"id": "1", "bot": True}
    nobody: list[dict[str, object]] = [{"user": None}, {"user": robot}, {"channel_id": None}, {"member": {}}]
    for strange in nobody:
        assert press(interaction(**strange)) is None
    assert actor(interaction(user=None)) is None
    assert command(interaction()) is None
    assert command(interaction(type=2, data={"name": "format"})) is None


@pytest.mark.parametrize("token", ["", "../..", "a b", "x" * 513, "t\n"])
def test_a_token_that_would_be_another_address_is_no_interaction(token: str) -> None:
    wire = {"id": "1", "token": token, "application_id": "2", "type": 3}
    assert decoded(json.dumps(wire), Interaction) is None


@pytest.mark.parametrize("choice", list(CHOICES))
def test_a_button_carries_id_and_choice_within_what_discord_takes(choice: str) -> None:
    known = next(one for one in CHOICES if one == choice)
    assert len(button("a" * 64, known)) <= limits.DISCORD_BUTTON
    for strange in ("a" * 65, "", "a b", "a:b"):
        with pytest.raises(Undeliverable):
            button(strange, known)


# --- how far a session is handled -----------------------------------------------------------------------


@given(st.integers(1, 30), st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None)
def test_the_number_never_passes_what_is_not_handled(count: int, chance: object) -> None:
    window, todo = Window(), list(range(1, count + 1))
    assert all(window.came(number) for number in todo)
    assert hasattr(chance, "shuffle")
    chance.shuffle(todo)
    while todo:
        assert window.safe == min(todo) - 1
        window.done(todo.pop())
    assert window.safe == count


def test_what_comes_again_is_taken_once_and_what_was_under_way_once_more() -> None:
    window = Window(10)
    assert [window.came(number) for number in (9, 10, 11, 12, 12)] == [False, False, True, True, False]
    window.done(12)
    window.again()
    assert window.safe == 10
    assert [window.came(number) for number in (11, 12, 13)] == [True, False, True]
    for number in (11, 13):
        window.done(number)
    assert window.safe == 13


def test_a_session_is_kept_once_nothing_is_left_to_look_for() -> None:
    session = Session(Kept(me="1", known={"7": "100"}))
    session.begins("s", "wss://gateway.discord.gg")
    assert session.behind == {"7"} and session.kept().session == ""
    session.behind.clear()
    assert session.kept().session == "s" and session.kept().known == {"7": "100"}
    session.ends()
    assert session.kept().session == ""


def test_known_conversations_are_learned_moved_on_and_bounded() -> None:
    session = Session(Kept())
    assert not session.handled("g1", "5", learn=False)
    assert session.handled("g1", "5", learn=True) and session.handled("g1", "6", learn=False)
    assert not session.handled("g1", "6", learn=True) and session.last("g1") == "6"
    for number in range(limits.DISCORD_KNOWN):
        session.handled(f"{1000 + number}", "1", learn=True)
    assert len(session.kept().known) == limits.DISCORD_KNOWN and session.last("g1") == ""


# --- the file -------------------------------------------------------------------------------------------


def test_what_is_kept_is_found_again_by_the_same_bot(tmp_path: Path) -> None:
    kept = Kept(me="1", session="s", url="wss://gateway.discord.gg", seq=7, known={"g9" + "9" * 18: "9" * 20})
    save(tmp_path, kept)
    assert load(tmp_path, "1") == kept and load(tmp_path, "2") == Kept(me="2")
    assert (tmp_path / "session.json").stat().st_mode & 0o777 == 0o600
    save(None, kept)
    assert load(None, "1") == Kept(me="1") == load(tmp_path / "missing", "1")
    save(tmp_path / "missing", kept)


@pytest.mark.parametrize(
    "data", [b"", b"x", b"[]", b'{"v":2,"me":"1"}', b'{"me":"1","known":{"../x":"1"}}', b"[" * 9999]
)
def test_a_file_that_makes_no_sense_is_none(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "session.json").write_bytes(data)
    assert load(tmp_path, "1") == Kept(me="1")


@pytest.mark.parametrize("over", [0, 1])
def test_the_file_may_be_as_long_as_the_limit(tmp_path: Path, over: int) -> None:
    (tmp_path / "session.json").write_bytes(b'{"me":"1","seq":7}'.ljust(limits.DISCORD_STATE + over))
    assert load(tmp_path, "1").seq == (0 if over else 7)


def test_what_is_kept_of_all_conversations_fits_the_limit(tmp_path: Path) -> None:
    known = {f"g{number:020}": "9" * 20 for number in range(limits.DISCORD_KNOWN)}
    save(tmp_path, Kept(me="1", session="s" * 256, url="u" * 256, seq=2**53, known=known))
    assert load(tmp_path, "1").known == known


# --- pauses and refusals --------------------------------------------------------------------------------


def test_buckets_are_kept_by_channel_and_forgotten_with_time() -> None:
    paces, route = Paces(), Route("POST", "/channels/1/messages", "/channels/messages", "1")
    other = route._replace(major="2")
    paces.answered(route, {"X-RateLimit-Bucket": "b", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset-After": "2"}, 10)
    with pytest.raises(SlowDown) as told:
        paces.check(route, 11.5)
    assert told.value.seconds == 0.5
    paces.check(route, 12.0)
    paces.check(other, 10.0)
    for nonsense in ("", "x", "nan", "-1", "inf"):
        paces.answered(other, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset-After": nonsense}, 20)
        paces.check(other, 20 + limits.DISCORD_LONGEST_PAUSE)


@pytest.mark.parametrize(
    ("body", "header", "seconds", "everywhere"),
    [
        (b'{"retry_after":1.5,"global":false,"code":0}', "2", 1.5, False),
        (b'{"retry_after":1.5,"global":true}', "", 1.5, True),
        (b'{"retry_after":0}', "", limits.DISCORD_PAUSE, False),
        (b'{"retry_after":1e99}', "", limits.DISCORD_LONGEST_PAUSE, False),
        (b"<html>", "30", 30.0, True),
        (b"<html>", "soon", limits.DISCORD_PAUSE, True),
    ],
)
def test_a_pause_is_as_long_as_discord_says_within_reason(
    body: bytes, header: str, seconds: float, everywhere: bool
) -> None:
    error = refused(429, body, header)
    assert isinstance(error, SlowDown) and (error.seconds, error.everywhere) == (seconds, everywhere)


def test_a_slow_mode_is_a_pause() -> None:
    assert isinstance(refused(400, b'{"code":20016,"message":"x","retry_after":9}'), SlowDown)


@pytest.mark.parametrize("status", [401, 403, 404, 400])
def test_who_speaks_no_json_is_not_discord(status: int) -> None:
    assert type(refused(status, b"<html>")) is PlatformAway


@given(st.integers(0, 5000))
def test_every_close_is_an_error_of_the_port(code: int) -> None:
    assert str(closed(code))
