"""Addresses, ids and texts of Teams, without any I/O."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirken.channels.contract import Undeliverable
from wirken.channels.teams_addresses import addresses
from wirken.channels.teams_convert import Handle, handle, own, place, received, unmentioned
from wirken.channels.teams_types import Account, Activity, Conversation, Entity, Nonsense, read
from wirken.domain import channel_limits as limits
from wirken.domain.ids import conversation_id
from wirken.domain.platforms import SessionHandle

MICROSOFT = addresses("t")
BOT = "28:bot"


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://smba.trafficmanager.net/teams/", True),
        ("https://smba.trafficmanager.net/emea/11111111-2222-3333-4444-555555555555/", True),
        ("https://smba.trafficmanager.net:443/teams", True),
        ("https://webchat.botframework.com/", True),
        ("http://smba.trafficmanager.net/teams/", False),
        ("https://smba.trafficmanager.net:8443/", False),
        ("https://smba.trafficmanager.net.evil.example/", False),
        ("https://smba.trafficmanager.net@evil.example/", False),
        ("https://evil.example/smba.trafficmanager.net/", False),
        ("https://evil.example\\@smba.trafficmanager.net/", False),
        ("https://evil.example#@smba.trafficmanager.net/", False),
        ("https://xsmba.trafficmanager.net/", False),
        ("https://evilbotframework.com/", False),
        ("https://botframework.com/", False),
        ("https://smba.trafficmanager.net/../x", False),
        ("https://smba.trafficmanager.net/..", False),
        ("https://smba.trafficmanager.net/teams?x=y", False),
        ("https://smba.trafficmanager.net/teams\n", False),
        ("HTTPS://SMBA.trafficmanager.net/", False),
        ("https://SMBA.trafficmanager.net/", False),
        ("", False),
    ],
)
def test_our_token_goes_to_a_connector_alone(url: str, good: bool) -> None:
    assert MICROSOFT.is_service(url) is good


def test_files_lie_in_an_organisations_sharepoint_and_pictures_with_the_connector() -> None:
    assert MICROSOFT.is_file("https://contoso-my.sharepoint.com/personal/a/_layouts/15/download.aspx?UniqueId=1&t=e%2F")
    assert not MICROSOFT.is_file("https://sharepoint.com/x") and not MICROSOFT.is_file("https://a.sharepoint.com.evil/")
    assert MICROSOFT.is_picture("https://smba.trafficmanager.net/amer/v3/attachments/0-x/views/original")
    assert not MICROSOFT.is_picture("https://contoso.sharepoint.com/x")
    assert not MICROSOFT.is_keys("https://smba.trafficmanager.net/keys")


def test_a_server_of_ones_own_takes_the_place_of_all() -> None:
    ours = addresses("t", "http://127.0.0.1:1/")
    assert ours.token == "http://127.0.0.1:1/t/oauth2/v2.0/token" and ours.is_service(f"{ours.service}/")
    assert not ours.is_service("http://127.0.0.1:11/") and not ours.is_service("https://smba.trafficmanager.net/teams/")


def activity(sender: str = "29:1abc", room: str = "a:1", kind: str = "personal", **said: object) -> Activity:
    account = Account(sender, "Alice", "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee")
    return Activity("message", "1", conversation=Conversation(room, kind), sender=account, **said)  # type: ignore[arg-type]  # fields by name


@given(st.text("azAZ09_.@:-", min_size=1, max_size=80), st.integers(-1, 10**19))
def test_a_group_and_its_id_name_each_other(name: str, thread: int) -> None:
    room = f"19:{name};messageid={thread}" if thread >= 0 else f"19:{name}"
    found = handle(activity(room=room, kind="channel"))
    assert found is not None and place(found).id == room


@given(st.text(max_size=150))
def test_any_text_as_an_id_is_a_conversation_or_none(text: str) -> None:
    for found in (handle(activity(sender=text)), handle(activity(room=text, kind="groupChat"))):
        assert found is None or place(found).id == text


def test_ids_at_their_longest() -> None:
    assert handle(activity(sender="29:" + "x" * 120)) is not None and handle(activity(sender="29:" + "x" * 121)) is None
    longest = "19:" + "x" * 110
    assert handle(activity(room=longest, kind="channel")) is not None
    assert handle(activity(room=f"{longest}x", kind="channel")) is None
    assert (
        handle(activity(room=f"{longest};messageid=1700000000000", kind="channel")) is None
    )  # too long for an id of ours


@given(st.text(max_size=80))
def test_what_is_taken_for_a_message_of_ours_is_harmless_in_an_address(text: str) -> None:
    with contextlib.suppress(Undeliverable):
        assert not set(own(text)) & set("/?#% \\")


def test_mentions_of_others_stay_as_names() -> None:
    bob = Entity("mention", "<at>Bob</at>", Account("29:bob", "Bob"))
    bot = Entity("mention", "<at>Wirken</at>", Account(BOT, "Wirken"))
    assert unmentioned("<at>Wirken</at>: ask <at>Bob</at>", (bob, bot), BOT) == ("ask @Bob", True)
    assert unmentioned("<at>Wirken</at> x", (), BOT) == ("<at>Wirken</at> x", False)
    assert unmentioned("x", (Entity("mention"), Entity("clientInfo")), BOT) == ("x", False)
    assert unmentioned("x", (bot,), "")[1] is False


def test_mentions_beyond_the_bound_are_not_looked_for() -> None:
    others = (Entity("mention", "x", Account("29:x", "x")),) * (limits.TEAMS_MENTIONS - 1)
    bot = Entity("mention", "<at>W</at>", Account(BOT))
    assert unmentioned("<at>W</at>", (*others, bot), BOT)[1]
    assert not unmentioned("<at>W</at>", (*others, *others[:1], bot), BOT)[1]


@given(st.binary(max_size=200) | st.recursive(st.none(), lambda inner: st.lists(inner)).map(repr).map(str.encode))
def test_any_bytes_are_an_activity_or_nonsense(data: bytes) -> None:
    try:
        found = read(data, Activity)
    except Nonsense:
        return
    received(found, "")


def test_a_conversation_of_another_platform_is_none() -> None:
    other: Handle = SessionHandle(conversation_id("g123:4"))
    with pytest.raises(Undeliverable):
        place(other)
