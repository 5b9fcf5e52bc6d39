from __future__ import annotations

from pathlib import Path

from wirken.channels.matrix_machine import store_name
from wirken.channels.matrix_state import State, Unread
from wirken.channels.matrix_types import Event
from wirken.domain import channel_limits as limits

ME = "@bot:example.org"


def unread(number: int) -> Unread:
    return Unread(
        "!r:b", Event(type="m.room.encrypted", sender="@a:b", content={"n": number}, event_id=f"${number}"), 1
    )


def test_a_device_is_the_same_again_while_its_store_is_there_and_its_account_the_same(tmp_path: Path) -> None:
    State(tmp_path, ME).is_device("DEV")
    assert State(tmp_path, ME).device == ""  # its keys were never made
    State(tmp_path, ME).is_device("DEV")
    (tmp_path / store_name("DEV")).touch()
    assert State(tmp_path, ME).device == "DEV" and State(tmp_path, "@other:example.org").device == ""


def test_a_file_that_is_broken_is_a_new_beginning(tmp_path: Path) -> None:
    for broken in (b"", b"{", b"7", b'{"device": 7}', b"[" * 100_000):
        (tmp_path / "matrix.json").write_bytes(broken)
        assert State(tmp_path, ME).device == ""


def test_of_what_waits_the_newest_is_kept(tmp_path: Path) -> None:
    state = State(tmp_path, ME)
    state.is_device("DEV")
    (tmp_path / store_name("DEV")).touch()
    for number in range(limits.MATRIX_UNREAD + 1):
        state.keep_unread(unread(number))
    for number in range(limits.MATRIX_INVITES + 1):
        state.keep_invite(f"!{number}:b", "@a:b")
    again = State(tmp_path, ME)
    assert len(again.unread) == limits.MATRIX_UNREAD and again.unread[0].event.event_id == "$1"
    assert len(again.invites) == limits.MATRIX_INVITES and "!0:b" not in again.invites
    again.was_read("$1")
    again.drop_invite("!1:b")
    third = State(tmp_path, ME)
    assert len(third.unread) == limits.MATRIX_UNREAD - 1 and "!1:b" not in third.invites
